"""Seals what replicas of a site's gallery are told of somebody, so that who has the topic has nothing without the key.

AES-256-GCM, with a key for each identity that is derived from the site's own (HKDF-SHA256): nobody is told by a nonce
that comes twice, and no key of an identity lies anywhere. Sealed bytes open for that site and identity alone.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from pipeline._master_key import LENGTH, key_in

FORMAT = b"\x01"  # what was sealed begins with it
NAME, NONCE, TAG = 8, 12, 16  # bytes
LOST = "replicas of the gallery are told with it; make one with: (umask 077; openssl rand -hex 32 > FILE)"


class SealError(Exception):
    """Bytes that this key does not open: why."""


@dataclass(frozen=True)
class GalleryKey:
    """The key of one site, the same at who writes and at who follows."""

    site: str
    _key: bytes = field(repr=False)

    @classmethod
    def read(cls, path: str, site: str) -> GalleryKey:
        """Raises StoreError, which says nothing of the key itself."""
        return cls(site, bytes(key_in(Path(path), LOST)))

    @property
    def name(self) -> str:
        """What tells this key from others, and nothing else about it."""
        return self._derived("name", NAME).hex()

    def sealed(self, identity: str, plain: bytes) -> bytes:
        """For this identity alone."""
        head, nonce = FORMAT + bytes.fromhex(self.name), os.urandom(NONCE)
        return head + nonce + self._of(identity).encrypt(nonce, plain, head)

    def opened(self, identity: str, sealed: bytes) -> bytes:
        """What was sealed. Raises SealError."""
        start = len(FORMAT) + NAME
        head, nonce, rest = sealed[:start], sealed[start : start + NONCE], sealed[start + NONCE :]
        if not sealed.startswith(FORMAT) or len(rest) < TAG:
            raise SealError("is nothing that this version has sealed")
        if head[len(FORMAT) :].hex() != self.name:
            raise SealError("was sealed with another gallery key")
        try:
            return self._of(identity).decrypt(nonce, rest, head)
        except InvalidTag:
            raise SealError("is damaged, or somebody else's") from None

    def _of(self, identity: str) -> AESGCM:
        return AESGCM(self._derived(f"identity {identity}", LENGTH))

    def _derived(self, purpose: str, length: int) -> bytes:
        told = f"sightline gallery 1 {len(self.site)} {self.site} {purpose}".encode()
        return HKDFExpand(SHA256(), length, told).derive(self._key)
