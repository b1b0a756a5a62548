import random

import pytest
from simulation import Simulation

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl.balance import ZeroBalance
from gatewright.hw.rtl.stages import COUNTED, STORE
from gatewright.hw.skipping import WHOLE

LATE = COUNTED - STORE
"""Cycles from a write, as the memory tells it, to the balance that counts it."""


@pytest.mark.parametrize(("lanes", "cells"), [(8, 1), (16, 2), (32, 8)])
@pytest.mark.parametrize("threshold", [0, 1, 100, 255])
def test_steps_follow_the_zeros_of_the_step_before(lanes, cells, threshold):
    rng = random.Random(threshold)
    dut = ZeroBalance(
        AcceleratorConfig(lanes=lanes, cell_lanes=cells, activation_depth=16 * lanes, auto_skipping=1)
    )
    simulation = Simulation(dut, limit=3000)
    seen, expected = [], []

    async def testbench(ctx):
        assert ctx.get(dut.sparse) == 1
        ctx.set(dut.start, 1)
        ctx.set(dut.fresh, 1)
        ctx.set(dut.threshold, threshold)
        await ctx.tick()
        ctx.set(dut.start, 0)
        ctx.set(dut.threshold, rng.randrange(256))
        shares, begin = [], 0
        for cycle in range(2000):
            written, zero = rng.randrange(1 << cells), rng.randrange(1 << cells)
            if rng.random() < 0.3:
                zero = 0
            step = rng.random() < 0.02
            shares.append(
                WHOLE * (written & zero).bit_count() - threshold * written.bit_count(),
            )
            ctx.set(dut.written, written)
            ctx.set(dut.zero, zero)
            ctx.set(dut.step, step)
            await ctx.tick()
            if step:
                end = max(0, cycle - LATE + 1)
                expected.append(sum(shares[begin:end]) >= 0)
                seen.append(bool(ctx.get(dut.sparse)))
                begin = end

    simulation.add(testbench)
    simulation.run()
    assert seen == expected
    assert len(seen) > 20
    assert threshold in (0, 255) or len(set(seen)) == 2


def test_a_fresh_sequence_begins_with_skipping_and_others_go_on():
    dut = ZeroBalance(AcceleratorConfig(lanes=8, cell_lanes=1, auto_skipping=1))
    simulation = Simulation(dut)

    async def testbench(ctx):
        async def cycle(**values):
            for name in ("written", "zero", "start", "fresh", "step"):
                ctx.set(getattr(dut, name), values.get(name, 0))
            await ctx.tick()

        ctx.set(dut.threshold, 128)
        await cycle(start=1, fresh=1)
        await cycle(written=1)
        for _ in range(LATE):
            await cycle()
        await cycle(step=1)
        assert ctx.get(dut.sparse) == 0
        await cycle(start=1, fresh=0)
        assert ctx.get(dut.sparse) == 0
        await cycle(start=1, fresh=1)
        assert ctx.get(dut.sparse) == 1

    simulation.add(testbench)
    simulation.run()


@pytest.mark.parametrize(("zero", "threshold"), [(1, 0), (0, 255)])
def test_the_fullest_step_leaves_the_sign_as_it_is(zero, threshold):
    """Almost twice what the memory holds, all zero or none, where the depth is just below a power of two."""
    config = AcceleratorConfig(lanes=8, cell_lanes=1, activation_depth=120, auto_skipping=1)
    dut = ZeroBalance(config)
    simulation = Simulation(dut)

    async def testbench(ctx):
        ctx.set(dut.threshold, threshold)
        ctx.set(dut.start, 1)
        ctx.set(dut.fresh, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        ctx.set(dut.written, 1)
        ctx.set(dut.zero, zero)
        await ctx.tick().repeat(2 * config.activation_depth - 1)
        ctx.set(dut.written, 0)
        await ctx.tick().repeat(LATE)
        ctx.set(dut.step, 1)
        await ctx.tick()
        assert ctx.get(dut.sparse) == zero

    simulation.add(testbench)
    simulation.run()
