"""Whole recordings through the accelerator, at full rate or with random gaps and stalls.

The working folder holds the bench's parameters (`Recordings`); the results are left there as ``report.json`` and
``results.npz`` (one array of integers for each sequence).
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cocotb
import numpy as np

from gatewright.cosim.benches.checker import Checker
from gatewright.cosim.benches.parts import Driver, Model, Monitor
from gatewright.cosim.traffic import JobFile, cycle_limit, load_limit
from gatewright.hw.compiler.image import Compiled
from gatewright.hw.interface import ErrorCode
from gatewright.storage import write_json

NAME = "gatewright.cosim.benches.recordings"
"""Name of this module, for the simulator."""

REPORT = Path("report.json")
RESULTS = Path("results.npz")
_PARAMETERS = Path("bench.json")
_LOADED, _MODEL, _SEQUENCES = Path("loaded.npz"), Path("model.npz"), Path("sequences.npz")


@dataclass(frozen=True)
class Recordings:
    """Parameters of the bench.

    Parameters
    ----------
    loaded : Compiled
        What the accelerator is loaded with.
    model : Compiled
        What the golden model runs: the same, unless the bench itself is under test.
    sequences : list of int64 array [steps, inputs]
        Inputs; each sequence starts from a fresh state.
    gaps, stalls : float
        Share of cycles in which input and output pause, 0 to 1 (excluded).
    seed : int
        Of the gaps and stalls.
    """

    loaded: Compiled
    model: Compiled
    sequences: list[np.ndarray]
    gaps: float = 0.0
    stalls: float = 0.0
    seed: int = 0

    def save(self, folder: Path) -> None:
        """Write the parameters to the working folder of a simulation."""
        self.loaded.save(folder / _LOADED)
        self.model.save(folder / _MODEL)
        write_arrays(folder / _SEQUENCES, self.sequences)
        write_json(folder / _PARAMETERS, {"gaps": self.gaps, "stalls": self.stalls, "seed": self.seed})

    @classmethod
    def load(cls, folder: Path) -> "Recordings":
        """Read back what `save` wrote."""
        loaded, model = Compiled.load(folder / _LOADED), Compiled.load(folder / _MODEL)
        rest = json.loads((folder / _PARAMETERS).read_text())
        return cls(loaded, model, read_arrays(folder / _SEQUENCES), **rest)


@dataclass(frozen=True)
class Report:
    """What the bench found, as in ``report.json``.

    Parameters
    ----------
    compared, mismatches, faults : int
        As in `Checker`.
    text : str
        The checker's report.
    counters : dict of list of int
        The accelerator's counters for each sequence, in cycles.
    cycles : int
        Simulated clock cycles, loading and reset included.
    """

    compared: int
    mismatches: int
    faults: int
    text: str
    counters: dict[str, list[int]]
    cycles: int


def write_arrays(path: Path, arrays: list[np.ndarray]) -> None:
    """Write arrays of any lengths to one file."""
    named: dict[str, Any] = {f"{k}": array for k, array in enumerate(arrays)}
    np.savez(path, **named)


def read_arrays(path: Path) -> list[np.ndarray]:
    """Read back what `write_arrays` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        return [stored[f"{k}"] for k in range(len(stored.files))]


@cocotb.test()
async def recordings(dut: Any) -> None:
    """Load a model once, run every sequence, compare every integer."""
    given = Recordings.load(Path())
    driver, monitor = Driver(dut), Monitor(given.loaded.config)
    model, checker = Model(given.model), Checker(given.model, given.seed)
    counters: dict[str, list[int]] = {}
    results = []
    for number, x in enumerate(given.sequences):
        job = JobFile(seed=given.seed + number, gaps=given.gaps, stalls=given.stalls)
        if number == 0:
            words = given.loaded.image.load_words()
            job.load(words, load_limit(len(words)))
        job.run(x, cycle_limit(given.loaded, len(x)))
        await driver.play(job, number)
        seen = monitor.read(number)[-1]
        checker.require(
            number, np.array_equal(seen.inputs, x.ravel()), f"took {len(seen.inputs)} of {x.size} elements"
        )
        checker.require(number, not seen.limited, f"no end within {seen.cycles} cycles")
        checker.require(number, seen.error == ErrorCode.NONE, f"error code {seen.error.name}")
        if len(seen.inputs) == x.size:
            expected = model.expect(seen.inputs.reshape(x.shape))
            checker.compare(number, len(x), expected.data, seen.results)
            checker.require(
                number, np.array_equal(expected.last, seen.last), "wrong marks of the last element"
            )
        results.append(seen.results)
        for name, value in seen.counters.items():
            counters.setdefault(name, []).append(value)
    write_arrays(RESULTS, results)
    report = Report(
        checker.compared,
        checker.mismatches,
        checker.faults,
        checker.report(),
        counters,
        dut.cycles.value.to_unsigned(),
    )
    write_json(REPORT, dataclasses.asdict(report))
    assert checker.passed, checker.report()
