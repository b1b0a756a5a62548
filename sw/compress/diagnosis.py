"""What integers cannot hold of a model: features, matrices and outputs, each by name and with a remedy."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gatewright.sw.batching import by_length, pad
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress.formats import best_format
from gatewright.sw.determinism import one_thread
from gatewright.sw.models import FloatModel
from gatewright.sw.network import LstmNetwork
from gatewright.sw.spec import WEIGHT_BITS, CompressionSpec

FEWEST = 8
"""Distinct integers that a feature needs, unless its samples have fewer distinct values."""

NOTED = 30.0
"""Signal-to-noise ratio in dB of an output, below which the loss of a matrix's smallest weights is worth a remark."""

DECADES = 2.0
"""Powers of ten that weights spread over at least where it is to blame on them, and not on a narrow width alone."""

STILL = 1e-3
"""Share of an output's size by which it must move to be judged."""

_STEPS = 1 << 12
_BATCH = 64
_NAMED = 6


@dataclass(frozen=True)
class Spread:
    """A matrix whose weights spread too far for its width.

    Parameters
    ----------
    name : str
        As `LstmNetwork.matrices` has it.
    bits : int
    decades : float
        From the smallest tenth of its weights that are not zero to the largest, in powers of ten.
    lost : float
        Share of those weights that become zero.
    snr : float
        Signal-to-noise ratio in dB, about its mean, of the output that suffers most from that alone.
    """

    name: str
    bits: int
    decades: float
    lost: float
    snr: float

    def __str__(self) -> str:
        return (
            f"{self.name}: its weights spread over {self.decades:.1f} decades, and with {self.bits} bits "
            f"{100 * self.lost:.0f} % of them become zero; by that alone an output is left with {self.snr:.0f} dB. "
            f"{self._remedy()}"
        )

    def _remedy(self) -> str:
        if self.bits < WEIGHT_BITS[-1]:
            return f"Give it more bits (up to {WEIGHT_BITS[-1]})"
        if self.name.startswith("head"):
            return "Bring the model's outputs to one size and scale them back on the host"
        if self.name.startswith("layer0.input"):
            return "Let the features be scaled, clip its largest weights and train again, or train longer in integers"
        return "Clip its largest weights and train again, or train longer in integers"


def narrow_features(bundle: Bundle, sequences: Sequence[np.ndarray]) -> dict[int, int]:
    """Count the distinct integers of every feature that keeps fewer than `FEWEST`, though its samples have more values.

    Parameters
    ----------
    bundle : Bundle
    sequences : sequence of arrays [steps, inputs]
        Raw features.

    Returns
    -------
    dict of int
        Distinct integers by the feature's place.
    """
    raw = np.concatenate(sequences)
    narrow = {}
    for k, (values, integers) in enumerate(zip(raw.T, bundle.quantise_input(raw).T, strict=True)):
        kept = len(np.unique(integers))
        if kept < FEWEST and kept < len(np.unique(values)):
            narrow[k] = kept
    return narrow


def told_features(narrow: dict[int, int], *, scaled: bool) -> str:
    """Say which features are narrow, and what helps; `scaled` where bringing them to one scale was allowed."""
    some = [f"{k} ({count})" for k, count in list(narrow.items())[:_NAMED]]
    more = f" and {len(narrow) - _NAMED} more" if len(narrow) > _NAMED else ""
    remedy = "Bring" if scaled else "Let the features be scaled, bring"
    return (
        f"features keep fewer than {FEWEST} distinct integers on the samples: {', '.join(some)}{more}. "
        f"{remedy} rare extremes nearer (a logarithm, a clip), or take 16-bit activations"
    )


@one_thread()
@torch.no_grad()
def spread_matrices(
    model: FloatModel, network: LstmNetwork, spec: CompressionSpec, sequences: Sequence[np.ndarray]
) -> list[Spread]:
    """Find the matrices whose weights spread too far for their widths, in a way that the outputs show.

    Parameters
    ----------
    model : FloatModel
        Gives the scaling of raw features.
    network : LstmNetwork
        With its low-rank products as factors already.
    spec : CompressionSpec
    sequences : sequence of arrays [steps, inputs]
        Raw features.
    """
    batches = _batches(model.standardise(sequences))
    exact = _outputs(network, batches)
    mean, size = exact.mean(axis=0), np.sqrt(np.square(exact).mean(axis=0))
    # Hidden values have one unit, the rows of a head may have one each.
    moving = exact.std(axis=0) > STILL * (size.max() if network.head is None else size)
    spread: list[Spread] = []
    for name, matrix in network.matrices().items() if moving.any() else ():
        weights, bits = matrix.detach().double().numpy(), spec.of(name).bits
        present = weights != 0
        kept = best_format(weights, bits).quantise(weights) != 0
        if not (present & ~kept).any():
            continue
        without = copy.deepcopy(network)
        without.matrices()[name].mul_(torch.from_numpy(kept))
        snr = float(signal_to_noise(exact - mean, _outputs(without, batches) - mean)[moving].min())
        sizes = np.abs(weights[present])
        decades = float(np.log10(sizes.max() / np.quantile(sizes, 0.1)))
        if snr < NOTED and (bits == WEIGHT_BITS[-1] or decades >= DECADES):
            spread.append(Spread(name, bits, decades, 1 - float(kept[present].mean()), snr))
    return spread


def signal_to_noise(exact: np.ndarray, ours: np.ndarray) -> np.ndarray:
    """Compute the signal-to-noise ratio of every output in dB: float64 [outputs] of two arrays [steps, outputs].

    It is finite always: an output that is zero throughout counts as a signal of the smallest power.
    """
    smallest = np.finfo(np.float64).tiny
    signal = np.square(exact).sum(axis=0) + smallest
    noise = np.square(ours - exact).sum(axis=0) + smallest
    return 10 * (np.log10(signal) - np.log10(noise))


def _batches(sequences: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Give padded batches of sequences that are spread over the data, and which of their steps are real."""
    every = max(1, sum(map(len, sequences)) // _STEPS)
    some = [sequence[:_STEPS] for sequence in sequences[::every]]
    lengths = torch.tensor([len(sequence) for sequence in some])
    padded = [(pad(some, indices), lengths[indices]) for indices in by_length(lengths, _BATCH)]
    return [(x, torch.arange(len(x))[:, None] < steps) for x, steps in padded]


def _outputs(network: LstmNetwork, batches: Sequence[tuple[Tensor, Tensor]]) -> np.ndarray:
    """Give the outputs of all real steps, after the head where there is one: float64 [steps, outputs]."""
    return torch.cat([network.logits(network(x))[real] for x, real in batches]).double().numpy()
