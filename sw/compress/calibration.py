"""Formats of a network's vectors and weights, chosen on the values that sample inputs give."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gatewright.errors import BundleError, ConfigError, DataError
from gatewright.sw.batching import by_length, pad
from gatewright.sw.compress.alignment import close_formats
from gatewright.sw.compress.formats import best_format
from gatewright.sw.determinism import one_thread
from gatewright.sw.network import LstmNetwork, ProductParameters
from gatewright.sw.numbers import ACCUMULATOR, Fixed
from gatewright.sw.spec import CompressionSpec

_STEPS = 1 << 14
"""Steps to calibrate on, at least, where there are as many; they come from sequences all over the data."""

_BATCH = 64


def calibrated_formats(
    network: LstmNetwork, spec: CompressionSpec, sequences: Sequence[Tensor]
) -> dict[str, Fixed]:
    """Choose the format of every matrix and vector, each by itself, by the smallest squared error.

    With 16-bit activations, products are then brought together as `close_formats` does. Matrices of long rows that take
    16 bits get a coarser format, where their sums would overflow the accumulators.

    Parameters
    ----------
    network : LstmNetwork
        With its low-rank products as factors already.
    spec : CompressionSpec
        Gives the widths.
    sequences : sequence of tensors [steps, inputs]
        Inputs of the network, as it sees them (standardised).

    Returns
    -------
    dict of Fixed
        Named as for `formats.legal_formats`.

    Raises
    ------
    ConfigError
        The specification lacks a product of the network, or a projection is low rank.
    DataError
        There are no sequences, or they are not inputs of the network.
    BundleError
        A weight or a bias is not finite.
    """
    for name, parameter in network.named_parameters():
        if not torch.isfinite(parameter).all():
            raise BundleError(
                f"the network's {name} holds values that are not finite: train or import it again"
            )
    fixed = {f"layer{k}.output" for k, layer in enumerate(network.layers) if layer.projection is None}
    for name, product in network.products().items():
        if name not in spec.products:
            raise ConfigError(f"the specification has no entry for {name}; it needs one for each product")
        if name.endswith(".projection") and product.rank is not None:
            raise ConfigError(f"{name} must be one matrix, not two factors: the accelerator runs no others")
    formats = {
        name: _weight_format(matrix.detach().numpy(), spec.of(name).bits, spec.activation_bits)
        for name, matrix in network.matrices().items()
    }
    _check(network, sequences)
    # From sequences that are spread over the data.
    chosen = sequences[:: max(1, sum(map(len, sequences)) // _STEPS)]
    vectors = _vectors(network, chosen)
    for name, values in vectors.items():
        if name not in fixed:
            formats[name] = best_format(values, spec.activation_bits)
    return close_formats(network, formats, vectors, chosen) if spec.activation_bits == 16 else formats


def _weight_format(weights: np.ndarray, bits: int, source_bits: int) -> Fixed:
    format = best_format(weights, bits)
    largest = float(np.abs(weights).sum(axis=1).max())
    if largest == 0:
        return format
    # Magnitudes below 2**(bits - 2) leave room for what rounding and training add to a row.
    limit = ACCUMULATOR.bits - 2 - (source_bits - 1) - int(np.ceil(np.log2(largest)))
    return Fixed(bits, min(format.frac, limit))


def _check(network: LstmNetwork, sequences: Sequence[Tensor]) -> None:
    for k, sequence in enumerate(sequences):
        if sequence.dim() != 2 or sequence.shape[1] != network.input_size or len(sequence) == 0:
            raise DataError(
                f"calibration sequence {k} must be [steps, {network.input_size}] with at least 1 step, "
                f"not of shape {tuple(sequence.shape)}"
            )
        if not torch.isfinite(sequence).all():
            raise DataError(f"calibration sequence {k} holds values that are not finite")
    if not sequences:
        raise DataError("calibration needs at least one sequence")


@one_thread()
@torch.no_grad()
def _vectors(network: LstmNetwork, sequences: Sequence[Tensor]) -> dict[str, np.ndarray]:
    """Give the values of every vector that a matrix takes."""
    lengths = torch.tensor([len(s) for s in sequences])
    seen: dict[str, list[Tensor]] = defaultdict(list)

    def see(name: str, product: ProductParameters, vectors: Tensor) -> None:
        if product.rank is not None:
            seen[f"{name}.middle"].append(vectors @ product.factors[0].T)

    for indices in by_length(lengths, _BATCH):
        x = pad(sequences, indices)
        real = torch.arange(len(x))[:, None] < lengths[indices]
        seen["input"].append(x[real])
        for k, layer in enumerate(network.layers):
            y = layer(x)
            seen[f"layer{k}.output"].append(y[real])
            see(f"layer{k}.input", layer.input, x[real])
            see(f"layer{k}.recurrent", layer.recurrent, y[real])
            x = y
        if network.head is not None:
            see("head", network.head, x[real])
    return {name: torch.cat(values).numpy() for name, values in seen.items()}
