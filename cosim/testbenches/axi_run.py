"""Runs the bench of the AXI ports."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gatewright.cosim import simulator
from gatewright.cosim.testbenches import axi
from gatewright.cosim.testbenches.recordings import Recordings
from gatewright.hw.compiler.image import Compiled
from gatewright.hw.fpga.verilog import AXI_TOP, emit_axi
from gatewright.hw.skipping import Skip
from gatewright.progress import Progress, silent


def verify_axi_ports(
    compiled: Compiled,
    sequences: list[np.ndarray],
    *,
    pauses: float = 0.25,
    seed: int = 0,
    tests: Sequence[str] = axi.TESTS,
    progress: Progress = silent,
    model: Compiled | None = None,
) -> simulator.Outcome:
    """Drive the AXI ports cycle by cycle, with bad requests, wrong sequences and resets in between.

    Simulates some thousand cycles per second, so the model and the sequences had better be small.

    Parameters
    ----------
    compiled : Compiled
        What the accelerator is loaded with.
    sequences : list of int array [steps, inputs]
        Inputs; the longest must have at least two steps. Every other one is run with zeros skipped.
    pauses : float
        Share of cycles in which each channel pauses.
    seed : int
        Of the pauses.
    tests : list of str
        Which of the bench's tests to run.
    progress : Progress
        Told about the build.
    model : Compiled, optional
        What the golden model runs in place of `compiled`, to see that the comparison can fail.

    Raises
    ------
    ToolError
        A tool is missing or failed.
    """
    # Python takes most of the time of each cycle.
    simulation = simulator.build_verilog(emit_axi(compiled.config), {}, progress, top=AXI_TOP, cycles=0)
    with tempfile.TemporaryDirectory(prefix="gatewright-") as temporary:
        folder = Path(temporary)
        skip = [Skip(number % 2) for number in range(len(sequences))]
        Recordings(
            compiled, model or compiled, sequences, pauses, pauses, seed, [True] * len(skip), skip
        ).save(folder)
        return simulator.simulate(simulation, axi.NAME, folder, tests=list(tests), top=AXI_TOP, seed=seed)
