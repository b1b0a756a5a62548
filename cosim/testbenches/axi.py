"""The AXI ports, held against the bus models of `cocotbext-axi`, which pause at random on every channel.

Takes the parameters of `gatewright.cosim.testbenches.recordings` from the working folder. The top module is `AxiTop` by
itself, with a clock of cocotb's.
"""

import random
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles

from gatewright.cosim.testbenches.axi_driver import AxiDriver
from gatewright.cosim.testbenches.checker import Checker
from gatewright.cosim.testbenches.model import Model
from gatewright.cosim.testbenches.recordings import Recordings
from gatewright.hw.interface import ErrorCode, Region, load_address
from gatewright.hw.rtl.axi_registers import (
    ADDRESS_BITS,
    CONFIG_REGISTERS,
    COUNTER_REGISTERS,
    IDENTITY,
    REGISTERS,
    Access,
    Response,
    registers,
)
from gatewright.hw.skipping import Skip

NAME = "gatewright.cosim.testbenches.axi"
"""Name of this module, for the simulator."""

TESTS = [
    "jobs",
    "bad_addresses",
    "bad_starts",
    "bad_loads",
    "bad_programs",
    "wrong_lengths",
    "reset_in_mid_job",
    "soft_reset_in_mid_job",
]
"""The tests of this bench."""

_LIMIT: dict[str, Any] = {"timeout_time": 1, "timeout_unit": "ms"}


class Bench:
    """One test: the driver, and what its results should be."""

    def __init__(self, dut: Any):
        self.given = Recordings.load(Path())
        self.random = random.Random(self.given.seed)
        self.driver = AxiDriver(dut, self.given)
        self.checker = Checker(self.given.model, self.given.seed)
        self.model = Model(self.given.model)
        self.longest = max(self.given.sequences, key=len)

    @classmethod
    async def set_up(cls, dut: Any) -> "Bench":
        """Start the clock, reset the accelerator and load the bench's model."""
        Clock(dut.aclk, 10, unit="ns").start()
        bench = cls(dut)
        await bench.driver.reset()
        await bench.driver.load(bench.given.loaded.image.load_words())
        return bench

    async def check_job(self, number: int, x: np.ndarray, *, skip: Skip = Skip.NEVER) -> None:
        """Run a fresh job, and compare every result with the golden model's."""
        assert await self.driver.start(len(x), skip=skip) == Response.OKAY
        self.driver.send(x)
        await self.check_results(number, x)

    async def check_results(self, number: int, x: np.ndarray) -> None:
        """Wait for the end of a job that has been started and compare its results."""
        await self.driver.until_idle()
        await self.expect_error(ErrorCode.NONE)
        expected = self.model.expect(x)
        data, last = await self.driver.take_results(len(expected.data))
        self.checker.compare(number, len(x), expected.data, data)
        self.checker.require(number, np.array_equal(last, expected.last), "wrong marks of the last element")
        assert self.driver.waiting_results() == 0
        assert self.checker.passed, self.checker.report()

    async def expect_error(self, code: ErrorCode) -> None:
        """Check the error code in the status register."""
        assert ErrorCode((await self.driver.status()).error) == code

    async def run_wrong_job(self, x: np.ndarray, steps: int, code: ErrorCode) -> None:
        """Run a job that must end with an error code, and throw its results away."""
        assert await self.driver.start(steps) == Response.OKAY
        self.driver.send(x)
        await self.driver.until_idle()
        await self.expect_error(code)
        await self.driver.drop_results()


@cocotb.test(**_LIMIT)
async def jobs(dut: Any) -> None:
    """Run every sequence; the registers tell what the accelerator is and what it did."""
    bench = await Bench.set_up(dut)
    driver = bench.driver
    assert await driver.read("IDENTITY") == IDENTITY
    for name, value in bench.given.loaded.config.to_json().items():
        assert await driver.read(CONFIG_REGISTERS[name].name) == value
    for number, x in enumerate(bench.given.sequences):
        skip = bench.given.skip[number]
        await bench.check_job(number, x, skip=skip)
        counted = {name: await driver.read(register.name) for name, register in COUNTER_REGISTERS.items()}
        assert counted["inputs"] == x.size
        assert counted["cycles"] > counted["matrix"] > 0
        assert (counted["skipped"] > 0) == (skip != Skip.NEVER)
        assert counted["output_wait"] < counted["cycles"]


@cocotb.test(**_LIMIT)
async def bad_addresses(dut: Any) -> None:
    """Ask for registers that do not exist or do not do that, while a job runs; it must not notice."""
    bench = await Bench.set_up(dut)
    driver, x = bench.driver, bench.longest
    used = {register.offset for register in registers(baked=False).values()}
    free = [address for address in range(0, 1 << ADDRESS_BITS, 4) if address not in used]
    assert await driver.start(len(x)) == Response.OKAY
    for address in bench.random.sample(free, 10):
        assert await driver.write_at(address, bytes(4)) == Response.DECERR
        assert (await driver.read_at(address))[1] == Response.DECERR
    for register in registers(baked=False).values():
        if register.access is not Access.BOTH:
            if register.access is Access.READ:
                response = await driver.write_at(register.offset, bytes(4))
            else:
                _, response = await driver.read_at(register.offset)
            assert response == Response.SLVERR
    steps = REGISTERS["STEPS"].offset
    for offset, data in ((0, bytes(1)), (0, bytes(2)), (2, bytes(2))):
        assert await driver.write_at(steps + offset, data) in (Response.SLVERR, Response.DECERR)
    assert await driver.read("STEPS") == len(x)
    driver.send(x)
    await bench.check_results(0, x)


