import random

import pytest
from amaranth.hdl import Module, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2
from simulation import Simulation

from gatewright.hw.rtl.reduction import add_pairs

BITS = 24


class Pairs(wiring.Component):
    """`add_pairs` by itself."""

    def __init__(self, inputs, outputs):
        self.inputs, self.outputs = inputs, outputs
        super().__init__(
            {
                "values": In(data.ArrayLayout(signed(BITS), inputs)),
                "results": Out(data.ArrayLayout(signed(BITS), outputs)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        for result, value in zip(self.results, add_pairs(m, list(self.values), self.outputs), strict=True):
            m.d.comb += result.eq(value)
        return m


@pytest.mark.parametrize(("inputs", "outputs"), [(16, 2), (32, 8), (8, 1)])
def test_adds_one_array_a_cycle(inputs, outputs):
    rng = random.Random(inputs)
    low = -(1 << BITS - 1)
    arrays = [[rng.randint(low, -low - 1) for _ in range(inputs)] for _ in range(40)]
    latency = exact_log2(inputs // outputs)
    dut = Pairs(inputs, outputs)
    simulation = Simulation(dut)
    got = []

    async def testbench(ctx):
        for values in [*arrays, *latency * [[0] * inputs]]:
            ctx.set(dut.values, values)
            _, _, results = await ctx.tick().sample(dut.results)
            got.append(list(results))

    simulation.add(testbench)
    simulation.run()
    for values, results in zip(arrays, got[latency:], strict=True):
        sums = [sum(values[k::outputs]) for k in range(outputs)]
        assert results == [(total - low) % (1 << BITS) + low for total in sums]
