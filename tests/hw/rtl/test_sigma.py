import random

import pytest
from simulation import Simulation

from gatewright.hw.rtl.sigma import Sigma
from gatewright.sw.numbers import STATE, sigmoid, tanh


@pytest.mark.parametrize("reference", [sigmoid, tanh])
def test_equals_reference_on_every_input_at_full_rate(reference):
    values = list(range(STATE.min, STATE.max + 1))
    random.Random(1).shuffle(values)
    dut = Sigma(tanh=reference is tanh)
    simulation = Simulation(dut, limit=2 * len(values))
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
