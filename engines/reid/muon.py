"""Steps that turn every direction of a matrix alike: small networks learn in half as many of them as by AdamW.

Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon), its steps as large as AdamW's are (Liu et al. 2025, "Muon
is Scalable for LLM Training", equation 4). PyTorch's own takes matrices alone; convolutions are matrices here too, a
row for each that they give.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
TURNS = 5
CUBIC = 3.4445, -4.7750, 2.0315  # Jordan's: singular values of 0 to 1 come near 1 in five turns
AS_LARGE = 0.2  # a step's root mean square, as AdamW's is found to be


class Muon(torch.optim.AdamW):
    """Of a network: matrices and convolutions by Muon with weight decay, all else by AdamW without."""

    def __init__(self, network: nn.Module, weight_decay: float) -> None:
        each = [one for one in network.parameters() if one.requires_grad]
        groups: list[dict[str, Any]] = [
            {"params": [one for one in each if one.ndim <= 1], "weight_decay": 0.0},
            {"params": [one for one in each if one.ndim > 1], "weight_decay": weight_decay},
        ]
        super().__init__(groups)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step of all."""
        plain, matrices = self.param_groups
        self.param_groups = [plain]
        try:
            super().step(closure)
        finally:
            self.param_groups = [plain, matrices]
        for one in matrices["params"]:
            if one.grad is not None:
                self._turn(one, matrices)

    def _turn(self, one: Tensor, group: dict[str, Any]) -> None:
        state = self.state[one]
        if not state:
            state["momentum"] = torch.zeros_like(one)
            state["step"] = torch.tensor(0.0)  # AdamW asks for one when a state is loaded
        state["momentum"].mul_(MOMENTUM).add_(one.grad)
        ahead = one.grad + MOMENTUM * state["momentum"]
        turned = orthogonal(ahead.flatten(1))
        size = AS_LARGE * max(turned.shape) ** 0.5
        one.mul_(1 - group["lr"] * group["weight_decay"]).add_(
            turned.reshape(one.shape), alpha=-group["lr"] * size
        )


def orthogonal(matrix: Tensor) -> Tensor:
    """Nearly the nearest matrix whose singular values are 1."""
    is_tall = matrix.shape[0] > matrix.shape[1]
    made: Tensor = (matrix.T if is_tall else matrix) / (matrix.norm() + 1e-7)
    first, third, fifth = CUBIC
    for _ in range(TURNS):
        square = made @ made.T
        made = first * made + (third * square + fifth * square @ square) @ made
    return made.T if is_tall else made
