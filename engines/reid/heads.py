"""What stands between an encoder's features and the identities of training."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Necked:
    """Features before and after their normalisation, and the scores of all identities."""

    before: Tensor  # distances are taught here
    after: Tensor
    scores: Tensor  # and identities here


class BNNeck(nn.Module):
    """Batch normalisation without a shift, then a classifier without a bias (Luo et al., 2019).

    The released code of several methods freezes the shift in the constructor and then thaws every parameter by
    mistake; here it is no parameter, so nothing can.
    """

    def __init__(self, width: int, people: int) -> None:
        super().__init__()
        self.norm = shiftless(width)
        self.classifier = nn.Linear(width, people, bias=False)
        nn.init.normal_(self.classifier.weight, std=0.001)

    def forward(self, features: Tensor) -> Necked:
        """Of features (batch, width)."""
        after = self.norm(features)
        return Necked(features, after, self.classifier(after))


def shiftless(width: int) -> nn.BatchNorm1d:
    """Batch normalisation that scales, and does not shift."""
    norm = nn.BatchNorm1d(width)
    del norm.bias
    norm.register_buffer("bias", torch.zeros(width))
    return norm
