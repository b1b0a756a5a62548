import random

import pytest
from simulation import Simulation

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import ErrorCode
from gatewright.hw.ops import ARGUMENTS, NO_UNITS, UNIT_OF, Op, Opcode, Unit, When
from gatewright.hw.rtl.sequencer import Sequencer

CONFIG = AcceleratorConfig(lanes=8, cell_lanes=1, program_depth=7)
NAMES = {Unit.INPUT: "input", Unit.MATRIX: "matrix", Unit.DRAIN: "drain", Unit.OUTPUT: "output"}


def op(opcode, number, when=When.ALWAYS, wait=NO_UNITS, end=False):
    """Make an op that is recognised by its number."""
    arguments = dict.fromkeys(ARGUMENTS[opcode], number)
    if opcode is Opcode.MATVEC:
        arguments["sparse"] = 1
    return Op(opcode, arguments, when, wait, end)


PROGRAM = [
    op(Opcode.INPUT, 1, wait=Unit.MATRIX),
    op(Opcode.MATVEC, 2, When.CARRIED, Unit.DRAIN),
    op(Opcode.MATVEC, 3, wait=Unit.INPUT | Unit.DRAIN),
    op(Opcode.CELL, 4, wait=Unit.MATRIX),
    op(Opcode.OUTPUT, 5, wait=Unit.DRAIN),
    op(Opcode.LOGITS, 6, When.LAST, Unit.MATRIX | Unit.OUTPUT, end=True),
]


def expected(program, steps, fresh):
    """Give what is issued, in order: (unit, number, first step of a fresh job)."""
    return [
        (UNIT_OF[each.opcode], next(iter(each.arguments.values())), bool(fresh and step == 0))
        for step in range(steps)
        for each in program
        if each.when is When.ALWAYS
        or (each.when is When.CARRIED and not (fresh and step == 0))
        or (each.when is When.LAST and step == steps - 1)
    ]


class Bench:
    """A sequencer with stand-ins for the units, each busy for a random time with every op.

    `issued` holds (cycle, unit, number, first, idle units) of every op that was taken.
    """

    def __init__(self, longest, seed=1):
        self.dut = Sequencer(CONFIG)
        self.simulation = Simulation(self.dut, limit=3000)
        self.issued = []
        self.cycle = 0
        self.aborted = self.cleared = False
        self._longest, self._rng = longest, random.Random(seed)
        self.simulation.add(self._units, background=True)

    async def _units(self, ctx):
        dut = self.dut
        left = dict.fromkeys(NAMES, 0)
        ctx.set(dut.idle, 15)
        while True:
            for unit, name in NAMES.items():
                ctx.set(getattr(dut, name).ready, left[unit] <= 1)
            ports = [getattr(dut, name) for name in NAMES.values()]
            _, _, abort, clear, *sampled = await ctx.tick().sample(
                dut.abort, dut.clear, *(port.valid for port in ports), *(port.payload for port in ports)
            )
            self.cycle += 1
            self.aborted |= abort
            self.cleared |= clear
            idle = sum(unit for unit in NAMES if not left[unit])
            taken = [
                (unit, payload)
                for unit, valid, payload in zip(NAMES, sampled[:4], sampled[4:], strict=True)
                if valid and left[unit] <= 1
            ]
            left = {unit: max(0, cycles - 1) for unit, cycles in left.items()}
            for unit, payload in taken:
                self._record(unit, payload, idle)
                left[unit] = self._rng.randint(0, self._longest)
            ctx.set(dut.idle, sum(unit for unit in NAMES if not left[unit]))

    def _record(self, unit, payload, idle):
        first = None
        if unit is Unit.DRAIN:
            first = bool(payload.first)
            payload = payload.arguments["logits" if payload.logits else "cell"]
        values = [payload[name] for name, _ in payload.shape() if name != "sparse"]
        assert len(set(values)) == 1
        self.issued.append((self.cycle, unit, values[0], first, idle))

    async def load(self, ctx, words):
        port = self.dut.program
        for offset, word in enumerate(words):
            for quarter in range(4):
                ctx.set(port.enable, 1 << quarter)
                ctx.set(port.offset, offset)
                ctx.set(port.data, word >> 32 * quarter & 0xFFFFFFFF)
                await ctx.tick()
        ctx.set(port.enable, 0)

    async def job(self, ctx, steps, fresh=1):
        dut = self.dut
        ctx.set(dut.job.payload, {"steps": steps, "fresh": fresh})
        ctx.set(dut.job.valid, 1)
        await ctx.tick().until(dut.job.ready)
        ctx.set(dut.job.valid, 0)
        assert ctx.get(dut.busy)
        while ctx.get(dut.busy):
            await ctx.tick()

    def check(self, program, steps, fresh):
        wanted = expected(program, steps, fresh)
        assert [(unit, number) for _, unit, number, _, _ in self.issued] == [each[:2] for each in wanted]
        waits = {next(iter(each.arguments.values())): each.wait for each in program}
        for (_, _, number, first, idle), (_, _, wanted_first) in zip(self.issued, wanted, strict=True):
            assert first in (None, wanted_first)
            assert waits[number] & ~idle == 0, f"op {number} did not wait"
        self.issued.clear()


