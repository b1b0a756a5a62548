"""How what is to be run on the RTL is run in Verilator."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gatewright.cosim import simulator
from gatewright.cosim.golden import Golden
from gatewright.cosim.measurement import Measurement, Verification
from gatewright.cosim.testbenches import played
from gatewright.cosim.testbenches.recordings import Recordings, Report, examine, write_jobs
from gatewright.errors import DataError, ToolError
from gatewright.hw.compiler.image import Compiled
from gatewright.progress import Progress, silent

_RATE = 0.25

STOPPED = "stopped.txt"
"""Where ``axi_adapter.sv`` leaves the reason why no job can end."""


def prepare(
    measurement: Measurement,
    *,
    model: Compiled | None = None,
    stalls: bool = False,
    seed: int = 0,
    baked: bool = False,
) -> Recordings:
    """Check a measurement, and return it as the bench takes it.

    Parameters
    ----------
    measurement : Measurement
    model, stalls, seed
        As in `verify`.
    baked : bool
        The accelerator has the model in its memories; nothing is loaded.

    Raises
    ------
    DataError
        A sequence does not suit the model, or there is none.
    BundleError
        The compiled model is malformed.
    """
    if not len(measurement.sequences):
        raise DataError("at least one sequence is needed to compare anything")
    golden = Golden(model or measurement.compiled)
    fresh, skips = measurement.freshness, measurement.skips
    checked = [
        golden.check(x, each).astype(np.int64) for x, each in zip(measurement.sequences, fresh, strict=True)
    ]
    rate = _RATE if stalls else 0.0
    loaded = measurement.compiled
    return Recordings(
        loaded, model or loaded, checked, rate, rate, seed, fresh, skips, measurement.threshold, baked
    )


def verification(
    given: Recordings, report: Report, simulated_cycles: int, wall_seconds: float, stopped: str = ""
) -> Verification:
    """Join what was run, what was found, and why the simulation stopped, if it did."""
    return Verification(
        integers_compared=report.compared,
        mismatches=report.mismatches + report.faults,
        report=f"{report.text}\n  {stopped}" if stopped else report.text,
        counted=report.counters if given.loaded.config.counters else {},
        steps=[len(x) for x in given.sequences],
        fresh=list(given.fresh),
        results=report.results,
        simulated_cycles=simulated_cycles,
        wall_seconds=wall_seconds,
    )


def play(
    simulation: Path,
    each: Sequence[Recordings],
    progress: Progress = silent,
    *,
    power_up: int | None = None,
) -> list[Verification]:
    """Run models of one configuration, one after the other, in one simulation.

    Parameters
    ----------
    simulation : Path
        What `simulator.build` returns.
    each : sequence of Recordings
    progress : Progress
        Told about every finished sequence.
    power_up : int, optional
        As in `simulator.simulate`.

    Raises
    ------
    ToolError
        A tool is missing or failed.
    """
    total = sum(len(given.sequences) for given in each)
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="gatewright-") as temporary:
        root = Path(temporary)
        examiners = write_jobs(root, each)

        def watch() -> None:
            started = sum(1 for _ in root.glob("*.seen"))
            progress("simulating", max(0, started - 1), total, "")

        outcome = simulator.simulate(
            simulation,
            played.NAME,
            root,
            tests=played.TESTS,
            seed=each[0].seed,
            power_up=power_up,
            watch=watch,
        )
        if outcome.failed:
            raise ToolError(f"the bench failed before it was at its end:\n{outcome.log}")
        stopped = (root / STOPPED).read_text().strip() if (root / STOPPED).exists() else ""
        cycles = int((root / played.CYCLES).read_text())
        reports = examine(root, examiners, cycles)
    seconds = time.perf_counter() - begin
    progress("simulating", total, total, "")
    return [
        verification(given, report, cycles, seconds, stopped)
        for given, report in zip(each, reports, strict=True)
    ]
