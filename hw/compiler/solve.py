"""Solve the modes of a model on an accelerator: forms of matrices, and the threshold of zero activations.

Source: CN113537465A (2021), see `gatewright.sw.mode`. It leaves open where thresholds come from; here they follow from
the exact cycle model and the bits of the image.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from math import ceil
from typing import NamedTuple

import numpy as np

from gatewright.hw.compiler.image import Compiled
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.memories import UNITS
from gatewright.hw.skipping import WHOLE
from gatewright.sw.bundle import Bundle
from gatewright.sw.mode import ModePolicy, sparsity

STEPS = 16
"""Steps of the job that forms and thresholds are compared on."""

LARGEST = {name: AcceleratorConfig.range_of(name)[1] for name in UNITS if name != "accumulator_rows"}
"""The depths of the largest memories; accumulators settle where products are placed, so they stay as they are."""

_SEED = 0
"""Of the places of zeros that the input threshold is solved on."""


def job_cycles(compiled: Compiled) -> int:
    """Give the cycles of a job of `STEPS` steps without skipping."""
    # Here, as in `input_threshold`, because the cycle model needs Numba, and what this module imports is needed by it.
    from gatewright.hw.cycles.model import predict

    return predict(compiled, STEPS).cycles


class Cost(NamedTuple):
    """What a model takes with some of its matrices in sparse form.

    Parameters
    ----------
    excess : int
        Words that do not fit the accelerator's memories.
    cycles : int
        Of a job of `STEPS` steps; 0 where something does not fit.
    bits : int
        Of the image.
    """

    excess: int
    cycles: int
    bits: int

    @property
    def order(self) -> tuple[int, int]:
        """What the better of two has less of: an octave of cycles is worth one of bits."""
        return self.excess, max(self.cycles, 1) * self.bits


def sparse_matrices(
    bundle: Bundle,
    config: AcceleratorConfig,
    policy: ModePolicy,
    cost: Callable[[frozenset[str], AcceleratorConfig], Cost],
) -> frozenset[str]:
    """Choose the matrices of a bundle that are stored in sparse form; gives their names.

    Without a threshold of weights, one matrix after the other is stored in the form that costs less with the forms of
    the others as they are, beginning with all whole. What that saves in one memory it takes in others, so that it may
    end where the model does not fit. Then forms begin as the largest memories would have them, and change by one or two
    matrices at a time, those that cost least, as long as that costs less.

    Parameters
    ----------
    bundle : Bundle
    config : AcceleratorConfig
    policy : ModePolicy
    cost : callable
        What the model takes with these matrices in sparse form, on an accelerator.
    """
    zeros = {name: sparsity(stage.matrix.values) for name, stage in bundle.matrices.items()}
    if policy.weight_threshold is not None:
        return frozenset(name for name, share in zeros.items() if share >= policy.weight_threshold)
    worth = [name for name, share in zeros.items() if share > 0]
    if not worth or not config.index_depth:
        return frozenset()

    def here(sparse: frozenset[str]) -> Cost:
        return cost(sparse, config)

    found, best = _one_by_one(worth, here)
    if best.excess:
        roomy = replace(config, **LARGEST)
        begin, _ = _one_by_one(worth, lambda sparse: cost(sparse, roomy))
        found = _descended(begin, worth, here)
    return found


def _one_by_one(worth: list[str], cost: Callable[[frozenset[str]], Cost]) -> tuple[frozenset[str], Cost]:
    """Store each matrix in the form that costs less beside those before it; gives the cost too."""
    found: frozenset[str] = frozenset()
    best = cost(found)
    for name in worth:
        other = cost(found | {name})
        if other.order < best.order:
            found, best = found | {name}, other
    return found, best


def _descended(
    found: frozenset[str], worth: list[str], cost: Callable[[frozenset[str]], Cost]
) -> frozenset[str]:
    """Change the form of one or two matrices as long as that costs less."""
    moves = [frozenset(names) for count in (1, 2) for names in combinations(worth, count)]
    best = cost(found)
    while True:
        nearest = {found ^ move: cost(found ^ move) for move in moves}
        other = min(nearest, key=lambda forms: nearest[forms].order)
        if nearest[other].order >= best.order:
            return found
        found, best = other, nearest[other]


def input_threshold(compiled: Compiled, given: float | None) -> int:
    """Solve the least share of zero activations, in 256ths, from which skipping them costs no cycle; 256 without any.

    Zeros are spread at random over all vectors. A given share is rounded up.
    """
    if given is not None:
        return ceil(given * WHOLE)
    from gatewright.hw.cycles.model import flag_count, predict

    config = compiled.config
    drawn = np.random.default_rng(_SEED).random(flag_count(compiled, STEPS))
    without = job_cycles(compiled)

    def reaches(share: int) -> bool:
        # A column step is passed over where the elements of all groups are zero.
        flags = (drawn >= (share / WHOLE) ** config.groups).astype(np.uint8)
        return predict(compiled, STEPS, skip=True, trace=_Flags(flags)).cycles <= without

    low, high = 0, WHOLE
    while low < high:
        middle = (low + high) // 2 if low else 0
        if reaches(middle):
            high = middle
        else:
            low = middle + 1
    return high


class _Flags(NamedTuple):
    """The trace of a job that skips in all steps: nothing but flags counts."""

    flags: np.ndarray
    inputs: np.ndarray = np.zeros(0, dtype=bool)
    drained: np.ndarray = np.zeros((0, 2), dtype=np.int64)
