import random

import pytest
from simulation import Simulation

from gatewright.hw.rtl.sigma import Sigma
from gatewright.sw.numbers import ACCUMULATOR, STATE, sigmoid, tanh


def check(width, reference, values, *, chosen=False):
    """Hold a unit against the reference; with and without a carry in turn. `chosen`: its function is, by a member."""
    dut = Sigma(width, tanh=None if chosen else reference is tanh)
    simulation = Simulation(dut, limit=2 * len(values))
    got = []

    async def testbench(ctx):
        if chosen:
            ctx.set(dut.tanh, reference is tanh)
        for number, value in enumerate(values + [0] * Sigma.LATENCY):
            carry = number % 2 and value > -(1 << width - 1)
            ctx.set(dut.carry, carry)
            ctx.set(dut.i, value - carry)
            _, _, o = await ctx.tick().sample(dut.o)
            got.append(o)

    simulation.add(testbench)
    simulation.run()
    expected = [reference(STATE.saturate(value)) for value in values]
    wrong = [
        f"{v}: expected {e}, got {o}"
        for v, e, o in zip(values, expected, got[Sigma.LATENCY :], strict=True)
        if o != e
    ]
    assert not wrong, f"{len(wrong)} of {len(values)}: {wrong[:5]}"


@pytest.mark.parametrize("reference", [sigmoid, tanh])
def test_equals_reference_on_every_input_at_full_rate(reference):
    values = list(range(STATE.min, STATE.max + 1))
    random.Random(1).shuffle(values)
    check(ACCUMULATOR.bits, reference, values)
    check(ACCUMULATOR.bits, reference, values[1:], chosen=True)


@pytest.mark.parametrize("reference", [sigmoid, tanh])
@pytest.mark.parametrize("width", [STATE.bits, STATE.bits + 2, ACCUMULATOR.bits])
def test_saturates_what_is_wider(width, reference):
    rng = random.Random(2)
    around = range(-300, 300)
    powers = [sign << bit for bit in range(width - 1) for sign in (1, -1)]
    extremes = [-(1 << (width - 1)), (1 << (width - 1)) - 1]
    values = [
        value
        for centre in [0, *powers, *extremes]
        for value in {centre + rng.choice(around), centre - 1, centre, centre + 1}
        if extremes[0] <= value <= extremes[1]
    ]
    check(width, reference, values)
