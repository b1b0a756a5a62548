"""The accelerator's ports, cycle by cycle: Python drives every stream itself, with random gaps and stalls.

The working folder holds the parameters, as `gatewright.cosim.testbenches.recordings.Recordings` writes them.
"""

from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge

from gatewright.cosim.testbenches.checker import Checker
from gatewright.cosim.testbenches.model import Model
from gatewright.cosim.testbenches.ports_driver import Ports
from gatewright.cosim.testbenches.recordings import Recordings
from gatewright.hw.interface import ErrorCode, Region, load_address
from gatewright.hw.ops import OP_BITS, Op, Opcode

NAME = "gatewright.cosim.testbenches.ports"
"""Name of this module, for the simulator."""

TESTS = [
    "jobs_back_to_back",
    "carried_state",
    "zero_inputs",
    "reset_in_mid_job",
    "bad_jobs",
    "bad_loads",
    "bad_programs",
    "wrong_lengths",
]
"""The tests of this bench."""

_QUARTERS = OP_BITS // 32


class Bench:
    """One test: the ports, and what their results should be."""

    def __init__(self, dut: Any):
        self.given = Recordings.load(Path())
        self.ports = Ports(dut, self.given)
        self.checker = Checker(self.given.model, self.given.seed)
        self.model = Model(self.given.model)
        self.longest = max(self.given.sequences, key=len)

    @classmethod
    async def set_up(cls, dut: Any) -> "Bench":
        """Wait for the harness, reset the accelerator and load the bench's model."""
        bench = cls(dut)
        await FallingEdge(dut.clk)
        while dut.rst.value:
            await FallingEdge(dut.clk)
        await bench.ports.reset()
        await bench.ports.load(bench.given.loaded.image.load_words())
        return bench

    def compare(self, number: int, x: np.ndarray, *, fresh: bool = True) -> None:
        """Compare the next results with those of a sequence."""
        expected = self.model.expect(x, fresh=fresh)
        data, last = self.ports.take_results(len(expected.data))
        self.checker.compare(number, len(x), expected.data, data)
        self.checker.require(number, np.array_equal(last, expected.last), "wrong marks of the last element")
        assert self.checker.passed, self.checker.report()

    async def check_job(self, number: int, x: np.ndarray, *, fresh: bool = True) -> None:
        """Run a job; its results, all of them and no more, must be the golden model's."""
        await self.run(x, len(x), ErrorCode.NONE, fresh=fresh)
        self.compare(number, x, fresh=fresh)
        assert not self.ports.results
        assert self.ports.all_sent()

    async def run(self, x: np.ndarray, steps: int, error: ErrorCode, *, fresh: bool = True) -> None:
        """Run a job of so many steps on a sequence; it must end with an error code."""
        self.ports.start(steps, fresh=fresh)
        self.ports.send(x)
        await self.ports.until_ready(len(x) + steps)
        assert self.ports.error() == error

    async def run_wrong(self, x: np.ndarray, steps: int, error: ErrorCode) -> None:
        """Run a job that must end with an error, and throw away its results and what it left of its sequence."""
        await self.run(x, steps, error)
        await self.ports.drop_input()
        self.ports.results.clear()


@cocotb.test()
async def jobs_back_to_back(dut: Any) -> None:
    """Offer all jobs and inputs at once, so that each job starts as soon as the accelerator lets it."""
    bench = await Bench.set_up(dut)
    sequences = bench.given.sequences
    for x in sequences:
        bench.ports.start(len(x))
        bench.ports.send(x)
    await bench.ports.until_ready(sum(map(len, sequences)))
    assert bench.ports.error() == ErrorCode.NONE
    for number, x in enumerate(sequences):
        bench.compare(number, x)
    assert not bench.ports.results
    assert bench.ports.all_sent()


@cocotb.test()
async def carried_state(dut: Any) -> None:
    """Run the longest sequence in pieces, each from the state that the one before it left."""
    bench = await Bench.set_up(dut)
    pieces = np.array_split(bench.longest, min(3, len(bench.longest)))
    for number, piece in enumerate(pieces):
        await bench.check_job(number, piece, fresh=number == 0)


