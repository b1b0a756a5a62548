"""Drives the AXI ports with the bus models of `cocotbext-axi` and watches that no offer is taken back."""

import logging
import random
from collections.abc import Iterator
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiStreamBus, AxiStreamSink, AxiStreamSource

from gatewright.cosim.testbenches.recordings import Recordings
from gatewright.hw.interface import JOB
from gatewright.hw.rtl.axi_registers import CONTROL_FIELDS, REGISTERS, STATUS_FIELDS, WORD_BYTES, Response
from gatewright.hw.skipping import Skip

_RESET_CYCLES = 3
_OFFERS = {"s_axi_b": ["resp"], "s_axi_r": ["data", "resp"], "m_axis_t": ["data", "last"]}
"""Payloads of the channels out of the accelerator, by the prefix of their signals."""


class AxiDriver:
    """The three ports of one accelerator.

    Parameters
    ----------
    dut
        Handle of the top module.
    given : Recordings
        Rates and seed of gaps (channels into the accelerator) and stalls (out of it).
    """

    def __init__(self, dut: Any, given: Recordings):
        self.dut = dut
        self._threshold = given.threshold
        self._random = random.Random(given.seed)
        # The bus models tell every transfer.
        dut._log.setLevel(logging.WARNING)
        dut.aresetn.value = 0
        ports = {"clock": dut.aclk, "reset": dut.aresetn, "reset_active_level": False}
        self._bus = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), **ports)
        self._source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), byte_lanes=1, **ports)
        self._sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), byte_lanes=1, **ports)
        write, read = self._bus.write_if, self._bus.read_if
        for rate, channels in (
            (given.gaps, (write.aw_channel, write.w_channel, read.ar_channel, self._source)),
            (given.stalls, (write.b_channel, read.r_channel, self._sink)),
        ):
            for channel in channels:
                channel.set_pause_generator(self._pauses(rate))
        for prefix, names in _OFFERS.items():
            cocotb.start_soon(self._watch_offers(prefix, names))

    async def reset(self) -> None:
        """Reset the accelerator and the bus models in the middle of whatever they do."""
        self.dut.aresetn.value = 0
        await ClockCycles(self.dut.aclk, _RESET_CYCLES)
        self._source.clear()
        self._sink.clear()
        self.dut.aresetn.value = 1
        await self.until_idle()

    async def write_at(self, address: int, data: bytes) -> Response:
        """Write bytes and give the response; less than a word is a partial write."""
        return Response((await self._bus.write(address, data)).resp)

    async def read_at(self, address: int) -> tuple[int, Response]:
        """Read a word and give it and the response."""
        answer = await self._bus.read(address, WORD_BYTES)
        return int.from_bytes(answer.data, "little"), Response(answer.resp)

    async def write(self, register: str, value: int) -> Response:
        """Write a register by name."""
        return await self.write_at(REGISTERS[register].offset, int(value).to_bytes(WORD_BYTES, "little"))

    async def read(self, register: str) -> int:
        """Read a register by name."""
        value, response = await self.read_at(REGISTERS[register].offset)
        assert response == Response.OKAY, f"{register} answers {response.name}"
        return value

    async def status(self) -> Any:
        """Give the status register, with its fields."""
        return STATUS_FIELDS.from_bits(await self.read("STATUS"))

    async def control(self, **commands: int) -> Response:
        """Give commands."""
        return await self.write("CONTROL", CONTROL_FIELDS.const(commands).as_bits())

    async def start(self, steps: int, *, skip: Skip = Skip.NEVER) -> Response:
        """Ask for a job from a fresh state."""
        assert steps < 1 << JOB["steps"].width
        assert await self.write("STEPS", steps) == Response.OKAY
        assert await self.write("THRESHOLD", self._threshold) == Response.OKAY
        return await self.control(start=1, fresh=1, skip=int(skip))

    async def until_idle(self) -> None:
        """Wait until a job would be accepted."""
        while not (await self.status()).idle:
            pass

    async def load(self, words: np.ndarray) -> None:
        """Load memory words, as `Image.load_words` gives them; the address is written where it does not count up.

        Then wait until a job would be accepted: the end of a new program is searched for first.
        """
        following = None
        for address, data in words.tolist():
            if address != following:
                assert await self.write("LOAD_ADDRESS", address) == Response.OKAY
            assert await self.write("LOAD_DATA", data) == Response.OKAY
            following = address + 1
        await self.until_idle()

    def send(self, x: np.ndarray) -> None:
        """Queue a sequence, int array of elements in order, with tlast on its last element."""
        mask = (1 << len(self.dut.s_axis_tdata)) - 1
        self._source.send_nowait((np.asarray(x).ravel() & mask).tolist())

    def all_sent(self) -> bool:
        """Whether every element of every queued sequence has been taken."""
        return self._source.idle()

    async def until_all_sent(self) -> None:
        """Wait for that."""
        await self._source.wait()
        await ClockCycles(self.dut.aclk, 2)

    async def take_results(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Take whole vectors of `count` results together: data (int64) and `last` marks."""
        data: list[int] = []
        last: list[bool] = []
        while len(data) < count:
            vector = (await self._sink.recv()).tdata
            data += vector
            last += [False] * (len(vector) - 1) + [True]
        return np.array(data, dtype=np.uint32).view(np.int32).astype(np.int64), np.array(last)

    def waiting_results(self) -> int:
        """Give the number of vectors that came and were not taken."""
        return self._sink.count()

    async def drop_results(self) -> None:
        """Throw away what came and still comes of a job that has ended."""
        while self.dut.m_axis_tvalid.value:
            await RisingEdge(self.dut.aclk)
        self._sink.clear()
        # The sink forgets a vector that began and got no end.
        self._sink.assert_reset()

    def _pauses(self, rate: float) -> Iterator[bool]:
        while True:
            yield self._random.random() < rate

    async def _watch_offers(self, prefix: str, names: list[str]) -> None:
        valid, ready, *payloads = (getattr(self.dut, prefix + name) for name in ("valid", "ready", *names))
        offered = None
        while True:
            await RisingEdge(self.dut.aclk)
            if not self.dut.aresetn.value:
                offered = None
                continue
            payload = [int(handle.value) for handle in payloads] if valid.value else None
            assert offered is None or payload == offered, f"{prefix} broke its offer"
            offered = None if ready.value else payload