@cocotb.test(**_LIMIT)
async def bad_starts(dut: Any) -> None:
    """Start a job of no steps, and one during a job."""
    bench = await Bench.set_up(dut)
    driver, x = bench.driver, bench.longest
    assert await driver.start(0) == Response.SLVERR
    await driver.until_idle()
    await bench.expect_error(ErrorCode.STEPS)
    assert await driver.start(len(x)) == Response.OKAY
    assert await driver.start(1) == Response.SLVERR
    assert await driver.control(discard=1) == Response.SLVERR
    driver.send(x)
    await bench.check_results(0, x)


@cocotb.test(**_LIMIT)
async def bad_loads(dut: Any) -> None:
    """Load outside the memories, and during a job: the words would change the program, were they carried out."""
    bench = await Bench.set_up(dut)
    driver, x = bench.driver, bench.longest
    outside = load_address(Region.BIAS, 0, bench.given.loaded.config.bias_depth)
    await driver.load(np.array([[outside, 1]]))
    await bench.expect_error(ErrorCode.LOAD_ADDRESS)
    await bench.check_job(0, x)

    assert await driver.start(len(x)) == Response.OKAY
    assert await driver.write("LOAD_ADDRESS", load_address(Region.PROGRAM, 0, 0)) == Response.OKAY
    assert await driver.write("LOAD_DATA", 0) == Response.SLVERR
    driver.send(x)
    await driver.until_idle()
    assert (await driver.status()).load_refused
    await bench.expect_error(ErrorCode.LOAD_BUSY)
    await driver.drop_results()
    await bench.check_job(1, x)
    assert not (await driver.status()).load_refused


@cocotb.test(**_LIMIT)
async def bad_programs(dut: Any) -> None:
    """Run a program without its last op, and one with an unknown opcode at its beginning."""
    bench = await Bench.set_up(dut)
    driver, x = bench.driver, bench.longest
    words = bench.given.loaded.image.load_words()
    program = words[words[:, 0] >> 28 == Region.PROGRAM]
    offsets = program[:, 0] & 0xFFFF
    for number, spoilt in enumerate((offsets.max(), 0)):
        cleared = program[offsets == spoilt]
        cleared[:, 1] = 0
        await driver.load(cleared)
        assert await driver.start(len(x)) == Response.OKAY
        driver.send(x)
        await driver.until_idle()
        await bench.expect_error(ErrorCode.OPCODE)
        await driver.drop_results()
        if not driver.all_sent():
            assert await driver.control(discard=1) == Response.OKAY
            await driver.until_all_sent()
        await driver.load(program)
        await bench.check_job(number, x)


@cocotb.test(**_LIMIT)
async def wrong_lengths(dut: Any) -> None:
    """Send sequences that end too early, in mid-step and between steps, and too late."""
    bench = await Bench.set_up(dut)
    x = bench.longest
    flat = x.reshape(-1)
    more = np.concatenate([flat, flat[:3]])
    for number, (sent, steps) in enumerate(
        ((flat[:-1], len(x)), (flat, len(x) + 1), (more, len(x)), (flat, len(x) - 1))
    ):
        await bench.run_wrong_job(sent, steps, ErrorCode.LENGTH)
        await bench.check_job(number, x)


@cocotb.test(**_LIMIT)
async def reset_in_mid_job(dut: Any) -> None:
    """Reset a running job at random times; the next must not notice, with the memories as they were loaded."""
    bench = await Bench.set_up(dut)
    for number, x in enumerate(bench.given.sequences):
        assert await bench.driver.start(len(x)) == Response.OKAY
        bench.driver.send(x)
        await ClockCycles(dut.aclk, bench.random.randrange(1, 60))
        await bench.driver.reset()
        await bench.check_job(number, x)


@cocotb.test(**_LIMIT)
async def soft_reset_in_mid_job(dut: Any) -> None:
    """Reset a running job by register; the rest of its sequence is discarded, and the next job must not notice."""
    bench = await Bench.set_up(dut)
    driver = bench.driver
    for number, x in enumerate(bench.given.sequences):
        assert await driver.start(len(x)) == Response.OKAY
        driver.send(x)
        await ClockCycles(dut.aclk, bench.random.randrange(1, 60))
        assert await driver.control(reset=1, start=1) == Response.OKAY
        await driver.until_idle()
        if not driver.all_sent():
            assert await driver.control(discard=1) == Response.OKAY
            await driver.until_all_sent()
        await driver.drop_results()
        assert not (await driver.status()).discarding
        await bench.check_job(number, x)
