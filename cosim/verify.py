"""The proof: emitted Verilog and golden model, compared on every integer."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gatewright.cosim import simulator
from gatewright.cosim.benches import ports, recordings
from gatewright.cosim.golden import Golden
from gatewright.errors import DataError, ToolError
from gatewright.hw.compiler.image import Compiled
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
        The accelerator's counters (names of `interface.COUNTERS`) for each sequence, in cycles.
    steps : list of int
        Time steps of each sequence.
    results : list of int64 array
        Each sequence's output stream as the RTL gave it, in order.
    simulated_cycles : int
        All clock cycles of the simulation, loading and reset included.
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


def verify(
    compiled: Compiled,
    sequences: list[np.ndarray],
    *,
    stalls: bool = False,
    seed: int = 0,
    progress: Progress = silent,
    model: Compiled | None = None,
) -> Verification:
    """Run sequences on the emitted Verilog in Verilator and compare every result with the golden model.

    Parameters
    ----------
    compiled : Compiled
        What the accelerator is loaded with.
    sequences : list of int array [steps, inputs]
        Inputs in LSB of the model's input format; each starts from a fresh state.
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
    if not sequences:
        raise DataError("at least one sequence is needed to compare anything")
    golden = Golden(model or compiled)
    checked = [golden.check(x).astype(np.int64) for x in sequences]
    rate = _RATE if stalls else 0.0
    simulation = simulator.build(compiled.config, progress)
    with tempfile.TemporaryDirectory(prefix="gatewright-") as temporary:
        folder = Path(temporary)
        recordings.Recordings(compiled, model or compiled, checked, rate, rate, seed).save(folder)

        def watch() -> None:
            started = sum(1 for _ in folder.glob("*.seen"))
            progress("simulating", max(0, started - 1), len(checked), "")

        outcome = simulator.simulate(
            simulation, recordings.NAME, folder, tests=["recordings"], seed=seed, watch=watch
        )
        if not (folder / recordings.REPORT).exists():
            raise ToolError(f"the bench failed before it could report:\n{outcome.log}")
        report = recordings.Report(**json.loads((folder / recordings.REPORT).read_text()))
        results = recordings.read_arrays(folder / recordings.RESULTS)
    progress("simulating", len(checked), len(checked), "")
    return Verification(
        integers_compared=report.compared,
        mismatches=report.mismatches + report.faults,
        report=report.text,
        counters=report.counters,
        steps=[len(x) for x in checked],
        results=results,
        simulated_cycles=report.cycles,
        wall_seconds=outcome.seconds,
    )


def verify_ports(
    compiled: Compiled,
    sequences: list[np.ndarray],
    *,
    stalls: bool = False,
    seed: int = 0,
    progress: Progress = silent,
) -> simulator.Outcome:
    """Run the cycle-level bench: Python drives every port, with resets and bad requests in between.

    Parameters and errors are those of `verify`. Simulates some 10,000 cycles per second, so the sequences had
    better be short.
    """
    rate = _RATE if stalls else 0.0
    simulation = simulator.build(compiled.config, progress)
    with tempfile.TemporaryDirectory(prefix="gatewright-") as temporary:
        folder = Path(temporary)
        recordings.Recordings(compiled, compiled, sequences, rate, rate, seed).save(folder)
        return simulator.simulate(simulation, ports.NAME, folder, tests=ports.TESTS, seed=seed)
