"""What is to be run on the RTL, what is predicted of it, and what became of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gatewright.cosim.golden import Golden, Trace
from gatewright.errors import ConfigError, DataError
from gatewright.hw.compiler.image import Compiled
from gatewright.hw.cycles.model import Prediction, predict
from gatewright.hw.skipping import Skip


@dataclass(frozen=True)
class Verification:
    """Outcome of a co-simulation.

    Parameters
    ----------
    integers_compared : int
        Elements of the output streams that golden model and RTL were compared on.
    mismatches : int
        Elements that differ, are missing or too many, and all other faults (error codes, marks, time limits).
    report : str
        What the checker says; the first mismatches with their place.
    counted : dict of list of int
        The accelerator's counters (names of `interface.COUNTERS`) for each sequence; empty if it has none.
    steps : list of int
        Time steps of each sequence.
    fresh : list of bool
        Whether each sequence started from a fresh state.
    results : list of int64 array
        Each sequence's output stream as the RTL gave it, in order.
    simulated_cycles : int
        All clock cycles of the simulation, loading and reset included, of all models that were measured together.
    wall_seconds : float
        Of the simulation's process and the golden model; the build is not included.
    """

    integers_compared: int
    mismatches: int
    report: str
    counted: dict[str, list[int]]
    steps: list[int]
    fresh: list[bool]
    results: list[np.ndarray]
    simulated_cycles: int
    wall_seconds: float

    @property
    def counters(self) -> dict[str, list[int]]:
        """The accelerator's counters (names of `interface.COUNTERS`) for each sequence.

        Raises
        ------
        ConfigError
            It has none.
        """
        if not self.counted:
            raise ConfigError(
                "this accelerator has no counters, so that its results are proven but its cycles cannot be measured: "
                "generate it with counters = 1"
            )
        return self.counted

    @property
    def cycles_per_step(self) -> float:
        """Cycles of all sequences, each from its start to its last result, over all their steps."""
        return sum(self.counters["cycles"]) / sum(self.steps)

    @property
    def simulated_cycles_per_second(self) -> float:
        """Clock cycles over wall seconds: end to end, build excluded."""
        return self.simulated_cycles / self.wall_seconds


class Job(NamedTuple):
    """One job of a measurement.

    Parameters
    ----------
    steps : int
    fresh : bool
        It starts from a fresh state.
    skip : Skip
    trace : Trace, optional
        Where a job of the measurement may skip: on what its cycles depend.
    """

    steps: int
    fresh: bool
    skip: Skip
    trace: Trace | None


@dataclass(frozen=True)
class Measurement:
    """A model to be measured on the RTL.

    Parameters
    ----------
    compiled : Compiled
        The model.
    sequences : sequence of int array [steps, inputs]
        Inputs in LSB of the model's input format, of any lengths.
    skip : Skip or bool, or a sequence of these
        Whether zero activations are passed over, in all sequences or in each.
    fresh : bool or sequence of bool
        Each sequence starts from a fresh state; with False, all but the first go on from the one before: pieces of a
        stream. Or one bool for each sequence, of which the first is True.
    """

    compiled: Compiled
    sequences: Sequence[np.ndarray]
    skip: Skip | bool | Sequence[Skip | bool] = False
    fresh: bool | Sequence[bool] = True

    @property
    def skips(self) -> list[Skip]:
        """What each job asks for: whether zero activations are passed over.

        Raises
        ------
        DataError
            There are more or fewer choices than sequences.
        ConfigError
            The accelerator cannot skip.
        """
        skips = [Skip(each) for each in self._each("to skip", self.skip)]
        self.compiled.config.check_skip(any(skips))
        return skips

    @property
    def threshold(self) -> int:
        """What zeros must reach where the hardware decides, in 256ths."""
        return self.compiled.modes.threshold

    @property
    def freshness(self) -> list[bool]:
        """Whether a fresh state comes first, for each sequence.

        Raises
        ------
        DataError
            There are more or fewer choices than sequences, or the first has no state to go on from.
        """
        if isinstance(self.fresh, bool):
            return [self.fresh or number == 0 for number in range(len(self.sequences))]
        fresh = [bool(each) for each in self._each("of a fresh state", self.fresh)]
        if fresh and not fresh[0]:
            raise DataError("the first sequence must start from a fresh state: none comes before it")
        return fresh

    def predict(self) -> list[Prediction]:
        """Predict the cycles and counters of each sequence, at full rate.

        Raises
        ------
        DataError
            A sequence does not suit the model.
        """
        return [prediction for _, prediction in self.predicted()]

    def predicted(self, *, timeline: bool = False) -> Iterator[tuple[Job, Prediction]]:
        """Yield the jobs with what is predicted of them; raises what `predict` does."""
        sparse = True
        for job in self.jobs():
            prediction = predict(self.compiled, *job, sparse=sparse, timeline=timeline)
            sparse = prediction.sparse
            yield job, prediction

    def jobs(self) -> Iterator[Job]:
        """Yield the jobs as the accelerator runs them.

        Raises
        ------
        DataError
            A sequence does not suit the model.
        """
        golden, skips = Golden(self.compiled), self.skips
        for x, fresh, skip in zip(self.sequences, self.freshness, skips, strict=True):
            # Every sequence is run, as the trace of the next may depend on the state that it leaves.
            trace = golden.run(x, fresh, trace=True)[1] if any(skips) else None
            yield Job(len(x), fresh, skip, trace)

    def _each(self, what: str, choice: int | Sequence[int]) -> list[int]:
        count = len(self.sequences)
        choices = [choice] * count if isinstance(choice, int) else list(choice)
        if len(choices) != count:
            raise DataError(f"{count} sequences need as many choices {what}, not {len(choices)}")
        return choices
