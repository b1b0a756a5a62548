"""Job files that are there already: those of the working folder are played in the order of their numbers.

Imports next to nothing, as each simulation begins with that.
"""

from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import ValueChange

NAME = "gatewright.cosim.testbenches.played"
"""Name of this module, for the simulator."""

TESTS = ["played"]
"""The tests of this bench."""

CYCLES = "cycles.txt"
"""Where the bench leaves how many cycles were simulated, loading and reset included."""


@cocotb.test()
async def played(dut: Any) -> None:
    """Have the harness play every file, which leaves the logs; Python sleeps meanwhile."""
    numbers = sorted(int(path.stem) for path in Path().glob("*.job"))
    assert numbers, "no job files to play"
    for number in numbers:
        dut.number.value = number
        dut.go.value = not dut.done.value
        await ValueChange(dut.done)
    Path(CYCLES).write_text(f"{dut.cycles.value.to_unsigned()}\n")
