import random

import pytest
from simulation import Simulation

from gatewright.hw.rtl.sigma import Sigma
from gatewright.sw.numbers import STATE, sigmoid, tanh
from gatewright.sw.numbers.sigma import OFFSET_BITS


@pytest.mark.parametrize("reference", [sigmoid, tanh])
def test_equals_reference_at_full_rate(reference):
    chord = 1 << OFFSET_BITS
    nodes = [k + d for k in range(STATE.min, STATE.max + 1, chord) for d in (-1, 0, 1, chord // 2)]
    rng = random.Random(1)
    values = [STATE.saturate(v) for v in nodes] + rng.sample(range(STATE.min, STATE.max + 1), 2000)
    values += [STATE.min, STATE.max, 0]

    dut = Sigma(tanh=reference is tanh)
    simulation = Simulation(dut)
    got = []

    async def testbench(ctx):
        for value in values + [0] * Sigma.LATENCY:
            ctx.set(dut.i, value)
            _, _, o = await ctx.tick().sample(dut.o)
            got.append(o)

    simulation.add(testbench)
    simulation.run()
    wrong = [
        f"{v}: expected {reference(v)}, got {o}"
        for v, o in zip(values, got[Sigma.LATENCY :], strict=True)
        if o != reference(v)
    ]
    assert not wrong, f"{len(wrong)} of {len(values)}: {wrong[:5]}"
