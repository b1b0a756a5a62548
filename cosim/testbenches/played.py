"""Job files that are there already: those of the working folder are played in the order of their numbers."""

from pathlib import Path
from typing import Any

import cocotb

from gatewright.cosim.testbenches.parts import Driver

NAME = "gatewright.cosim.testbenches.played"
"""Name of this module, for the simulator."""

TESTS = ["played"]
"""The tests of this bench."""


@cocotb.test()
async def played(dut: Any) -> None:
    """Play every file; the harness leaves the logs."""
    driver = Driver(dut)
    numbers = sorted(int(path.stem) for path in Path().glob("*.job"))
    assert numbers, "no job files to play"
    for number in numbers:
        await driver.replay(number)
