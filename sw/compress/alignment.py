"""Alignment of a layer's two products: little enough for one multiplier, where that costs next to no precision."""

import copy
import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from gatewright.sw.batching import by_length, pad
from gatewright.sw.compress.formats import FINEST, FINEST_ACCUMULATOR, legal_formats
from gatewright.sw.determinism import seeded
from gatewright.sw.network import LstmNetwork
from gatewright.sw.numbers import MAX_ALIGNMENT, STATE, Fixed, hidden_format

CLOSE = 2
"""Bits of alignment that a 16-bit activation can be shifted by to fit the 18 bits of an FPGA's multiplier."""

_WORTH = 2.0
"""How many times as much noise is accepted for it: 3 dB."""

_BATCH = 64

Stage = tuple[str, str]
"""Names of the matrix and the vector whose products are accumulated."""


def alignments(network: LstmNetwork, formats: Mapping[str, Fixed]) -> dict[str, int]:
    """Return by how many bits the products of each layer are shifted at most, by ``layer0`` and so on."""
    return {
        layer: max(*fracs, STATE.frac) - min(fracs)
        for layer, stages in _stages(network)
        for fracs in [[_frac(formats, stage) for stage in stages]]
    }


def alignment_limits(network: LstmNetwork, formats: Mapping[str, Fixed]) -> dict[str, int]:
    """Return the most bits of alignment for `legal_formats`: `CLOSE` where they are, with 16-bit activations."""
    found, wide = alignments(network, formats), formats["input"].bits == 16
    return {layer: CLOSE if wide and bits <= CLOSE else MAX_ALIGNMENT for layer, bits in found.items()}


def close_formats(
    network: LstmNetwork,
    wanted: Mapping[str, Fixed],
    vectors: Mapping[str, np.ndarray],
    sequences: Sequence[Tensor],
) -> dict[str, Fixed]:
    """Change formats so that no product needs more than `CLOSE` bits of alignment, in the layers where that is cheap.

    What is too coarse may become finer, and saturate more, and what is too fine coarser: the matrices, x and what lies
    between two factors. The change with the least noise in the layer's pre-activations is taken if it leaves that below
    twice what it is, and the noise of the network's outputs too, which is measured: errors of W_hh act on and on.

    Parameters
    ----------
    network : LstmNetwork
    wanted : dict of Fixed
        Named as for `legal_formats`, each chosen by itself.
    vectors : dict of array [steps, elements]
        Values of x (``input``), of each layer's output (``layer0.output``) and of what lies between two factors.
    sequences : sequence of tensors [steps, inputs]
        Inputs that the outputs are measured on.
    """
    finest = {layer: FINEST_ACCUMULATOR for layer, _ in _stages(network)}
    formats = dict(wanted)
    matrices = {
        name: matrix.detach().numpy().astype(np.float64) for name, matrix in network.matrices().items()
    }
    for _, stages in _stages(network):
        legal = legal_formats(network, formats, finest)
        coarse, fine = sorted(stages, key=lambda stage: _frac(legal, stage))
        excess = _frac(legal, fine) - CLOSE - _frac(legal, coarse)
        if excess <= 0:
            continue
        names = [*coarse, *fine]
        shared = [name for name in names if name.endswith(".output")]
        steps = [
            [0] if name in shared else [sign * k for k in range(excess + 1)]
            for name, sign in zip(names, (1, 1, -1, -1), strict=True)
        ]
        noises = {
            (name, step): _noise(matrices[stage[0]], vectors[stage[1]], legal, stage, name, step)
            for stage in stages
            for name in stage
            for step in steps[names.index(name)]
        }

        def noise(change: tuple[int, ...], names=names, noises=noises) -> float:
            return sum(noises[each] for each in zip(names, change, strict=True))

        changes = [change for change in itertools.product(*steps) if sum(map(abs, change)) == excess]
        best = min(changes, key=noise)
        if noise(best) > _WORTH * noise((0, 0, 0, 0)):
            continue
        changed = formats | {
            name: Fixed(legal[name].bits, legal[name].frac + step)
            for name, step in zip(names, best, strict=True)
            if step
        }
        before, after = (_output_noise(network, each, sequences) for each in (legal, changed))
        if after <= _WORTH * before:
            formats = changed
    return formats


@seeded(0)
@torch.no_grad()
def _output_noise(network: LstmNetwork, formats: Mapping[str, Fixed], sequences: Sequence[Tensor]) -> float:
    """Return the mean square by which rounding matrices and x changes the last layer's outputs."""
    rounded = copy.deepcopy(network)
    for name, matrix in rounded.matrices().items():
        matrix.copy_(_rounded(matrix, formats[name]))
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    squares = []
    for indices in by_length(lengths, _BATCH):
        x = pad(sequences, indices)
        difference = rounded(_rounded(x, formats["input"])) - network(x)
        squares.append(difference[torch.arange(len(x))[:, None] < lengths[indices]].square())
    return float(torch.cat(squares).mean())


def _rounded(values: Tensor, format: Fixed) -> Tensor:
    return torch.from_numpy(format.real(format.quantise(values.numpy()))).to(values.dtype)


def _stages(network: LstmNetwork) -> Iterator[tuple[str, tuple[Stage, Stage]]]:
    """Yield each layer's name, and the stages of W_ih and W_hh that its accumulators add up."""
    source = "input"
    for k, layer in enumerate(network.layers):
        name = f"layer{k}"
        output = f"{name}.output"
        yield (
            name,
            (
                _last_stage(f"{name}.input", layer.input.rank, source),
                _last_stage(f"{name}.recurrent", layer.recurrent.rank, output),
            ),
        )
        source = output


def _last_stage(name: str, rank: int | None, source: str) -> Stage:
    return (name, source) if rank is None else (f"{name}.second", f"{name}.middle")


def _format(formats: Mapping[str, Fixed], name: str) -> Fixed:
    """Return the format of a matrix or a vector; the output of a layer without a projection is h."""
    return formats.get(name, hidden_format(formats["input"].bits))


def _frac(formats: Mapping[str, Fixed], stage: Stage) -> int:
    return sum(_format(formats, name).frac for name in stage)


def _noise(
    matrix: np.ndarray, vector: np.ndarray, formats: Mapping[str, Fixed], stage: Stage, name: str, step: int
) -> float:
    """Return the mean square that the rounding of a stage's matrix, or vector, adds to what the stage gives."""
    format = _format(formats, name)
    frac = format.frac + step
    if frac > FINEST:
        return np.inf
    rounded = Fixed(format.bits, frac)
    if name == stage[0]:
        return float((_error(matrix, rounded) @ np.square(vector, dtype=np.float64).mean(axis=0)).mean())
    return float((np.square(matrix) @ _error(vector, rounded).mean(axis=0)).mean())


def _error(values: np.ndarray, format: Fixed) -> np.ndarray:
    return np.square(format.real(format.quantise(values)) - values)
