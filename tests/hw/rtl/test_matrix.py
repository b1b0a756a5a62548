import itertools
import random

import numpy as np
import pytest
from matrix_rig import MatrixBench, matvec, random_op

from gatewright.hw.rtl.stages import DRAIN_ISSUE, FIRST_WORD, LEAD, OPERANDS, RETIRE, STORE, WRITE, WRITE_LEAD


@pytest.mark.parametrize(
    ("seed", "changes"),
    [
        (1, {}),
        (2, {"groups": 2}),
        (3, {"narrowest_weight": 4, "activation_bits": 16}),
        (4, {"narrowest_weight": 8, "groups": 2, "column_depth": 0}),
        (5, {"index_depth": 0, "column_depth": 0}),
        (6, {"activation_bits": 16, "lanes": 4, "accumulator_rows": 4}),
        (7, {"lanes": 4, "narrowest_weight": 4, "single_port": 1}),
        (8, {"lanes": 4, "narrowest_weight": 4, "baked": True}),
        (9, {"lanes": 4, "narrowest_weight": 8, "single_port": 1, "baked": True}),
    ],
)
def test_random_ops_leave_the_right_sums(seed, changes):
    bench = MatrixBench(seed, **changes)
    rng = random.Random(seed)
    ops = [random_op(rng, bench.config) for _ in range(25)]

    async def testbench(ctx):
        for op in ops:
            await bench.issue(ctx, op)
            if rng.random() < 0.2:
                await ctx.tick().repeat(rng.randrange(1, 30))
        await bench.finish(ctx)
        assert np.count_nonzero(bench.sums) > bench.sums.size / 4
        await bench.drain_all(ctx)

    bench.run(testbench)


