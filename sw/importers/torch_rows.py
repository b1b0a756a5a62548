"""Outputs of a module's forward beside a model's, whatever their layout: as rows, one a step and sequence."""

from collections.abc import Sequence

import torch
from torch import Tensor

_TOLERANCE = 1e-4
# Differences are held against values of this size at least: outputs of an LSTM are sums of numbers up to 1.
_SMALLEST = 1e-2


def alike(value: Tensor, rows: Tensor) -> bool:
    """Whether a tensor can be seen as rows as wide as others."""
    return bool(value.numel()) and (value.shape[-1:] == rows.shape[-1:] or rows.shape[-1] == 1)


def as_rows(value: Tensor, rows: Tensor) -> Tensor:
    """See a tensor as rows [n, width] as wide as others."""
    return value.reshape(-1, rows.shape[-1]).float()


def apart(a: Tensor, b: Tensor) -> float:
    """Give the largest difference of two tensors; infinite if their shapes differ."""
    return float((a.float() - b.float()).abs().max()) if a.shape == b.shape else float("inf")


def nearest(rows: Tensor, pool: Tensor) -> float:
    """Give the largest difference of a row from the row of a pool that is nearest to it."""
    if rows.shape[-1] != pool.shape[-1]:
        return float("inf")
    return float(torch.cdist(rows.double(), pool.double(), p=float("inf")).min(1).values.max())


def bound(values: Tensor) -> float:
    """Give the difference up to which values count as equal in float32."""
    return _TOLERANCE * max(_SMALLEST, float(values.abs().max()))


def which_steps(rows: Tensor, values: Tensor, batch: int) -> str:
    """Say at which steps of values [steps * batch, width] some rows are."""
    steps = values.reshape(-1, batch, values.shape[-1]) if len(values) % batch == 0 else values[:, None]
    forms: Sequence[tuple[str, Tensor]] = (
        ("at every step", steps),
        ("at every step", steps.transpose(0, 1)),
        ("at the last step", steps[-1]),
    )
    for text, form in forms:
        if form.numel() == rows.numel() and apart(rows, form.reshape(rows.shape)) <= bound(values):
            return text
    return "at some of the steps"
