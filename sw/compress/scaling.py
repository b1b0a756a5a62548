"""Raw features of very different size on one scale: mean and deviation leave the first matrix for the inputs."""

import copy
import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gatewright.sw.compress.formats import best_format
from gatewright.sw.models import FloatModel
from gatewright.sw.tasks.task import moments

WORTH = 6.0
"""Least gain in dB for which a model's inputs are scaled anew: one bit of every value."""

ZEROS = 0.25
"""Share of steps from which on the zeros of a feature are kept: the hardware skips exact zeros."""

_STEPS = 1 << 14


def scaled(model: FloatModel, sequences: Sequence[np.ndarray]) -> FloatModel:
    """Return a model that computes the same function of raw features on inputs of mean 0 and deviation 1.

    ``W x + b`` becomes ``(W r) x' + (b + W m)`` with ``x = r x' + m``, computed in float64 and rounded to float32 once.
    A scaling that the model has already is replaced. A constant feature is shifted only. A feature that is zero, as the
    network sees it, in at least the share `ZEROS` of all steps is divided only.

    Parameters
    ----------
    model : FloatModel
        Left as it is.
    sequences : sequence of arrays [steps, inputs]
        Raw features as they occur in use.

    Raises
    ------
    DataError
        A sequence has another number of features.
    """
    mean, deviation = _moments(model, sequences)
    network = copy.deepcopy(model.network)
    first, *rest = network.layers[0].input.factors
    ratio, shift = (
        torch.from_numpy(v) for v in (deviation / model.deviation, (mean - model.mean) / model.deviation)
    )
    with torch.no_grad():
        added = first.double() @ shift
        for factor in rest:
            added = factor.double() @ added
        network.layers[0].bias.copy_(network.layers[0].bias.double() + added)
        first.copy_(first.double() * ratio)
    return dataclasses.replace(model, network=network, mean=mean, deviation=deviation)


def scaled_where_it_pays(
    model: FloatModel, sequences: Sequence[np.ndarray], *, bits: int = 8, activation_bits: int = 8
) -> FloatModel:
    """Return `scaled` if integers then keep at least `WORTH` dB more of what the features do, else the model itself.

    Parameters
    ----------
    model : FloatModel
    sequences : sequence of arrays [steps, inputs]
        Raw features as they occur in use.
    bits, activation_bits : int
        Widths of the first matrix and of the inputs.

    Raises
    ------
    DataError
        A sequence has another number of features.
    """
    candidate = scaled(model, sequences)
    before, after = (_kept(each, sequences, bits, activation_bits) for each in (model, candidate))
    return candidate if after - before >= WORTH else model


def _moments(model: FloatModel, sequences: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    model.standardise(sequences)
    steps = np.concatenate(sequences).astype(np.float64)
    mean, deviation = moments(steps)
    unshifted = (steps == model.mean).mean(axis=0) >= ZEROS
    size = np.sqrt(np.square(steps - model.mean).mean(axis=0))
    size[size == 0] = 1.0
    return np.where(unshifted, model.mean, mean), np.where(unshifted, size, deviation)


def _kept(model: FloatModel, sequences: Sequence[np.ndarray], bits: int, activation_bits: int) -> float:
    """Measure the signal-to-noise ratio in dB of the first matrix's sums, were matrix and inputs integers."""
    steps = sum(map(len, sequences))
    x = torch.cat(model.standardise(sequences))[:: max(1, steps // _STEPS)].double()
    matrix = model.network.layers[0].input.factors[0].detach().double()
    exact = x @ matrix.T
    noise = _rounded(x, activation_bits) @ _rounded(matrix, bits).T - exact
    smallest = torch.finfo(torch.float64).tiny
    powers = [(values.square().sum() + smallest).log10() for values in (exact - exact.mean(dim=0), noise)]
    return float(10 * (powers[0] - powers[1]))


def _rounded(values: Tensor, bits: int) -> Tensor:
    array = values.numpy()
    format = best_format(array, bits)
    return torch.from_numpy(format.real(format.quantise(array)))
