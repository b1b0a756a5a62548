import itertools
import random

import pytest
from simulation import Simulation

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl.cell import CellLane, CellUnit
from gatewright.sw.numbers import ACCUMULATOR, GATE, STATE, hidden_format, round_shift, sigmoid, tanh
from gatewright.sw.numbers.reference import PRODUCT_SHIFT, cell, requantise


def rounding(shift):
    """Give what the stored bias holds besides the bias."""
    return (1 << shift) >> 1


def expected(unit, hidden):
    accumulators, shift, state = unit
    return cell(*(requantise(a, shift, STATE) for a in accumulators), state, hidden)


def random_units(seed, count):
    """Units of every scale: mostly around the range of `STATE`, often at ties, sometimes at the extremes."""
    rng = random.Random(seed)

    def accumulator(shift):
        kind = rng.random()
        highest = ACCUMULATOR.max - rounding(shift)
        if kind < 0.1:
            return rng.choice([ACCUMULATOR.min, highest, 0, -1])
        value = rng.randint(STATE.min - 100, STATE.max + 100)
        low = rounding(shift) if kind < 0.4 else rng.randrange(1 << shift)
        return max(ACCUMULATOR.min, min(highest, (value << shift) + low))

    units = []
    for _ in range(count):
        shift = rng.choice([0, 1, 3, 7, 12, 16, 31, rng.randrange(32)])
        state = rng.choice([STATE.min, STATE.max, 0, rng.randint(STATE.min, STATE.max)])
        units.append(([accumulator(shift) for _ in range(4)], shift, state))
    return units


def small_units(seed, count):
    """Units near zero, where c and h are small and each rounding shows in the last bit."""
    rng = random.Random(seed)
    return [([rng.randint(-6000, 6000) for _ in range(4)], 0, rng.randint(-3000, 3000)) for _ in range(count)]


def decisive_units(seed, count):
    """Units where c turns on the last bit of i·g rounded to the scale of f·c, up or down."""
    rng = random.Random(seed)
    modulus = 1 << GATE.frac
    units = []
    while len(units) < count:
        i, f, g, o = (rng.randint(-5000, 5000) for _ in range(4))
        forget = sigmoid(f)
        if forget % 2:
            added = round_shift(sigmoid(i) * tanh(g), PRODUCT_SHIFT)
            boundary = rng.choice([0, -1]) - added - modulus // 2
            state = boundary * pow(forget, -1, modulus) % modulus
            units.append(([i, f, g, o], 0, rng.choice([state, state - modulus])))
    return units


def extreme_units():
    """Every combination of extreme pre-activations and states: the largest totals in both directions."""
    ends = [ACCUMULATOR.min, ACCUMULATOR.max]
    return [
        (list(accumulators), 0, state)
        for accumulators in itertools.product(ends, repeat=4)
        for state in (STATE.min, STATE.max, 0)
    ]


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
