"""The losses that make a differentiable search choose: entropies, and how their weights grow.

Source: Y. Tian et al., Discretization-aware architecture search, CN111767983A and arXiv 2007.03154. All formulas are
stated there, or in the code that its authors publish. Entropies are in nats.
"""

from collections.abc import Callable
from math import exp, log

import torch
from torch import Tensor

EDGE_GAIN = 4.0
"""Weight of the edges' loss beside that of the operations."""

EDGE_SUM = 0.2
"""Weight of the squared difference between the sum of the edges' weights and the number of edges to keep."""

Control = Callable[[int, int], float]
"""Gives the weight of a loss in epoch e of E, both counted from 1."""


def squashed(alpha: Tensor) -> Tensor:
    """Give g(α) = (2α)³ where 2α < −1, else 2α: what is far behind falls back faster."""
    doubled = 2 * alpha
    return torch.where(doubled < -1, doubled**3, doubled)


def operation_weights(alpha: Tensor) -> Tensor:
    """Give the weights a = softmax(g(α)) of the operations [..., operations] of each place."""
    return squashed(alpha).softmax(dim=-1)


def entropy(scores: Tensor) -> Tensor:
    """Give the sum of the entropies of softmax over the last dimension of scores [..., choices]."""
    logs = scores.log_softmax(dim=-1)
    return -(logs.exp() * logs).sum()


def operation_loss(alpha: Tensor) -> Tensor:
    """Give L_O, the sum of the entropies of a = softmax(g(α)), of α [..., operations]."""
    return entropy(squashed(alpha))


def edge_weights(beta: Tensor) -> Tensor:
    """Give β̂ = min(β, 1)."""
    return beta.clamp(max=1.0)


def edge_loss(beta: Tensor, kept: int, gain: float = 1.0) -> Tensor:
    """Give L_E of one node: entropy(softmax(β̂)) + w · (Σ_{β̂ > 0} β̂ − N)².

    Parameters
    ----------
    beta : tensor [edges]
    kept : int
        N, the edges to keep.
    gain : float
        Weight of the entropy; 1 is what is stated.
    """
    weights = edge_weights(beta)
    return gain * entropy(weights) + EDGE_SUM * (weights.clamp(min=0.0).sum() - kept) ** 2


def const(epoch: int, epochs: int) -> float:
    """Give 1."""
    return 1.0


def linear(epoch: int, epochs: int) -> float:
    """Give (e − 1) / (E − 1)."""
    return (epoch - 1) / (epochs - 1)


def logarithm(epoch: int, epochs: int) -> float:
    """Give log e / log E."""
    return log(epoch) / log(epochs)


def exponential(epoch: int, epochs: int) -> float:
    """Give 2^(e/5) / 2^(E/5)."""
    return 2.0 ** ((epoch - epochs) / 5)


def step(epoch: int, epochs: int) -> float:
    """Give 0, 1/3, 2/3 and 1 in the four quarters of the epochs."""
    return min(3, 4 * epoch // epochs) / 3


def sigmoid(epoch: int, epochs: int) -> float:
    """Give σ((e − E/2) / 5)."""
    return 1 / (1 + exp((epochs / 2 - epoch) / 5))


def delayed(control: Control, start: int) -> Control:
    """Give 0 before the epoch `start`, then a control function over the remaining epochs, but at most 1."""

    def later(epoch: int, epochs: int) -> float:
        return 0.0 if epoch < start else min(1.0, control(epoch - start + 1, epochs - start))

    return later


CONTROLS: dict[str, Control] = {
    "const": const,
    "linear": linear,
    "log": logarithm,
    "exp": exponential,
    "step": step,
    "sigmoid": sigmoid,
}
"""Control functions by their names."""