@pytest.mark.parametrize(
    ("groups", "seed", "skip", "lead"),
    [(1, 1, 0, LEAD), (1, 2, 1, LEAD), (2, 3, 0, LEAD), (2, 4, 1, WRITE_LEAD), (1, 5, 0, WRITE_LEAD)],
)
def test_an_op_stays_behind_its_producer(groups, seed, skip, lead):
    """The producer announces as early as it may; what the memory held before would show in the sums.

    What it writes in a cycle can be read `STORE` + 1 cycles later.
    """
    bench = MatrixBench(seed, groups=groups)
    rng = random.Random(seed)
    count, cycles = 16, []
    while len(cycles) < count:
        cycles = [cycle for cycle in range(2, 60) if rng.random() < 0.5][:count]
    producer = bench.engine.drained if seed % 2 else bench.engine.input

    async def testbench(ctx):
        values = [rng.choice([0, 0, rng.randrange(-128, 128)]) for _ in range(count)]
        old = bench.activations[8 : 8 + count]
        bench.activations[8 : 8 + count] = values
        ops = [matvec(source=source, columns=count // groups, skip=skip) for source in (3, 1, 1)]
        ops.append(matvec(source=1, columns=2, private=1, skip=skip, split=1))
        for op in ops:
            bench.expect(op)
        bench.activations[8 : 8 + count] = old
        for cycle in range(cycles[-1] + 40 + WRITE):
            state = {
                "active": cycle <= cycles[-1],
                "vector": 1,
                "announced": sum(other < cycle + lead - STORE for other in cycles),
                "written": sum(other < cycle + WRITE_LEAD - STORE for other in cycles),
            }
            ctx.set(producer, state)
            ctx.set(bench.memory.element.valid, 0)
            if cycle in cycles:
                position = cycles.index(cycle)
                bench.write(ctx, 8 + position, values[position])
            ctx.set(bench.engine.ops.valid, bool(ops))
            if ops:
                ctx.set(bench.engine.ops.payload, ops[0])
            _, _, taken = await ctx.tick().sample(bench.engine.ops.ready)
            ops = ops[1:] if taken else ops
        assert ctx.get(bench.engine.idle)
        await bench.drain_all(ctx)

    bench.run(testbench)


def test_one_buffer_drains_while_the_other_accumulates():
    bench = MatrixBench(7)

    async def testbench(ctx):
        for buffer in (0, 1, 0, 1):
            op = matvec(columns=11, words=2, split=2, buffer=buffer, weight_base=3)
            await bench.issue(ctx, op)
            for row, lane in itertools.product(range(8), (0, 4)):
                # Not before the op that used this buffer before has ended, as a drain op that waited for it reads.
                while any(ctx.get(slot.active & (slot.buffer != buffer)) for slot in bench.engine.slots):
                    await ctx.tick()
                await ctx.tick().repeat(DRAIN_ISSUE)
                await bench.drain(ctx, 1 - buffer, row, lane, mask=4)
        await bench.finish(ctx)
        await bench.drain_all(ctx)

    bench.run(testbench)


def test_clear_all_clears_one_row_of_both_buffers():
    bench = MatrixBench(8)

    async def testbench(ctx):
        for buffer in range(2):
            await bench.issue(ctx, matvec(columns=11, words=2, split=2, buffer=buffer))
        await bench.finish(ctx)
        assert bench.sums[:, :, 5].all(axis=0).any()
        ctx.set(bench.engine.drain.row, 5)
        ctx.set(bench.engine.drain.clear_all, 1)
        await ctx.tick()
        ctx.set(bench.engine.drain.row, 6)
        ctx.set(bench.engine.drain.clear_all, 0)
        bench.sums[:, :, 5] = 0
        await bench.drain_all(ctx)

    bench.run(testbench)


async def timeline(bench, ctx, ops):
    """Offer ops without a gap; give `multiplying`, the count of active slots and `idle` of each cycle."""
    engine, ops, seen = bench.engine, list(ops), []
    while not seen or not seen[-1][2] or ops:
        ctx.set(engine.ops.valid, bool(ops))
        if ops:
            ctx.set(engine.ops.payload, ops[0])
        sampled = await ctx.tick().sample(
            engine.multiplying, engine.slots, engine.idle, engine.ops.ready, engine.starved
        )
        _, _, multiplying, slots, idle, ready, starved = sampled
        assert not starved
        seen.append((multiplying, sum(slot.active for slot in slots), idle and bool(seen)))
        if ops and ready:
            bench.expect(ops.pop(0))
    return list(zip(*seen, strict=True))


@pytest.mark.parametrize(("columns", "words"), [(1, 1), (8, 1), (9, 2), (2, 4)])
def test_an_op_takes_the_documented_cycles_and_its_slot_is_free_in_time_for_a_drain(columns, words):
    bench = MatrixBench(9)
    work = columns * words

    async def testbench(ctx):
        await bench.issue(ctx, matvec(source=2, buffer=1, columns=columns, words=words, row=0))
        cycle = 1
        while (slot := ctx.get(bench.engine.slots)[0]).active:
            assert (slot.vector, slot.buffer) == (2, 1)
            assert ctx.get(bench.engine.multiplying) == (0 <= cycle - FIRST_WORD - OPERANDS < work)
            cycle += 1
            await ctx.tick()
        assert cycle == FIRST_WORD + (work - 1) + RETIRE + 1
        # A drain op accepted in the next cycle reads from the one after on.
        await ctx.tick().repeat(2)
        await bench.drain(ctx, 1, words - 1)

    bench.run(testbench)


def test_nothing_comes_between_columns_nor_between_ops():
    bench = MatrixBench(10)
    ops = [
        matvec(columns=9, words=1, source=1),
        matvec(columns=5, words=2, source=1),
        matvec(columns=3, words=2, split=1),
        matvec(columns=0, words=1, source=2),
        matvec(columns=2, words=3, private=1),
        matvec(columns=9, words=2, shift=3),
    ]

    async def testbench(ctx):
        multiplying, _, idle = await timeline(bench, ctx, ops)
        work = sum(op["arguments"]["columns"] * op["arguments"]["words"] for op in ops)
        before, behind = FIRST_WORD + OPERANDS, WRITE - OPERANDS + 1
        assert list(multiplying) == before * [0] + work * [1] + behind * [0]
        assert list(idle) == (len(idle) - 1) * [False] + [True]
        await bench.drain_all(ctx)

    bench.run(testbench)


def test_zeros_cost_nothing_behind_other_work():
    bench = MatrixBench(11)
    bench.activations[:] = [0] * 64
    bench.activations[0:8] = range(1, 9)
    bench.activations[39] = 3

    async def testbench(ctx):
        ops = [matvec(columns=8, words=2), matvec(columns=32, source=1, words=1, skip=1)]
        multiplying, slots, _ = await timeline(bench, ctx, ops)
        before, behind = FIRST_WORD + OPERANDS, WRITE - OPERANDS + 1
        assert list(multiplying[before:]) == 17 * [1] + behind * [0]
        assert max(slots) == 2
        await bench.drain_all(ctx)

    bench.run(testbench)


def test_an_op_that_skips_everything_frees_its_slot_at_once():
    bench = MatrixBench(12)
    bench.activations[:] = [0] * 64

    async def testbench(ctx):
        await bench.issue(ctx, matvec(columns=24, words=1, skip=1))
        active, skipped = [], 0
        for _ in range(9):
            active.append(ctx.get(bench.engine.slots)[0].active)
            skipped += ctx.get(bench.engine.skipped)
            assert not ctx.get(bench.engine.multiplying)
            await ctx.tick()
        assert active == 7 * [1] + 2 * [0]
        assert skipped == 24

    bench.run(testbench)


def test_starved_while_the_producer_is_late_and_nothing_else_is_to_do():
    bench = MatrixBench(13)

    async def testbench(ctx):
        ctx.set(bench.engine.input, {"active": 1, "vector": 3})
        await bench.issue(ctx, matvec(source=2, columns=1, words=4))
        await bench.issue(ctx, matvec(source=3, columns=1))
        # The first op's words are on the lanes in cycles `FIRST_WORD` to `FIRST_WORD` + 3; this begins in cycle 5.
        working = FIRST_WORD + 4 - 5
        starved = []
        for _ in range(working + 4):
            _, _, value = await ctx.tick().sample(bench.engine.starved)
            starved.append(value)
        assert starved == working * [0] + 4 * [1]
        ctx.set(bench.engine.input, {"active": 0})
        await bench.finish(ctx)
        await bench.drain_all(ctx)

    bench.run(testbench)