@cocotb.test()
async def zero_inputs(dut: Any) -> None:
    """Run a sequence of zeros, whose column steps are all passed over if the job says so."""
    bench = await Bench.set_up(dut)
    x = np.zeros_like(bench.longest)
    await bench.check_job(0, x)
    counted = bench.ports.counters()
    if not bench.given.loaded.config.counters:
        assert not any(counted.values())
        return
    assert counted["inputs"] == counted["zero_inputs"] == x.size
    if bench.given.skip[0]:
        assert counted["skipped"] >= len(x) * -(-x.shape[1] // bench.given.loaded.config.groups)
    else:
        assert counted["skipped"] == 0


@cocotb.test()
async def reset_in_mid_job(dut: Any) -> None:
    """Reset a running job at random times; the next must not notice, with the memories as they were loaded."""
    bench = await Bench.set_up(dut)
    for number, x in enumerate(bench.given.sequences):
        bench.ports.start(len(x))
        bench.ports.send(x)
        for _ in range(bench.ports.random.randrange(1, 120)):
            await bench.ports.cycle()
        await bench.ports.reset()
        await bench.check_job(number, x)


@cocotb.test()
async def bad_jobs(dut: Any) -> None:
    """Ask for a job of no steps."""
    bench = await Bench.set_up(dut)
    for number in range(2):
        await bench.run(bench.longest[:0], 0, ErrorCode.STEPS)
        await bench.check_job(number, bench.longest)


@cocotb.test()
async def bad_loads(dut: Any) -> None:
    """Load outside the memories, and during a job: the words would change the program, were they carried out."""
    bench = await Bench.set_up(dut)
    ports, x = bench.ports, bench.longest
    await ports.load(np.array([[load_address(Region.BIAS, 0, bench.given.loaded.config.bias_depth), 1]]))
    # The word is in a register first, and so is the error.
    await ports.cycle()
    await ports.cycle()
    assert ports.error() == ErrorCode.LOAD_ADDRESS
    await bench.check_job(0, x)

    ports.start(len(x))
    ports.send(x)
    await ports.until(ports.busy, 1000)
    ports.offer_load(np.array([[load_address(Region.PROGRAM, 0, 0), 0]]))
    await ports.until_ready(len(x))
    assert ports.error() == ErrorCode.LOAD_BUSY
    bench.compare(1, x)
    await bench.check_job(2, x)


@cocotb.test()
async def bad_programs(dut: Any) -> None:
    """Run programs with an unknown op at the beginning or the end, and one without an end."""
    bench = await Bench.set_up(dut)
    words = bench.given.loaded.image.load_words()
    program = words[words[:, 0] >> 28 == Region.PROGRAM]
    offsets = program[:, 0] & 0xFFFF
    number = 0
    for spoilt in (0, int(offsets.max())):
        cleared = program[offsets == spoilt]
        cleared[:, 1] = 0
        await bench.ports.load(cleared)
        await bench.run_wrong(bench.longest, len(bench.longest), ErrorCode.OPCODE)
        await bench.ports.load(program)
        await bench.check_job(number, bench.longest)
        number += 1

    await bench.ports.load(_endless(bench.given.loaded.config.program_depth))
    await bench.run_wrong(bench.longest, len(bench.longest), ErrorCode.NO_END)
    await bench.ports.load(program)
    await bench.check_job(number, bench.longest)


def _endless(depth: int) -> np.ndarray:
    """Give the memory words of a program that does nothing, over all the program memory, and has no end."""
    op = Op(Opcode.OUTPUT, {"source": 0, "count": 0}).encode()
    return np.array(
        [
            [load_address(Region.PROGRAM, quarter, offset), op >> 32 * quarter & 0xFFFFFFFF]
            for offset in range(depth)
            for quarter in range(_QUARTERS)
        ]
    )


@cocotb.test()
async def wrong_lengths(dut: Any) -> None:
    """Send sequences that end too early, in mid-step and between steps, and too late."""
    bench = await Bench.set_up(dut)
    x = bench.longest
    flat = x.ravel()
    more = np.concatenate([flat, flat[:3]])
    for number, (sent, steps) in enumerate(
        ((flat[:-1], len(x)), (flat, len(x) + 1), (more, len(x)), (flat, len(x) - 1), (flat[:1], len(x)))
    ):
        await bench.run_wrong(sent, steps, ErrorCode.LENGTH)
        await bench.check_job(number, x)
