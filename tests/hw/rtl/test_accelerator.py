from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from simulation import Simulation

from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.hw.compiler import compile_bundle
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import LOAD_ADDRESS, ErrorCode, Region
from gatewright.hw.ops import ARGUMENTS, Op, Opcode
from gatewright.hw.rtl.accelerator import Accelerator
from gatewright.hw.skipping import Skip
from gatewright.sw.numbers import reference

CONFIG = AcceleratorConfig(
    lanes=8,
    cell_lanes=2,
    weight_depth=256,
    index_depth=256,
    accumulator_rows=16,
    activation_depth=64,
    bias_depth=16,
    state_depth=16,
    program_depth=24,
)


def expected(compiled, bundle, x):
    """Give what a fresh sequence sends, from the plain-Python reference."""
    hidden, logits = reference.run(bundle, x.tolist())
    sent = [value for step in hidden for value in step] if compiled.hidden_results == "all" else []
    return sent + logits


def elements(*sequences):
    """Give the payloads of the input stream."""
    return [
        {"data": value, "last": k == x.size - 1}
        for x in sequences
        for k, value in enumerate(x.ravel().tolist())
    ]


class Bench:
    """An accelerator with a host for its load bus, its jobs and its streams."""

    def __init__(self, config, contents=None, *, pace=None, limit=20_000):
        self.dut = Accelerator(config, contents)
        self.reset = Signal()
        self.pace = pace
        self.simulation = Simulation(ResetInserter(self.reset)(self.dut), limit=limit)

    async def load(self, ctx, words):
        """Load (address, data) words."""
        dut = self.dut
        ctx.set(dut.load.valid, 1)
        for address, word in words:
            ctx.set(dut.load.payload, {"address": LOAD_ADDRESS.from_bits(address), "data": word})
            await ctx.tick().until(dut.load.ready)
        ctx.set(dut.load.valid, 0)

    async def job(self, ctx, steps, fresh=1, skip=0, threshold=0):
        dut = self.dut
        ctx.set(dut.job.payload, {"steps": steps, "fresh": fresh, "skip": skip, "threshold": threshold})
        ctx.set(dut.job.valid, 1)
        await ctx.tick().until(dut.job.ready)
        ctx.set(dut.job.valid, 0)

    async def wait(self, ctx):
        """Wait for the end of the job; give the cycles that it was busy."""
        cycles = 0
        while ctx.get(self.dut.busy):
            cycles += 1
            await ctx.tick()
        return cycles

    def inputs(self, *sequences):
        self.simulation.source(self.dut.i, elements(*sequences), gaps=self.pace)

    def results(self, count):
        return self.simulation.sink(self.dut.o, count, stalls=self.pace)


def check(taken, wanted):
    got = [result.data for result in taken]
    wrong = [
        f"{k}: expected {w}, got {g}" for k, (w, g) in enumerate(zip(wanted, got, strict=True)) if w != g
    ]
    assert not wrong, f"{len(wrong)} of {len(wanted)}: {wrong[:5]}"


@pytest.mark.parametrize(
    ("model", "fixed", "mode", "skip", "pace"),
    [
        ({"inputs": 5, "hidden": 7}, {"cell_lanes": 1}, "dense", 0, 1),
        ({"inputs": 5, "hidden": 7}, {"cell_lanes": 1, "serial_cell": 1}, "dense", 1, None),
        ({"inputs": 5, "hidden": 7, "layers": 2, "activation_bits": 16}, {}, "dense", 0, None),
        ({"inputs": 5, "hidden": 7, "kept": 1, "rank": 3}, {}, "sparse", 1, 2),
        ({"inputs": 5, "hidden": 7, "kept": 1}, {"single_port": 1}, "sparse", 1, None),
        ({"inputs": 9, "hidden": 6, "projection": 4, "weight_bits": (2, 4, 8)}, {}, "dense", 1, None),
        ({"inputs": 9, "hidden": 6, "unbalanced": 0.7}, {"groups": 2, "cell_lanes": 1}, "sparse", 1, None),
    ],
)
def test_sequences_equal_the_reference(model, fixed, mode, skip, pace):
    bundle = random_bundle(3, **model)
    config = replace(CONFIG, activation_bits=model.get("activation_bits", 8), **fixed)
    compiled = compile_bundle(bundle, config, mode=mode, hidden_results="all")
    sequences = [random_inputs(seed, bundle, steps, zeros=0.5) for seed, steps in enumerate((3, 1, 2))]
    wanted = [value for x in sequences for value in expected(compiled, bundle, x)]

    bench = Bench(compiled.config, pace=pace)

    async def host(ctx):
        await bench.load(ctx, compiled.image.load_words().tolist())
        for x in sequences:
            await bench.job(ctx, len(x), skip=skip)
        await bench.wait(ctx)
        assert ctx.get(bench.dut.error) == ErrorCode.NONE

    bench.simulation.add(host)
    bench.inputs(*sequences)
    taken = bench.results(len(wanted))
    bench.simulation.run()
    check(taken, wanted)
    size = compiled.output_size
    per_job = [len(x) * size + 3 for x in sequences]
    ends = {sum(per_job[:k]) + size * (step + 1) for k, x in enumerate(sequences) for step in range(len(x))}
    ends |= {sum(per_job[: k + 1]) for k in range(len(sequences))}
    assert {k + 1 for k, result in enumerate(taken) if result.last} == ends


