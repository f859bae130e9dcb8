"""Certificates for brokers in tests: an authority, and what it signs, as PEM files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Authority:
    """Signs; whoever trusts `ca` believes it."""

    ca: Path
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def signed(self, path: Path, host: str, ends: timedelta = DAY) -> Path:
        """A key and the certificate of `host`, valid until `ends` from now, in one file as Kafka takes them."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        made = _unsigned(host, self.certificate.subject, key, ends).add_extension(names, critical=False)
        path.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + made.sign(self.key, SHA256()).public_bytes(Encoding.PEM)
        )
        path.chmod(0o600)
        return path


def authority(ca: Path) -> Authority:
    """A new one, whose own certificate is the file `ca`."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = _unsigned(ca.stem, _named(ca.stem), key, DAY)
    for extension in _of_an_authority():
        made = made.add_extension(extension, critical=True)
    certificate = made.sign(key, SHA256())
    ca.write_bytes(certificate.public_bytes(Encoding.PEM))
    return Authority(ca, certificate, key)


def _of_an_authority() -> Iterator[x509.ExtensionType]:
    yield x509.BasicConstraints(ca=True, path_length=None)
    yield x509.KeyUsage(
        key_cert_sign=True,
        crl_sign=True,
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _unsigned(
    name: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, ends: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 2 * DAY)
        .not_valid_after(now + ends)
    )
