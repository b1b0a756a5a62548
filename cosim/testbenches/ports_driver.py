"""Drives the accelerator's ports cycle by cycle and watches that no offer is taken back.

The clock is the harness's, which plays no file; Python drives at its falling edge and sees, once all has settled,
what the next rising edge will transfer.
"""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cocotb.triggers import FallingEdge, ReadOnly

from gatewright.cosim.testbenches.recordings import Recordings
from gatewright.cosim.traffic import cycle_limit, input_payloads, load_limit, load_payloads
from gatewright.hw.interface import COUNTERS, JOB, RESULT, ErrorCode


@dataclass
class Source:
    """A stream into the accelerator: payloads to come, whether the first is on offer, whether one was just taken."""

    name: str
    queue: deque = field(default_factory=deque)
    valid: bool = False
    transferred: bool = False


class Ports:
    """All streams of one accelerator.

    Parameters
    ----------
    dut
        Handle of the harness.
    given : Recordings
        Rates and seed of gaps and stalls.
    """

    def __init__(self, dut: Any, given: Recordings):
        self.dut = dut
        self.given = given
        self.random = random.Random(given.seed)
        self.results: list[int] = []
        self._load, self._job, self._i = Source("load"), Source("job"), Source("i")
        self._sources = (self._load, self._job, self._i)
        self._held: int | None = None

    async def cycle(self) -> None:
        """Simulate one cycle."""
        await FallingEdge(self.dut.clk)
        for source in self._sources:
            self._offer(source)
        self.dut.o_ready.value = int(self.random.random() >= self.given.stalls)
        await ReadOnly()
        for source in self._sources:
            source.transferred = source.valid and bool(self._get(f"{source.name}_ready"))
            if source.transferred:
                source.queue.popleft()
                source.valid = False
        self._watch_output()

    async def until(self, done: Callable[[], bool], limit: int) -> None:
        """Simulate until a condition holds, at most `limit` cycles."""
        for _ in range(limit):
            await self.cycle()
            if done():
                return
        raise TimeoutError(f"the accelerator did not get there within {limit} cycles")

    async def until_ready(self, steps: int) -> None:
        """Simulate until all jobs, of so many steps together, have ended and another would be taken."""

        def ready() -> bool:
            waiting = self._job.queue or self._job.transferred or self._get("o_valid")
            return bool(self._get("job_ready")) and not waiting

        rates = {"gaps": self.given.gaps, "stalls": self.given.stalls}
        await self.until(ready, cycle_limit(self.given.loaded, steps, **rates))

    async def reset(self) -> None:
        """Reset the accelerator in the middle of whatever it does, and forget what was on its way."""
        await FallingEdge(self.dut.clk)
        for source in self._sources:
            self._forget(source)
        self.results.clear()
        self._held = None
        self.dut.rst.value = 1
        await FallingEdge(self.dut.clk)
        self.dut.rst.value = 0

    async def drop_input(self) -> None:
        """Forget what a job has left of its sequence."""
        await FallingEdge(self.dut.clk)
        self._forget(self._i)

    async def load(self, words: np.ndarray) -> None:
        """Load memory words, as `Image.load_words` gives them."""
        self.offer_load(words)
        await self.until(lambda: not self._load.queue, load_limit(len(words), gaps=self.given.gaps))

    def offer_load(self, words: np.ndarray) -> None:
        """Queue memory words."""
        self._load.queue.extend(load_payloads(words).tolist())

    def start(self, steps: int, *, fresh: bool = True) -> None:
        """Queue a job."""
        payload = {
            "steps": steps,
            "fresh": int(fresh),
            "skip": int(self.given.skip[0]),
            "threshold": self.given.threshold,
        }
        self._job.queue.append(JOB.const(payload).as_bits())

    def send(self, x: np.ndarray) -> None:
        """Queue a sequence, int array of elements in order."""
        self._i.queue.extend(input_payloads(x, self.given.loaded.config.activation_bits).tolist())

    def take_results(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Take the next results: data (int64) and `last` marks."""
        taken, self.results = self.results[:count], self.results[count:]
        views = [RESULT.from_bits(word) for word in taken]
        data = np.array([view["data"] for view in views], dtype=np.int64)
        return data, np.array([view["last"] for view in views], dtype=bool)

    def all_sent(self) -> bool:
        """Whether every element of every queued sequence has been taken."""
        return not self._i.queue

    def busy(self) -> bool:
        """Whether a job runs."""
        return bool(self._get("busy"))

    def error(self) -> ErrorCode:
        """The error port."""
        return ErrorCode(self._get("error"))

    def counters(self) -> dict[str, int]:
        """The counters of the latest job."""
        values = COUNTERS.from_bits(self._get("counters"))
        return {name: int(values[name]) for name, _ in COUNTERS}

    def _offer(self, source: Source) -> None:
        # Once offered, a payload stays until it is taken.
        if not source.valid and source.queue and self.random.random() >= self.given.gaps:
            source.valid = True
            getattr(self.dut, f"{source.name}_payload").value = source.queue[0]
        getattr(self.dut, f"{source.name}_valid").value = int(source.valid)

    def _forget(self, source: Source) -> None:
        source.queue.clear()
        source.valid = False
        getattr(self.dut, f"{source.name}_valid").value = 0

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