def test_results_keep_their_order_however_long_one_is_held_back():
    bundle = random_bundle(3, inputs=5, hidden=7)
    compiled = compile_bundle(bundle, CONFIG, mode="dense", hidden_results="all")
    x = random_inputs(0, bundle, 3)
    wanted = expected(compiled, bundle, x)
    bench = Bench(compiled.config)
    taken = []

    async def host(ctx):
        await bench.load(ctx, compiled.image.load_words().tolist())
        await bench.job(ctx, len(x))

    async def late(ctx):
        o = bench.dut.o
        for count in (compiled.output_size + 3, len(wanted) - compiled.output_size - 3):
            ctx.set(o.ready, 1)
            for _ in range(count):
                taken.append(await ctx.tick().sample(o.payload).until(o.valid))
            ctx.set(o.ready, 0)
            await ctx.tick().repeat(600)

    bench.simulation.add(host)
    bench.simulation.add(late)
    bench.inputs(x)
    bench.simulation.run()
    check([payload for (payload,) in taken], wanted)


@pytest.mark.parametrize(
    ("model", "fixed", "mode"),
    [
        ({"inputs": 5, "hidden": 7}, {"cell_lanes": 1, "serial_cell": 1}, "dense"),
        ({"inputs": 5, "hidden": 7, "kept": 1}, {"single_port": 1}, "sparse"),
        ({"inputs": 9, "hidden": 6, "unbalanced": 0.7}, {"groups": 2, "cell_lanes": 1}, "sparse"),
    ],
)
def test_a_baked_model_needs_no_loading(model, fixed, mode):
    bundle = random_bundle(3, **model)
    compiled = compile_bundle(bundle, replace(CONFIG, **fixed), mode=mode, hidden_results="all")
    x = random_inputs(1, bundle, 3, zeros=0.5)
    bench = Bench(compiled.config, compiled.image.contents(compiled.config))
    assert not hasattr(bench.dut, "load")

    async def host(ctx):
        await bench.job(ctx, len(x), skip=1)
        await bench.wait(ctx)
        assert ctx.get(bench.dut.error) == ErrorCode.NONE

    bench.simulation.add(host)
    bench.inputs(x)
    wanted = expected(compiled, bundle, x)
    taken = bench.results(len(wanted))
    bench.simulation.run()
    check(taken, wanted)


def test_state_carries_over_from_job_to_job():
    bundle = random_bundle(4, inputs=3, hidden=6, classes=0)
    compiled = compile_bundle(bundle, CONFIG, mode="dense", hidden_results="all")
    x = random_inputs(5, bundle, 6)
    hidden, _ = reference.run(bundle, x.tolist())
    bench = Bench(compiled.config)

    async def host(ctx):
        await bench.load(ctx, compiled.image.load_words().tolist())
        for steps, fresh in ((1, 1), (3, 0), (2, 0), (6, 1)):
            await bench.job(ctx, steps, fresh)
        await bench.wait(ctx)

    bench.simulation.add(host)
    bench.inputs(x[:1], x[1:4], x[4:], x)
    taken = bench.results(2 * x.shape[0] * 6)
    bench.simulation.run()
    check(taken, 2 * [value for step in hidden for value in step])


