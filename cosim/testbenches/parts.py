"""The parts of a bench, each with one job: driver, monitor, model. The checker has a file of its own."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from cocotb.triggers import ValueChange

from gatewright.cosim.golden import Golden, Trace
from gatewright.cosim.traffic import JobFile, Observation, read_log
from gatewright.hw.compiler.image import Compiled
from gatewright.hw.config import AcceleratorConfig


class Driver:
    """Has the harness play job files; Python sleeps meanwhile.

    Parameters
    ----------
    dut
        Handle of the harness.
    """

    def __init__(self, dut: Any):
        self.dut = dut

    async def play(self, job: JobFile, number: int) -> None:
        """Play one job file to its end; its log is then ``<number>.seen``."""
        job.write(Path(f"{number}.job"))
        await self.replay(number)

    async def replay(self, number: int) -> None:
        """Play a job file that is there already."""
        self.dut.number.value = number
        self.dut.go.value = not self.dut.done.value
        await ValueChange(self.dut.done)


class Monitor:
    """Reports what crossed the accelerator's ports.

    Parameters
    ----------
    config : AcceleratorConfig
        The accelerator in the harness.
    """

    def __init__(self, config: AcceleratorConfig):
        self.config = config

    def read(self, number: int) -> list[Observation]:
        """Give what the harness saw of each command of a job file."""
        return read_log(Path(f"{number}.seen"), self.config)


class Expected(NamedTuple):
    """Output stream of one sequence: data (int32) and `last` marks (bool), in order."""

    data: np.ndarray
    last: np.ndarray


class Model:
    """Says what should have come out, from what the monitor saw go in.

    Parameters
    ----------
    compiled : Compiled
        The model that the accelerator is meant to run.
    """

    def __init__(self, compiled: Compiled):
        self.compiled = compiled
        self._golden = Golden(compiled)

    def expect(self, x: np.ndarray, *, fresh: bool = True) -> Expected:
        """Run one sequence, int array [steps, inputs]."""
        return self._marked(self._golden.run(x, fresh), len(x))

    def trace(self, x: np.ndarray, *, fresh: bool = True) -> tuple[Expected, Trace]:
        """Do the same, and give the zero activations as well."""
        results, trace = self._golden.run(x, fresh, trace=True)
        return self._marked(results, len(x)), trace

    def _marked(self, results: np.ndarray, steps: int) -> Expected:
        last = np.zeros(len(results), dtype=bool)
        for vectors in self.compiled.split_results(np.arange(len(results)), steps):
            last[vectors[:, -1:]] = True
        return Expected(results, last)
