"""The SPI peripheral under a controller whose clock knows nothing of the peripheral's, and the bridge behind it."""

import random

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from bridge_rig import Bridged
from simulation import Simulation

from gatewright.host import frames
from gatewright.host.frames import HELLO, Answer
from gatewright.hw.bridge.line import LineKind
from gatewright.hw.bridge.protocol import END, VERSION, WORDS, Status
from gatewright.hw.bridge.spi import LEAST_CYCLES, SpiPeripheral
from gatewright.hw.rtl.axi_registers import REGISTERS
from gatewright.hw.rtl.stream import connect

CYCLE = 1e-6
STEPS = REGISTERS["STEPS"].offset
READ = frames.operation(write=False, increment=False)
WRITE = frames.operation(write=True, increment=False)


class Controller:
    """Transfers bytes with a clock of its own: cycles of a bit and when it begins are any numbers."""

    def __init__(self, pins, cycles=LEAST_CYCLES, phase=0.0):
        self.pins, self.half, self.phase = pins, cycles / 2 * CYCLE, phase * CYCLE

    async def transfer(self, ctx, sent, bits=None):
        """Give what comes back; `bits` is how many are clocked before select ends the transfer."""
        bits = 8 * len(sent) if bits is None else bits
        await ctx.delay(self.phase + 2 * self.half)
        ctx.set(self.pins.select_n, 0)
        found = []
        for number in range(bits):
            ctx.set(self.pins.copi, sent[number // 8] >> 7 - number % 8 & 1)
            # The peripheral's outputs have a whole cycle to reach the controller.
            await ctx.delay(self.half - CYCLE)
            early = ctx.get(self.pins.cipo)
            await ctx.delay(CYCLE)
            found.append(ctx.get(self.pins.cipo))
            assert found[-1] == early
            ctx.set(self.pins.sck, 1)
            await ctx.delay(self.half)
            assert ctx.get(self.pins.cipo) == early
            ctx.set(self.pins.sck, 0)
        await ctx.delay(self.half)
        ctx.set(self.pins.select_n, 1)
        whole = [found[k : k + 8] for k in range(0, len(found) - 7, 8)]
        return bytes(sum(bit << 7 - k for k, bit in enumerate(byte)) for byte in whole)


class Rig:
    """A peripheral with bytes to send, and what it received."""

    def __init__(self, to_send=(), gaps=None):
        self.dut = SpiPeripheral()
        self.simulation = Simulation(self.dut)
        self.received = []
        self.taken = 0
        self._to_send, self._gaps = to_send, random.Random(gaps) if gaps is not None else None
        self.simulation.add(self._source, background=True)
        self.simulation.add(self._watch, background=True)

    def run(self, testbench):
        self.simulation.add(testbench)
        self.simulation.run()

    async def _source(self, ctx):
        i = self.dut.i
        for value in self._to_send:
            while self._gaps is not None and self._gaps.random() < 0.99:
                await ctx.tick()
            ctx.set(i.payload, value)
            ctx.set(i.valid, 1)
            await ctx.tick().until(i.ready)
            ctx.set(i.valid, 0)
            self.taken += 1

    async def _watch(self, ctx):
        async for _, _, strobe, data in ctx.tick().sample(self.dut.strobe, self.dut.data):
            if strobe:
                self.received.append(data)


@pytest.mark.parametrize("cycles", [LEAST_CYCLES, LEAST_CYCLES + 0.37, 2.6 * LEAST_CYCLES])
@pytest.mark.parametrize("phase", [0.0, 0.01, 0.5, 0.83])
def test_bytes_go_both_ways_at_once(cycles, phase):
    sent, back = bytes([0x00, 0xFF, 0xA5, 0x01, 0x80, 0x5A]), bytes([0x81, 0x00, 0xFF, 0x3C, 0x55, 0x01])
    rig = Rig(back)
    controller = Controller(rig.dut, cycles, phase)

    async def testbench(ctx):
        ctx.set(rig.dut.select_n, 1)
        # Both within a transfer and over several of them; the first is offered before the first transfer.
        found = await controller.transfer(ctx, sent[:4])
        found += await controller.transfer(ctx, sent[4:5])
        found += await controller.transfer(ctx, sent[5:])
        assert found == back
        await ctx.tick().repeat(4)
        assert bytes(rig.received) == sent

    rig.run(testbench)


def test_a_clock_that_is_too_fast_would_be_noticed_here():
    """At 5 cycles of a bit cipo comes too late for what the controller needs: the bound is one of the hardware."""
    rig = Rig([0x55])
    controller = Controller(rig.dut, 5, 0.1)

    async def testbench(ctx):
        ctx.set(rig.dut.select_n, 1)
        with pytest.raises(AssertionError):
            await controller.transfer(ctx, bytes(2))

    rig.run(testbench)


def test_with_nothing_to_send_it_sends_ends():
    rig = Rig()
    controller = Controller(rig.dut)

    async def testbench(ctx):
        ctx.set(rig.dut.select_n, 1)
        for count in (1, 3):
            assert await controller.transfer(ctx, bytes(count)) == bytes([END] * count)

    rig.run(testbench)


@pytest.mark.parametrize("bits", range(1, 8))
def test_select_drops_what_is_unfinished_and_sends_again(bits):
    back = bytes([0x12, 0x34, 0x56])
    rig = Rig(back)
    controller = Controller(rig.dut, phase=0.3)

    async def testbench(ctx):
        ctx.set(rig.dut.select_n, 1)
        assert await controller.transfer(ctx, b"\xaa\xff", bits=8 + bits) == back[:1]
        assert await controller.transfer(ctx, b"\x42\x43\x44") == back[1:] + bytes([END])
        await ctx.tick().repeat(4)
        assert bytes(rig.received) == b"\xaa\x42\x43\x44"

    rig.run(testbench)


def test_other_devices_may_use_the_bus():
    """Edges of sck mean nothing without select."""
    rig = Rig([0x5A])
    controller = Controller(rig.dut)

    async def testbench(ctx):
        ctx.set(rig.dut.select_n, 1)
        for level in (1, 0) * 11:
            ctx.set(rig.dut.sck, level)
            await ctx.tick().repeat(LEAST_CYCLES // 2)
        assert rig.received == []
        assert await controller.transfer(ctx, b"\x77\x78") == bytes([0x5A, END])

    rig.run(testbench)


@pytest.mark.parametrize("seed", range(4))
def test_no_byte_is_lost_or_doubled(seed):
    """Transfers of any lengths, some cut within a byte; bytes are offered at any times, with ENDs between them."""
    rng = random.Random(seed)
    back = bytes(rng.choice([value for value in range(256) if value != END]) for _ in range(20))
    rig = Rig(back, gaps=seed)
    controller = Controller(rig.dut, LEAST_CYCLES + rng.random(), rng.random())
    sent = []

    async def testbench(ctx):
        ctx.set(rig.dut.select_n, 1)
        found = b""
        while len(found.replace(bytes([END]), b"")) < len(back):
            some = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 4)))
            bits = rng.randrange(1, 8 * len(some) + 1)
            sent.extend(some[: bits // 8])
            found += await controller.transfer(ctx, some, bits)
        assert found.replace(bytes([END]), b"") == back
        await ctx.tick().repeat(4)
        assert rig.received == sent

    rig.run(testbench)


class Board(wiring.Component):
    """A bridge and registers behind SPI."""

    def __init__(self):
        self.bridged = Bridged()
        super().__init__({name: In(1) for name in LineKind.SPI.inputs} | {"cipo": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.bridged = bridged = self.bridged
        m.submodules.peripheral = peripheral = SpiPeripheral()
        connect(m, bridged.o, peripheral.i)
        m.d.comb += [getattr(peripheral, name).eq(getattr(self, name)) for name in LineKind.SPI.inputs]
        m.d.comb += [
            self.cipo.eq(peripheral.cipo),
            bridged.data.eq(peripheral.data),
            bridged.strobe.eq(peripheral.strobe),
        ]
        return m


def answers(found):
    """The answers among bytes that came back; empty frames mean nothing."""
    return [frames.answer(part) for part in found.split(bytes([END])) if part]


def test_a_bridge_answers_at_the_fastest_clock_and_ends_are_harmless():
    dut = Board()
    simulation = Simulation(dut, limit=60_000)
    controller = Controller(dut, LEAST_CYCLES, 0.4)
    idle = bytes([END] * 40)

    async def testbench(ctx):
        ctx.set(dut.select_n, 1)
        hello = Answer(1, HELLO, Status.OKAY, 1, [VERSION | WORDS << 8])
        # The answer begins in the transfer of the request; there are ENDs before it, in it and after it.
        found = await controller.transfer(ctx, idle[:3] + frames.request(1, HELLO, 0, 0) + idle[:9])
        assert answers(found + await controller.transfer(ctx, idle)) == [hello]
        write = frames.request(2, WRITE, STEPS, 1, [0x00DBC0])
        # Select cuts a request within a byte: it comes to nothing, and the repeat is carried out.
        await controller.transfer(ctx, write, bits=8 * len(write) - 12)
        assert answers(await controller.transfer(ctx, idle[:20])) == []
        assert answers(await controller.transfer(ctx, write + idle)) == [Answer(2, WRITE, Status.OKAY, 1, [])]
        # An answer that is cut within a byte goes on in the next transfer.
        found = await controller.transfer(ctx, frames.request(3, READ, STEPS, 2) + idle, bits=8 * 14 + 3)
        found += await controller.transfer(ctx, idle)
        assert answers(found) == [Answer(3, READ, Status.OKAY, 2, [0x00DBC0] * 2)]

    simulation.add(testbench)
    simulation.run()