def test_counters():
    bundle = random_bundle(6, inputs=3, hidden=6)
    compiled = compile_bundle(bundle, CONFIG, mode="dense")
    x = random_inputs(1, bundle, 2)
    x[0, 1] = 0
    times = {"input": 2, "recurrent": 1, "head": 1}
    matrices = {
        op.arguments["weight_base"]: op.arguments["columns"] * op.arguments["words"]
        for op in compiled.image.program
        if op.opcode is Opcode.MATVEC
    }
    work = sum(words * n for words, n in zip(matrices.values(), times.values(), strict=True))
    bench = Bench(compiled.config)
    dut = bench.dut

    async def host(ctx):
        await bench.load(ctx, compiled.image.load_words().tolist())
        await bench.job(ctx, 2)
        await ctx.tick().repeat(100)
        # The job is waiting for its first element now, and its output is not taken for a while.
        assert ctx.get(dut.busy)
        waiting = ctx.get(dut.counters.input_wait)
        assert 90 < waiting <= 100
        assert 85 < ctx.get(dut.counters.chain_wait) <= 100
        for payload in elements(x):
            ctx.set(dut.i.payload, payload)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)
        while not ctx.get(dut.o.valid):
            await ctx.tick()
        cycles = ctx.get(dut.counters.cycles)
        await ctx.tick().repeat(9)
        ctx.set(dut.o.ready, 1)
        cycles += 9 + await bench.wait(ctx)
        counters = ctx.get(dut.counters)
        assert counters.cycles == cycles
        assert counters.matrix == work
        assert counters.output_wait == 9
        assert counters.input_wait >= waiting
        assert 2 * 3 < counters.drain < cycles / 2
        assert counters.interlock > 0
        assert (counters.inputs, counters.zero_inputs, counters.skipped) == (
            6,
            int((x == 0).sum()),
            0,
        )
        await ctx.tick().repeat(5)
        assert ctx.get(dut.counters) == counters

    bench.simulation.add(host)
    bench.simulation.run()


@pytest.mark.parametrize("auto", [0, 1])
def test_a_job_that_leaves_skipping_to_the_hardware(auto):
    """It skips in its first step, and after one whose zeros reach the threshold; without `auto_skipping` always."""
    bundle = random_bundle(6, inputs=6, hidden=3, classes=0)
    compiled = compile_bundle(
        bundle, replace(CONFIG, auto_skipping=auto), mode="dense", hidden_results="last"
    )
    x = np.zeros_like(random_inputs(1, bundle, 4))
    bench, skipped = Bench(compiled.config), []

    async def host(ctx):
        await bench.load(ctx, compiled.image.load_words().tolist())
        for skip, threshold in ((Skip.NEVER, 0), (Skip.ALWAYS, 255), (Skip.AUTO, 0), (Skip.AUTO, 255)):
            await bench.job(ctx, len(x), skip=skip, threshold=threshold)
            await bench.wait(ctx)
            skipped.append(ctx.get(bench.dut.counters.skipped))

    bench.simulation.add(host)
    bench.inputs(x, x, x, x)
    bench.results(4 * compiled.result_count(len(x)))
    bench.simulation.run()
    never, always, reached, missed = skipped
    assert (never, reached) == (0, always)
    assert 0 < missed < always if auto else missed == always


def test_without_counters_they_read_as_zero():
    bundle = random_bundle(6, inputs=3, hidden=6)
    compiled = compile_bundle(bundle, replace(CONFIG, counters=0), mode="dense")
    x = random_inputs(1, bundle, 2)
    bench = Bench(compiled.config)

    async def host(ctx):
        await bench.load(ctx, compiled.image.load_words().tolist())
        await bench.job(ctx, len(x))
        await bench.wait(ctx)
        assert ctx.get(bench.dut.counters.as_value()) == 0

    bench.simulation.add(host)
    bench.inputs(x)
    wanted = expected(compiled, bundle, x)
    taken = bench.results(len(wanted))
    bench.simulation.run()
    check(taken, wanted)


MATVEC_ALONE = Op(
    Opcode.MATVEC, dict.fromkeys(ARGUMENTS[Opcode.MATVEC], 0) | {"columns": 3, "words": 4, "shift": 3}
)
INPUT_FOR_EVER = Op(Opcode.INPUT, {"destination": 0, "count": 65535})


