import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from simulation import Simulation

from gatewright.hw.rtl.pipeline import SHIFT_LATENCY, abridge, delay, saturate, shift_right
from gatewright.sw.numbers import Fixed

TARGET = Fixed(5, 0)


class Example(wiring.Component):
    def __init__(self):
        super().__init__(
            {"i": In(signed(8)), "delayed": Out(signed(8)), "saturated": Out(signed(TARGET.bits))}
        )

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [self.delayed.eq(delay(m, self.i, 3)), self.saturated.eq(saturate(self.i, TARGET))]
        return m


def test_delay_and_saturate_over_all_values():
    dut = Example()
    simulation = Simulation(dut)
    values = list(range(-128, 128))

    async def testbench(ctx):
        for cycle, value in enumerate(values):
            ctx.set(dut.i, value)
            assert ctx.get(dut.saturated) == TARGET.saturate(value)
            assert ctx.get(dut.delayed) == (values[cycle - 3] if cycle >= 3 else 0)
            await ctx.tick()

    simulation.add(testbench)
    simulation.run()


class Shift(wiring.Component):
    def __init__(self, width):
        super().__init__({"i": In(signed(width)), "shift": In(5), "o": Out(signed(TARGET.bits + 1))})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.eq(shift_right(m, self.i, self.shift, TARGET.bits, "o"))
        return m


@pytest.mark.parametrize("width", [32, 33])
def test_shift_right_saturates_like_the_whole_and_keeps_what_fits(width):
    """At full rate: every shift, around each end of the range and at the ends of the input."""
    ends = (-(1 << width - 1), (1 << width - 1) - 1)
    around = [TARGET.min, TARGET.max + 1, 2 * TARGET.min, 2 * TARGET.max + 2, 0]
    cases = [
        (value, shift)
        for shift in range(32)
        for value in (*ends, *((edge << shift) + delta for edge in around for delta in (-1, 0, 1)))
        if ends[0] <= value <= ends[1]
    ]
    dut = Shift(width)
    simulation = Simulation(dut)

    async def testbench(ctx):
        for cycle in range(len(cases) + SHIFT_LATENCY):
            value, shift = cases[min(cycle, len(cases) - 1)]
            ctx.set(dut.i, value)
            ctx.set(dut.shift, shift)
            if cycle >= SHIFT_LATENCY:
                value, shift = cases[cycle - SHIFT_LATENCY]
                exact, found = value >> shift, ctx.get(dut.o)
                assert TARGET.saturate(found) == TARGET.saturate(exact), (value, shift)
                assert found == exact or not TARGET.min <= exact <= TARGET.max, (value, shift)
            await ctx.tick()

    simulation.add(testbench)
    simulation.run()


@pytest.mark.parametrize("width", [3, 5, 6, 9])
def test_what_is_narrower_than_asked_for_is_kept(width):
    value = Signal(signed(width))
    short = abridge(value, TARGET.bits)
    assert short.shape() == signed(TARGET.bits + 1)
    m = Module()
    o = Signal(signed(TARGET.bits))
    m.d.comb += o.eq(saturate(short, TARGET))
    simulator = Simulator(m)

    async def testbench(ctx):
        for each in range(-(1 << width - 1), 1 << width - 1):
            ctx.set(value, each)
            assert ctx.get(o) == TARGET.saturate(each)

    simulator.add_testbench(testbench)
    simulator.run()
