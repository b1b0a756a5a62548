"""The proof: emitted Verilog and golden model, compared on every integer."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gatewright.cosim import simulator
from gatewright.cosim.golden import Golden
from gatewright.cosim.testbenches import ports, recordings
from gatewright.cosim.testbenches.recordings import Recordings, Report
from gatewright.errors import ConfigError, DataError, ToolError
from gatewright.hw.compiler.image import Compiled
from gatewright.hw.config import AcceleratorConfig
from gatewright.progress import Progress, silent

_RATE = 0.25


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
    counters : dict of list of int
        The accelerator's counters (names of `interface.COUNTERS`) for each sequence.
    steps : list of int
        Time steps of each sequence.
    results : list of int64 array
        Each sequence's output stream as the RTL gave it, in order.
    simulated_cycles : int
        All clock cycles of the simulation, loading and reset included, of all models that were measured together.
    wall_seconds : float
        From the start of the simulation's process to its end, with the golden model; the build is not included.
    """

    integers_compared: int
    mismatches: int
    report: str
    counters: dict[str, list[int]]
    steps: list[int]
    results: list[np.ndarray]
    simulated_cycles: int
    wall_seconds: float

    @property
    def cycles_per_step(self) -> float:
        """Cycles of all sequences, each from its start to its last result, over all their steps."""
        return sum(self.counters["cycles"]) / sum(self.steps)

    @property
    def simulated_cycles_per_second(self) -> float:
        """Clock cycles over wall seconds: end to end, build excluded."""
        return self.simulated_cycles / self.wall_seconds


@dataclass(frozen=True)
class Measurement:
    """A model to be measured on the RTL.

    Parameters
    ----------
    compiled : Compiled
        The model.
    sequences : sequence of int array [steps, inputs]
        Inputs in LSB of the model's input format, of any lengths.
    skip : bool or sequence of bool
        Pass over zero activations, in all sequences or in some.
    fresh : bool
        Each sequence starts from a fresh state; else all but the first go on from the one before: pieces of a stream.
    """

    compiled: Compiled
    sequences: Sequence[np.ndarray]
    skip: bool | Sequence[bool] = False
    fresh: bool = True


def verify(
    compiled: Compiled,
    sequences: Sequence[np.ndarray],
    *,
    skip: bool | Sequence[bool] = False,
    fresh: bool = True,
    stalls: bool = False,
    seed: int = 0,
    progress: Progress = silent,
    model: Compiled | None = None,
) -> Verification:
    """Run sequences on the emitted Verilog in Verilator and compare every result with the golden model.

    Parameters
    ----------
    compiled, sequences, skip, fresh
        As in `Measurement`; `compiled` is what the accelerator is loaded with.
    stalls : bool
        Pause all streams at random, in a quarter of the cycles; else full rate.
    seed : int
        Of the pauses.
    progress : Progress
        Told about the build and every finished sequence.
    model : Compiled, optional
        What the golden model runs in place of `compiled`, to see that the comparison can fail.

    Raises
    ------
    DataError
        A sequence does not suit the model, or there is none.
    BundleError
        The compiled model is malformed.
    ToolError
        A tool is missing or failed.
    """
    wanted = Measurement(compiled, sequences, skip, fresh)
    return _simulate([_recordings(wanted, model or compiled, stalls, seed)], progress)[0]