def program_words(words):
    return [
        ((Region.PROGRAM << 28) | (quarter << 16) | offset, word >> 32 * quarter & 0xFFFFFFFF)
        for offset, word in enumerate(words)
        for quarter in range(4)
    ]


@pytest.mark.parametrize("how", ["opcode", "no end", "steps", "too short", "too long", "reset"])
def test_next_job_is_right_after(how):
    """Leave accumulators that are not zero and an input that waits for ever; then run a sound job."""
    bundle = random_bundle(7, inputs=3, hidden=6)
    compiled = compile_bundle(bundle, CONFIG, mode="dense", hidden_results="all")
    x = random_inputs(8, bundle, 3)
    wanted = expected(compiled, bundle, x)
    bench = Bench(compiled.config, limit=5000)
    dut = bench.dut
    taken = []
    words = compiled.image.load_words().tolist()
    wrong_length = {"too short": x[:1], "too long": x}.get(how)

    async def host(ctx):
        await bench.load(ctx, words)
        bad = [MATVEC_ALONE.encode(), INPUT_FOR_EVER.encode(), 0]
        if how == "no end":
            bad = [MATVEC_ALONE.encode()] * CONFIG.program_depth
        if wrong_length is None:
            await bench.load(ctx, program_words(bad))
        await bench.job(ctx, 0 if how == "steps" else 2)
        ctx.set(dut.o.ready, wrong_length is not None)
        for payload in elements(wrong_length) if wrong_length is not None else []:
            ctx.set(dut.i.payload, payload)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)
        if how == "reset":
            await ctx.tick().repeat(10)
            ctx.set(bench.reset, 1)
            await ctx.tick()
            ctx.set(bench.reset, 0)
            assert not ctx.get(dut.busy)
        else:
            await bench.wait(ctx)
            assert (
                ctx.get(dut.error)
                == {
                    "opcode": ErrorCode.OPCODE,
                    "no end": ErrorCode.NO_END,
                    "steps": ErrorCode.STEPS,
                    "too short": ErrorCode.LENGTH,
                    "too long": ErrorCode.LENGTH,
                }[how]
            )
        await bench.load(ctx, [word for word in words if word[0] >> 28 == Region.PROGRAM])
        await bench.job(ctx, len(x))
        assert ctx.get(dut.error) == ErrorCode.NONE
        ctx.set(dut.o.ready, 1)
        values = iter(elements(x))
        ctx.set(dut.i.payload, next(values))
        ctx.set(dut.i.valid, 1)
        while len(taken) < len(wanted):
            _, _, ready, valid, payload = await ctx.tick().sample(dut.i.ready, dut.o.valid, dut.o.payload)
            if ready:
                ctx.set(dut.i.payload, next(values, {"data": 0, "last": 0}))
            if valid:
                taken.append(payload)

    bench.simulation.add(host)
    bench.simulation.run()
    check(taken, wanted)


def test_load_during_a_job_is_refused_and_harms_nothing():
    bundle = random_bundle(9, inputs=3, hidden=6)
    compiled = compile_bundle(bundle, CONFIG, mode="dense")
    x = random_inputs(10, bundle, 2)
    wanted = expected(compiled, bundle, x)
    bench = Bench(compiled.config)
    dut = bench.dut

    async def host(ctx):
        await bench.load(ctx, [(0xF0000000, 1)])
        assert ctx.get(dut.error) == ErrorCode.NONE
        await ctx.tick()
        assert ctx.get(dut.error) == ErrorCode.LOAD_ADDRESS
        words = compiled.image.load_words().tolist()
        await bench.load(ctx, words)
        await bench.job(ctx, len(x))
        assert ctx.get(dut.error) == ErrorCode.NONE
        await bench.load(ctx, [(address, ~word & 0xFFFFFFFF) for address, word in words])
        assert ctx.get(dut.error) == ErrorCode.LOAD_BUSY
        await bench.wait(ctx)
        assert ctx.get(dut.error) == ErrorCode.LOAD_BUSY

    async def late_inputs(ctx):
        await ctx.tick().repeat(2 * len(compiled.image.load_words()) + 20)
        for payload in elements(x):
            ctx.set(dut.i.payload, payload)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)

    bench.simulation.add(host)
    bench.simulation.add(late_inputs)
    taken = bench.results(len(wanted))
    bench.simulation.run()
    check(taken, wanted)