@pytest.mark.parametrize("longest", [0, 1, 9])
def test_issues_in_order_and_waits(longest):
    bench = Bench(longest)

    async def testbench(ctx):
        await bench.load(ctx, [each.encode() for each in PROGRAM])
        for steps, fresh in ((1, 1), (3, 1), (4, 0), (1, 0)):
            await bench.job(ctx, steps, fresh)
            bench.check(PROGRAM, steps, fresh)
            assert ctx.get(bench.dut.error) == ErrorCode.NONE

    bench.simulation.add(testbench)
    bench.simulation.run()


def test_one_op_per_cycle_across_steps():
    bench = Bench(0)
    program = [*PROGRAM[:5], op(Opcode.LOGITS, 6, end=True)]

    async def testbench(ctx):
        await bench.load(ctx, [each.encode() for each in program])
        start = bench.cycle
        await bench.job(ctx, 3, 0)
        assert [cycle - start for cycle, *_ in bench.issued] == list(range(4, 4 + 3 * len(program)))

    bench.simulation.add(testbench)
    bench.simulation.run()


NEVER = op(Opcode.INPUT, 9)


@pytest.mark.parametrize(
    ("words", "issued", "code"),
    [
        ([PROGRAM[0].encode(), 0], 1, ErrorCode.OPCODE),
        ([PROGRAM[0].encode(), (1 << 128) - 1], 1, ErrorCode.OPCODE),
        ([PROGRAM[0].encode(), PROGRAM[2].encode() | 3 << 4], 1, ErrorCode.OPCODE),
        ([NEVER.encode()] * 7, 7, ErrorCode.NO_END),
    ],
)
def test_malformed_program_ends_the_job_and_spares_the_next(words, issued, code):
    bench = Bench(3)

    async def testbench(ctx):
        await bench.load(ctx, words)
        await bench.job(ctx, 5)
        assert ctx.get(bench.dut.error) == code
        assert bench.aborted
        assert bench.cleared
        assert len(bench.issued) == issued
        bench.issued.clear()
        await bench.load(ctx, [each.encode() for each in PROGRAM])
        await bench.job(ctx, 2)
        assert ctx.get(bench.dut.error) == ErrorCode.NONE
        bench.check(PROGRAM, 2, 1)

    bench.simulation.add(testbench)
    bench.simulation.run()


def test_job_of_no_steps_is_an_error():
    bench = Bench(0)

    async def testbench(ctx):
        await bench.load(ctx, [each.encode() for each in PROGRAM])
        await bench.job(ctx, 0)
        assert ctx.get(bench.dut.error) == ErrorCode.STEPS
        assert not bench.issued

    bench.simulation.add(testbench)
    bench.simulation.run()


@pytest.mark.parametrize("unit", NAMES)
def test_no_job_while_a_unit_works(unit):
    dut = Sequencer(CONFIG)
    simulation = Simulation(dut)

    async def testbench(ctx):
        ctx.set(dut.idle, 15 & ~unit)
        assert not ctx.get(dut.job.ready)
        ctx.set(dut.idle, 15)
        assert ctx.get(dut.job.ready)

    simulation.add(testbench)
    simulation.run()


def test_first_load_error_stays_until_the_next_job():
    bench = Bench(0)
    dut = bench.dut

    async def testbench(ctx):
        await bench.load(ctx, [each.encode() for each in PROGRAM])
        for code in (ErrorCode.LOAD_ADDRESS, ErrorCode.NONE, ErrorCode.LOAD_BUSY):
            ctx.set(dut.load_error, code)
            await ctx.tick()
            assert ctx.get(dut.error) == ErrorCode.LOAD_ADDRESS
        ctx.set(dut.load_error, ErrorCode.NONE)
        await bench.job(ctx, 1)
        assert ctx.get(dut.error) == ErrorCode.NONE

    bench.simulation.add(testbench)
    bench.simulation.run()
