from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from simulation import Simulation

from gatewright.hw.rtl.pipeline import delay, saturate
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
