"""The accelerator's ports, cycle by cycle: Python drives every stream itself, with random gaps and stalls.

Takes the parameters of `gatewright.cosim.benches.recordings` from the working folder. The clock is the harness's;
Python drives at its falling edge and sees, once all has settled, what the next rising edge will transfer.
"""

import random
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, ReadOnly

from gatewright.cosim.benches.checker import Checker
from gatewright.cosim.benches.parts import Model
from gatewright.cosim.benches.recordings import Recordings
from gatewright.cosim.traffic import cycle_limit, load_limit, load_payloads
from gatewright.hw.interface import JOB, LOAD, RESULT, ErrorCode, Region, load_address

NAME = "gatewright.cosim.benches.ports"
"""Name of this module, for the simulator."""

TESTS = ["jobs_back_to_back", "carried_state", "reset_in_mid_job", "bad_requests"]
"""The tests of this bench."""


@dataclass
class Source:
    """A stream into the accelerator: payloads to come, and whether the first is on offer."""

    name: str
    queue: deque = field(default_factory=deque)
    valid: bool = False


class Ports:
    """Drives and watches all streams, one clock cycle at a time.

    Parameters
    ----------
    dut
        Handle of the harness, which plays no file.
    given : Recordings
        Rates and seed of gaps and stalls.
    """

    def __init__(self, dut: Any, given: Recordings):
        self.dut = dut
        self.given = given
        self.random = random.Random(given.seed)
        self.load, self.job, self.i = Source("load"), Source("job"), Source("i")
        self.results: list[int] = []
        self._held: int | None = None

    async def cycle(self) -> None:
        """Simulate one cycle."""
        await FallingEdge(self.dut.clk)
        for source in (self.load, self.job, self.i):
            self._offer(source)
        self.dut.o_ready.value = int(self.random.random() >= self.given.stalls)
        await ReadOnly()
        for source in (self.load, self.job, self.i):
            if source.valid and self._get(f"{source.name}_ready"):
                source.queue.popleft()
                source.valid = False
        self._watch_output()

    async def until(self, done, limit: int) -> None:
        """Simulate until a condition holds, at most `limit` cycles."""
        for _ in range(limit):
            await self.cycle()
            if done():
                return
        raise TimeoutError(f"the accelerator did not get there within {limit} cycles")

    async def reset(self) -> None:
        """Reset the accelerator in the middle of whatever it does, and forget what was on its way."""
        await FallingEdge(self.dut.clk)
        for source in (self.load, self.job, self.i):
            source.queue.clear()
            source.valid = False
            getattr(self.dut, f"{source.name}_valid").value = 0
        self.results.clear()
        self._held = None
        self.dut.rst.value = 1
        await FallingEdge(self.dut.clk)
        self.dut.rst.value = 0

    async def load_image(self) -> None:
        """Load the bench's model."""
        payloads = load_payloads(self.given.loaded.image.load_words()).tolist()
        self.load.queue.extend(payloads)
        await self.until(lambda: not self.load.queue, load_limit(len(payloads)))

    def idle(self) -> bool:
        """Whether every stream is drained and no job runs."""
        waiting = self.load.queue or self.job.queue or self.i.queue
        return not (waiting or self.busy() or self._get("o_valid"))

    def start(self, x: np.ndarray, *, fresh: bool = True) -> None:
        """Queue a job and its input."""
        self.job.queue.append(JOB.const({"steps": len(x), "fresh": int(fresh)}).as_bits())
        self.i.queue.extend((x.ravel() & ((1 << len(self.dut.i_payload)) - 1)).tolist())

    def take_results(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Take the next results: data (int64) and `last` marks."""
        taken, self.results = self.results[:count], self.results[count:]
        views = [RESULT.from_bits(word) for word in taken]
        return np.array([view["data"] for view in views]), np.array(
            [view["last"] for view in views], dtype=bool
        )

    def busy(self) -> bool:
        """Whether a job runs."""
        return bool(self._get("busy"))

    def error(self) -> ErrorCode:
        """The error port."""
        return ErrorCode(self._get("error"))

    def _offer(self, source: Source) -> None:
        # Once offered, a payload stays until it is taken.
        if not source.valid and source.queue and self.random.random() >= self.given.gaps:
            source.valid = True
            getattr(self.dut, f"{source.name}_payload").value = source.queue[0]
        getattr(self.dut, f"{source.name}_valid").value = int(source.valid)

    def _watch_output(self) -> None:
        valid, payload = self._get("o_valid"), self._get("o_payload")
        if self._held is not None:
            assert (valid, payload) == (1, self._held), "o changed before it was taken"
        ready = self._get("o_ready")
        self._held = payload if valid and not ready else None
        if valid and ready:
            self.results.append(payload)

    def _get(self, name: str) -> int:
        return int(getattr(self.dut, name).value)


async def _set_up(dut: Any) -> tuple[Ports, Recordings, Checker, Model]:
    given = Recordings.load(Path())
    ports = Ports(dut, given)
    await FallingEdge(dut.clk)
    while dut.rst.value:
        await FallingEdge(dut.clk)
    await ports.reset()
    await ports.load_image()
    return ports, given, Checker(given.model, given.seed), Model(given.model)


def _compare(
    ports: Ports, checker: Checker, model: Model, number: int, x: np.ndarray, *, fresh: bool = True
) -> None:
    expected = model.expect(x, fresh=fresh)
    data, last = ports.take_results(len(expected.data))
    checker.compare(number, len(x), expected.data, data)
    checker.require(number, np.array_equal(last, expected.last), "wrong marks of the last element")


async def _run(ports: Ports, x: np.ndarray, *, fresh: bool = True) -> None:
    ports.start(x, fresh=fresh)
    await ports.until(ports.idle, cycle_limit(ports.given.loaded, len(x)))


@cocotb.test()
async def jobs_back_to_back(dut: Any) -> None:
    """Offer all jobs and inputs at once, so that each job starts as soon as the accelerator lets it."""
    ports, given, checker, model = await _set_up(dut)
    for x in given.sequences:
        ports.start(x)
    await ports.until(ports.idle, sum(cycle_limit(given.loaded, len(x)) for x in given.sequences))
    for number, x in enumerate(given.sequences):
        _compare(ports, checker, model, number, x)
    assert not ports.results
    assert ports.error() == ErrorCode.NONE
    assert checker.passed, checker.report()


@cocotb.test()
async def carried_state(dut: Any) -> None:
    """Run the longest sequence in pieces, each from the state that the one before it left."""
    ports, given, checker, model = await _set_up(dut)
    x = max(given.sequences, key=len)
    for number, piece in enumerate(np.array_split(x, min(3, len(x)))):
        await _run(ports, piece, fresh=number == 0)
        _compare(ports, checker, model, number, piece, fresh=number == 0)
    assert checker.passed, checker.report()


@cocotb.test()
async def reset_in_mid_job(dut: Any) -> None:
    """Reset a running job at random times; the next job must not notice, with the memories as they were loaded."""
    ports, given, checker, model = await _set_up(dut)
    for number, x in enumerate(given.sequences):
        ports.start(x)
        for _ in range(ports.random.randrange(1, 60)):
            await ports.cycle()
        await ports.reset()
        await _run(ports, x)
        _compare(ports, checker, model, number, x)
    assert checker.passed, checker.report()


@cocotb.test()
async def bad_requests(dut: Any) -> None:
    """Ask for what cannot be done: an error code each, and the next job gives right results."""
    ports, given, checker, model = await _set_up(dut)
    x = max(given.sequences, key=len)
    outside = load_address(Region.BIAS, 0, given.loaded.config.bias_depth)

    ports.start(x[:0])
    await ports.until(lambda: not ports.job.queue, 100)
    await ports.until(ports.idle, 100)
    assert ports.error() == ErrorCode.STEPS
    await _run(ports, x)
    assert ports.error() == ErrorCode.NONE
    _compare(ports, checker, model, 0, x)

    ports.load.queue.append(
        LOAD.const({"data": 1, "address": {}}).as_bits() | outside << LOAD["address"].offset
    )
    await ports.until(lambda: not ports.load.queue, 100)
    await ports.cycle()
    assert ports.error() == ErrorCode.LOAD_ADDRESS

    # The word would change the program, were it carried out.
    ports.start(x)
    await ports.until(ports.busy, 1000)
    ports.load.queue.append(0)
    await ports.until(ports.idle, cycle_limit(given.loaded, len(x)))
    assert ports.error() == ErrorCode.LOAD_BUSY
    _compare(ports, checker, model, 1, x)
    await _run(ports, x)
    _compare(ports, checker, model, 2, x)
    assert ports.error() == ErrorCode.NONE
    assert checker.passed, checker.report()
