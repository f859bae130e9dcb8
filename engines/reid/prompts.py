"""Sentences some of whose words are learned, a set for each person: what a text encoder says of someone unnamed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engines.reid.clip import TextEncoder
from engines.reid.words import Tokenizer

SLOT = "X"  # in a template, a word that is not the template's


class Prompts(nn.Module):
    """One sentence a person, from a template like "A photo of a X X X X person."

    The first `learned` slots are each person's own words; the others hold still: zeros, or what `held` says,
    (count or 1, slots, width).
    """

    prefix: Tensor
    suffix: Tensor
    held: Tensor
    ends: Tensor

    def __init__(  # noqa: PLR0913
        self,
        text: TextEncoder,
        tokenizer: Tokenizer,
        template: str,
        count: int,
        learned: int | None = None,
        held: Tensor | None = None,
    ) -> None:
        super().__init__()
        numbers = torch.from_numpy(tokenizer([template]))
        first, slots = _slots(numbers[0], tokenizer.words(SLOT)[0], template)
        learned = slots if learned is None else learned
        with torch.no_grad():
            words = text.token_embedding(numbers)
        width = words.shape[-1]
        self.words = nn.Parameter(torch.empty(count, learned, width).normal_(std=0.02))
        self.register_buffer("prefix", words[:, :first].clone())
        self.register_buffer("suffix", words[:, first + slots :].clone())
        self.register_buffer("held", torch.zeros(1, slots - learned, width) if held is None else held)
        self.register_buffer("ends", numbers.argmax(dim=1))
        if self.held.shape[1] != slots - learned:
            raise ValueError(f"held must fill {slots - learned} slots, got {self.held.shape[1]}")

    def forward(self, people: Tensor) -> tuple[Tensor, Tensor]:
        """The embedded sentences of these people (count, context, width), and where each ends."""
        count = len(people)
        held = self.held[people] if len(self.held) > 1 else self.held.expand(count, -1, -1)
        parts = [
            self.prefix.expand(count, -1, -1),
            self.words[people],
            held,
            self.suffix.expand(count, -1, -1),
        ]
        return torch.cat(parts, dim=1), self.ends.expand(count)


def _slots(numbers: Tensor, slot: int, template: str) -> tuple[int, int]:
    """Where the slots begin, and how many there are."""
    places = (numbers == slot).nonzero().flatten()
    if not len(places) or int(places[-1] - places[0]) != len(places) - 1:
        raise ValueError(f"a template must have slots {SLOT!r} side by side, got {template!r}")
    return int(places[0]), len(places)
