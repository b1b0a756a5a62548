import random

import pytest
from amaranth.hdl import Elaboratable, Module
from simulation import Simulation

from gatewright.hw.rtl.sigma import Sigma
from gatewright.sw.numbers import ACCUMULATOR, STATE, sigmoid, tanh


class Beside(Elaboratable):
    """Units in one simulation, which costs less than one for each."""

    def __init__(self, units):
        self.units = units

    def elaborate(self, platform):
        m = Module()
        m.submodules += self.units
        return m


def check(width, values):
    """Hold units against the reference: σ and tanh, the function fixed and chosen by a member.

    Of two values one has a carry, and where the function is chosen the other.
    """
    kinds = [(reference, chosen) for reference in (sigmoid, tanh) for chosen in (False, True)]
    units = [Sigma(width, tanh=None if chosen else reference is tanh) for reference, chosen in kinds]
    simulation = Simulation(Beside(units), limit=2 * len(values))
    got = []

    async def testbench(ctx):
        for unit, (reference, chosen) in zip(units, kinds, strict=True):
            if chosen:
                ctx.set(unit.tanh, reference is tanh)
        for number, value in enumerate(values + [0] * Sigma.LATENCY):
            for unit, (_, chosen) in zip(units, kinds, strict=True):
                carry = (number + chosen) % 2 and value > -(1 << width - 1)
                ctx.set(unit.carry, carry)
                ctx.set(unit.i, value - carry)
            _, _, *results = await ctx.tick().sample(*(unit.o for unit in units))
            got.append(results)

    simulation.add(testbench)
    simulation.run()
    for (reference, chosen), results in zip(kinds, zip(*got, strict=True), strict=True):
        expected = [reference(STATE.saturate(value)) for value in values]
        wrong = [
            f"{v}: expected {e}, got {o}"
            for v, e, o in zip(values, expected, results[Sigma.LATENCY :], strict=True)
            if o != e
        ]
        what = f"{reference.__name__}, {'chosen' if chosen else 'fixed'}"
        assert not wrong, f"{what}: {len(wrong)} of {len(values)}: {wrong[:5]}"


@pytest.mark.slow
def test_equals_reference_on_every_input_at_full_rate():
    values = list(range(STATE.min, STATE.max + 1))
    random.Random(1).shuffle(values)
    check(ACCUMULATOR.bits, values)


@pytest.mark.parametrize("width", [STATE.bits, STATE.bits + 2, ACCUMULATOR.bits])
def test_saturates_what_is_wider(width):
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
    check(width, values)
