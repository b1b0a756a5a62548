import random

import pytest
from simulation import Simulation

from gatewright.hw.rtl.reduction import Fold
from gatewright.sw.numbers import ACCUMULATOR


def wrapped(value):
    return (value - ACCUMULATOR.min) % (1 << ACCUMULATOR.bits) + ACCUMULATOR.min


@pytest.mark.parametrize("add", [0, 1])
@pytest.mark.parametrize(("inputs", "selectable", "outputs"), [(16, 8, 2), (16, 4, 4), (8, 8, 1), (32, 8, 1)])
def test_adds_or_selects_one_array_a_cycle(inputs, selectable, outputs, add):
    rng = random.Random(inputs + selectable + outputs)
    arrays = [[rng.randint(ACCUMULATOR.min, ACCUMULATOR.max) for _ in range(inputs)] for _ in range(40)]
    selects = [rng.randrange(selectable // outputs) for _ in arrays]
    dut = Fold(inputs, selectable, outputs)
    simulation = Simulation(dut)
    got = []

    async def testbench(ctx):
        ctx.set(dut.add, add)
        padding = [(0, [0] * inputs)] * dut.latency
        for select, values in [*zip(selects, arrays, strict=True), *padding]:
            ctx.set(dut.select, select)
            ctx.set(dut.values, values)
            _, _, results = await ctx.tick().sample(dut.results)
            got.append(list(results))

    simulation.add(testbench)
    simulation.run()
    for select, values, results in zip(selects, arrays, got[dut.latency :], strict=True):
        length = outputs if add else selectable
        sums = [wrapped(sum(values[k::length])) for k in range(length)]
        assert results == (sums if add else sums[outputs * select : outputs * (select + 1)])