def measure(
    config: AcceleratorConfig,
    measurements: Sequence[Measurement],
    *,
    stalls: bool = False,
    seed: int = 0,
    progress: Progress = silent,
) -> list[Verification]:
    """Measure models of one configuration, all in one simulation, and compare every result with the golden model.

    Parameters
    ----------
    config : AcceleratorConfig
        The hardware.
    measurements : sequence of Measurement
        What to run, in order; there may be hundreds.
    stalls, seed, progress
        As in `verify`.

    Returns
    -------
    list of Verification
        One for each measurement, without mismatches.

    Raises
    ------
    ConfigError
        A model is compiled for another configuration.
    DataError
        A sequence does not suit its model, or there is none.
    BundleError
        A compiled model is malformed.
    ToolError
        A tool is missing or failed, or golden model and RTL disagree: a wrong accelerator has no speed.
    """
    if not measurements:
        raise DataError("at least one model is needed to measure anything")
    for number, measurement in enumerate(measurements):
        if measurement.compiled.config != config:
            raise ConfigError(
                f"model {number} is compiled for another configuration than the one to measure on"
            )
    found = _simulate([_recordings(each, each.compiled, stalls, seed) for each in measurements], progress)
    for number, verification in enumerate(found):
        if verification.mismatches:
            raise ToolError(f"golden model and RTL disagree on model {number}: {verification.report}")
    return found


def verify_ports(
    compiled: Compiled,
    sequences: Sequence[np.ndarray],
    *,
    skip: bool = False,
    stalls: bool = False,
    seed: int = 0,
    progress: Progress = silent,
) -> simulator.Outcome:
    """Run the cycle-level bench: Python drives every port, with resets and bad requests in between.

    Parameters and errors are those of `verify`; the longest sequence needs two steps. Simulates some 10,000 cycles per
    second, so the sequences had better be short.
    """
    given = _recordings(Measurement(compiled, sequences, skip), compiled, stalls, seed)
    simulation = simulator.build(compiled.config, progress)
    with tempfile.TemporaryDirectory(prefix="gatewright-") as temporary:
        folder = Path(temporary)
        given.save(folder)
        return simulator.simulate(simulation, ports.NAME, folder, tests=ports.TESTS, seed=seed)


def _recordings(measurement: Measurement, model: Compiled, stalls: bool, seed: int) -> Recordings:
    if not len(measurement.sequences):
        raise DataError("at least one sequence is needed to compare anything")
    golden = Golden(model)
    checked = [
        golden.check(x, measurement.fresh or number == 0).astype(np.int64)
        for number, x in enumerate(measurement.sequences)
    ]
    skip = measurement.skip
    skips = [skip] * len(checked) if isinstance(skip, bool) else [bool(each) for each in skip]
    if len(skips) != len(checked):
        raise DataError(f"{len(checked)} sequences need as many choices to skip, not {len(skips)}")
    rate = _RATE if stalls else 0.0
    return Recordings(measurement.compiled, model, checked, rate, rate, seed, measurement.fresh, skips)


def _simulate(each: Sequence[Recordings], progress: Progress) -> list[Verification]:
    """Build the simulation and run models of one configuration in it."""
    total = sum(len(given.sequences) for given in each)
    simulation = simulator.build(each[0].loaded.config, progress)
    with tempfile.TemporaryDirectory(prefix="gatewright-") as temporary:
        root = Path(temporary)
        folders = [root / f"{number}" for number in range(len(each))]
        for folder, given in zip(folders, each, strict=True):
            folder.mkdir()
            given.save(folder)

        def watch() -> None:
            started = sum(1 for _ in root.glob("*.seen"))
            progress("simulating", max(0, started - 1), total, "")

        outcome = simulator.simulate(
            simulation, recordings.NAME, root, tests=recordings.TESTS, seed=each[0].seed, watch=watch
        )
        reports = [report for folder in folders if (report := Report.load(folder))]
        if len(reports) < len(folders):
            raise ToolError(f"the bench failed before it could report:\n{outcome.log}")
    progress("simulating", total, total, "")
    return [
        Verification(
            integers_compared=report.compared,
            mismatches=report.mismatches + report.faults,
            report=report.text,
            counters=report.counters,
            steps=[len(x) for x in given.sequences],
            results=report.results,
            simulated_cycles=reports[-1].cycles,
            wall_seconds=outcome.seconds,
        )
        for given, report in zip(each, reports, strict=True)
    ]
