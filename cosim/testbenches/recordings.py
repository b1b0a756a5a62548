"""Whole recordings of one or more models through one accelerator, at full rate or with random gaps and stalls."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gatewright.cosim.testbenches.checker import Checker
from gatewright.cosim.testbenches.model import Model
from gatewright.cosim.traffic import JobFile, Observation, cycle_limit, expected_cycles, load_limit, read_log
from gatewright.hw.compiler.image import Compiled
from gatewright.hw.interface import COUNTERS, ErrorCode
from gatewright.hw.skipping import Skip
from gatewright.storage import write_json

_PARAMETERS = Path("bench.json")
_LOADED, _MODEL, _SEQUENCES = Path("loaded.npz"), Path("model.npz"), Path("sequences.npz")


@dataclass(frozen=True)
class Recordings:
    """One model and what it is to be run on.

    Parameters
    ----------
    loaded : Compiled
        What the accelerator is loaded with.
    model : Compiled
        What the golden model runs: the same, unless the bench itself is under test.
    sequences : list of int64 array [steps, inputs]
        Inputs.
    gaps, stalls : float
        Share of cycles in which input and output pause, 0 to 1 (excluded).
    seed : int
        Of the gaps and stalls.
    fresh : sequence of bool
        For each sequence: start from a fresh state, or go on from that of the sequence before.
    skip : sequence of Skip
        For each sequence: whether zero activations are passed over.
    threshold : int
        For those that leave it to the hardware, in 256ths.
    baked : bool
        The accelerator has the model in its memories, and nothing is loaded.
    """

    loaded: Compiled
    model: Compiled
    sequences: list[np.ndarray]
    gaps: float
    stalls: float
    seed: int
    fresh: Sequence[bool]
    skip: Sequence[Skip]
    threshold: int = 0
    baked: bool = False

    @property
    def expected_cycles(self) -> int:
        """About how many cycles a simulation of it takes."""
        steps = sum(map(len, self.sequences))
        return expected_cycles(self.model, steps, gaps=self.gaps, stalls=self.stalls)

    def save(self, folder: Path) -> None:
        """Write the parameters to a folder."""
        self.loaded.save(folder / _LOADED)
        self.model.save(folder / _MODEL)
        _write_arrays(folder / _SEQUENCES, self.sequences)
        write_json(folder / _PARAMETERS, {name: getattr(self, name) for name in _PLAIN})

    @classmethod
    def load(cls, folder: Path) -> "Recordings":
        """Read back what `save` wrote."""
        loaded, model = Compiled.load(folder / _LOADED), Compiled.load(folder / _MODEL)
        rest = json.loads((folder / _PARAMETERS).read_text())
        return cls(loaded, model, _read_arrays(folder / _SEQUENCES), **rest)


_PLAIN = ("gaps", "stalls", "seed", "fresh", "skip", "threshold", "baked")


@dataclass(frozen=True)
class Report:
    """What was found of one model.

    Parameters
    ----------
    compared, mismatches, faults : int
        As in `Checker`.
    text : str
        The checker's report.
    counters : dict of list of int
        The accelerator's counters for each sequence.
    cycles : int
        Clock cycles simulated so far, loading and reset included.
    results : list of int64 array
        Each sequence's output stream.
    """

    compared: int
    mismatches: int
    faults: int
    text: str
    counters: dict[str, list[int]]
    cycles: int
    results: list[np.ndarray]


def _write_arrays(path: Path, arrays: list[np.ndarray]) -> None:
    named: dict[str, Any] = {f"{k}": array for k, array in enumerate(arrays)}
    np.savez(path, **named)


def _read_arrays(path: Path) -> list[np.ndarray]:
    with np.load(path, allow_pickle=False) as stored:
        return [stored[f"{k}"] for k in range(len(stored.files))]


class Examiner:
    """Says which job files one model's sequences become, and compares what was seen of them with the golden model.

    Parameters
    ----------
    given : Recordings
    """

    def __init__(self, given: Recordings):
        self.given = given
        self._model, self._checker = Model(given.model), Checker(given.model, given.seed)
        self._counters: dict[str, list[int]] = {name: [] for name, _ in COUNTERS}
        self._results: list[np.ndarray] = []

    def jobs(self) -> Iterator[JobFile]:
        """Yield a job file for each sequence; the first loads the model before."""
        given = self.given
        for number, x in enumerate(given.sequences):
            job = JobFile(given.loaded.config, seed=given.seed + number, gaps=given.gaps, stalls=given.stalls)
            if number == 0 and not given.baked:
                words = given.loaded.image.load_words()
                job.load(words, load_limit(len(words), gaps=given.gaps))
            job.run(
                x,
                cycle_limit(given.model, len(x), gaps=given.gaps, stalls=given.stalls),
                fresh=given.fresh[number],
                skip=given.skip[number],
                threshold=given.threshold,
            )
            yield job

    def see(self, seen: Observation) -> None:
        """Compare every integer of the next sequence."""
        checker, number = self._checker, len(self._results)
        x = self.given.sequences[number]
        checker.require(
            number,
            np.array_equal(seen.inputs, x.ravel()),
            f"took {len(seen.inputs)} of {x.size} elements",
        )
        checker.require(number, not seen.limited, f"no end within {seen.cycles} cycles")
        checker.require(number, seen.error == ErrorCode.NONE, f"error code {seen.error.name}")
        if len(seen.inputs) == x.size:
            expected = self._model.expect(seen.inputs.reshape(x.shape), fresh=self.given.fresh[number])
            checker.compare(number, len(x), expected.data, seen.results)
            checker.require(
                number, np.array_equal(expected.last, seen.last), "wrong marks of the last element"
            )
        self._results.append(seen.results)
        for name, values in self._counters.items():
            values.append(seen.counters.get(name, 0))

    def report(self, cycles: int) -> Report:
        """Say what was found, after so many simulated cycles."""
        checker = self._checker
        return Report(
            checker.compared,
            checker.mismatches,
            checker.faults,
            checker.report(),
            self._counters,
            cycles,
            self._results,
        )


def write_jobs(folder: Path, each: Sequence[Recordings]) -> list[Examiner]:
    """Write the job files of models that follow each other in one simulation; returns who examines the logs."""
    examiners = [Examiner(given) for given in each]
    jobs = (job for examiner in examiners for job in examiner.jobs())
    for number, job in enumerate(jobs):
        job.write(folder / f"{number}.job")
    return examiners


def examine(folder: Path, examiners: Sequence[Examiner], cycles: int) -> list[Report]:
    """Read the logs of the job files that `write_jobs` wrote, and say what was found of each model.

    Parameters
    ----------
    folder : Path
    examiners : sequence of Examiner
    cycles : int
        That were simulated.

    Raises
    ------
    ToolError
        A log is not complete.
    """
    number = 0
    for examiner in examiners:
        for _ in examiner.given.sequences:
            examiner.see(read_log(folder / f"{number}.seen", examiner.given.loaded.config)[-1])
            number += 1
    return [examiner.report(cycles) for examiner in examiners]
