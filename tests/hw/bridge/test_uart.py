import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from simulation import Simulation

from gatewright.hw.bridge.uart import UartReceiver, UartTransmitter

BYTES = [0x00, 0xFF, 0xA5, 0x01, 0x80, 0x5A]


class Loop(wiring.Component):
    """A transmitter whose line goes to a receiver."""

    def __init__(self, transmitting, receiving):
        self.divisors = transmitting, receiving
        self.transmitter, self.receiver = UartTransmitter(), UartReceiver()
        self.i = self.transmitter.i
        super().__init__({"broken": In(1), "data": Out(8), "strobe": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.transmitter, m.submodules.receiver = self.transmitter, self.receiver
        m.d.comb += [
            self.transmitter.divisor.eq(self.divisors[0]),
            self.receiver.divisor.eq(self.divisors[1]),
            self.receiver.rx.eq(self.transmitter.tx & ~self.broken),
            self.data.eq(self.receiver.data),
            self.strobe.eq(self.receiver.strobe),
        ]
        return m


def received(dut, simulation):
    found = []

    async def watch(ctx):
        async for _, _, strobe, data in ctx.tick().sample(dut.strobe, dut.data):
            if strobe:
                found.append(data)

    simulation.add(watch, background=True)
    return found


@pytest.mark.parametrize("gaps", [None, 1])
@pytest.mark.parametrize(("transmitting", "receiving"), [(4, 4), (5, 5), (16, 16), (40, 41), (41, 40)])
def test_bytes_arrive(transmitting, receiving, gaps):
    dut = Loop(transmitting, receiving)
    simulation = Simulation(dut)
    found = received(dut, simulation)
    simulation.source(dut.i, BYTES, gaps=gaps)

    async def end(ctx):
        while len(found) < len(BYTES):
            await ctx.tick()

    simulation.add(end)
    simulation.run()
    assert found == BYTES


def test_bytes_follow_each_other_without_a_pause():
    dut = UartTransmitter()
    simulation = Simulation(dut)
    simulation.source(dut.i, BYTES)
    line = []

    async def watch(ctx):
        ctx.set(dut.divisor, 4)
        async for _, _, tx in ctx.tick().sample(dut.tx):
            line.append(tx)
            if len(line) == 260:
                return

    simulation.add(watch)
    simulation.run()
    start = line.index(0)
    bits = line[start : start + 40 * len(BYTES)]
    wanted = [bit for byte in BYTES for bit in (0, *(byte >> k & 1 for k in range(8)), 1) for _ in range(4)]
    assert bits == wanted


def test_what_has_no_stop_bit_is_dropped_and_so_is_a_short_pulse():
    dut = Loop(16, 16)
    simulation = Simulation(dut)
    found = received(dut, simulation)

    async def testbench(ctx):
        for low, high in ((5, 40), (16 * 11, 40)):
            ctx.set(dut.broken, 1)
            await ctx.tick().repeat(low)
            ctx.set(dut.broken, 0)
            await ctx.tick().repeat(high)
        assert found == []
        ctx.set(dut.i.payload, 0x42)
        ctx.set(dut.i.valid, 1)
        await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)
        await ctx.tick().repeat(200)
        assert found == [0x42]

    simulation.add(testbench)
    simulation.run()
