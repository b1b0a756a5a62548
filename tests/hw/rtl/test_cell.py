import random

import pytest
from cell_units import decisive_units, expected, extreme_units, random_units, rounding, small_units
from simulation import Simulation

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl.cell import CellLane, CellUnit
from gatewright.sw.numbers import hidden_format


@pytest.mark.parametrize("activation_bits", [8, 16])
def test_lane_equals_reference_at_full_rate(activation_bits):
    hidden = hidden_format(activation_bits)
    units = random_units(1, 1000) + small_units(2, 500) + decisive_units(3, 500) + extreme_units()
    dut = CellLane(hidden)
    simulation = Simulation(dut)
    got_h, got_c = [], []

    async def testbench(ctx):
        idle = ([0] * 4, 0, 0)
        stream = units + [idle] * CellLane.LATENCY
        late = [idle] * CellLane.GATES_LATENCY + stream
        for (accumulators, shift, _), (_, _, state) in zip(stream, late, strict=False):
            ctx.set(dut.accumulators, [a + rounding(shift) for a in accumulators])
            ctx.set(dut.shift, shift)
            ctx.set(dut.state, state)
            _, _, h, c = await ctx.tick().sample(dut.h, dut.c)
            got_h.append(h)
            got_c.append(c)

    simulation.add(testbench)
    simulation.run()
    results = zip(got_h[CellLane.LATENCY :], got_c[CellLane.STATE_LATENCY :], strict=False)
    wrong = [
        f"{unit}: expected {tuple(expected(unit, hidden))}, got {result}"
        for unit, result in zip(units, results, strict=True)
        if expected(unit, hidden) != result
    ]
    assert not wrong, f"{len(wrong)} of {len(units)}: {wrong[:5]}"


def test_unit_keeps_states_from_op_to_op_and_forgets_them_when_fresh():
    config = AcceleratorConfig(lanes=8, cell_lanes=2, state_depth=8, activation_depth=32)
    rng = random.Random(3)
    dut = CellUnit(config)
    simulation = Simulation(dut)
    hidden, fed = [], []

    async def monitor(ctx):
        async for _, _, word in ctx.tick().sample(dut.hidden):
            hidden.append(list(word))

    async def testbench(ctx):
        async def tick():
            fed.append(ctx.get(dut.valid))
            await ctx.tick()

        states, sent = [0] * 6, []
        for first in (1, 0, 0, 1):
            ctx.set(dut.op, {"groups": 3, "state_base": 4, "destination": 10, "shift": 2})
            ctx.set(dut.first, first)
            ctx.set(dut.start, 1)
            await tick()
            ctx.set(dut.start, 0)
            units = [([rng.randint(-8000, 8000) for _ in range(4)], 2, 0 if first else c) for c in states]
            for group in range(3):
                one, other = units[2 * group : 2 * group + 2]
                ctx.set(dut.accumulators, [a + rounding(2) for a in one[0] + other[0]])
                ctx.set(dut.valid, 1)
                await tick()
                ctx.set(dut.valid, 0)
                if group == 1:
                    await tick()
            for _ in range(CellLane.LATENCY):
                await tick()
            results = [expected(unit, config.hidden_format) for unit in units]
            sent += [[one.h, other.h] for one, other in zip(results[::2], results[1::2], strict=True)]
            states = [result.c for result in results]
        assert [hidden[t + CellLane.LATENCY] for t, valid in enumerate(fed) if valid] == sent

    simulation.add(monitor, background=True)
    simulation.add(testbench)
    simulation.run()
