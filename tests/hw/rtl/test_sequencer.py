import random
from collections import Counter
from dataclasses import dataclass, field

import pytest
from simulation import Simulation

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import ErrorCode
from gatewright.hw.ops import ARGUMENTS, Op, Opcode, When
from gatewright.hw.rtl.sequencer import Sequencer
from gatewright.hw.skipping import Skip

CONFIG = AcceleratorConfig(lanes=8, cell_lanes=1, activation_depth=64, program_depth=12)
UNITS = {
    Opcode.INPUT: "input",
    Opcode.MATVEC: "matrix",
    Opcode.CELL: "drain",
    Opcode.REDUCE: "drain",
    Opcode.OUTPUT: "output",
}


def op(opcode, when=When.ALWAYS, end=False, **arguments):
    return Op(opcode, dict.fromkeys(ARGUMENTS[opcode], 0) | arguments, when, end)


X, H, Z = 1, 2, 3
PROGRAM = [
    op(Opcode.INPUT, When.FIRST, destination=X, count=1),
    op(Opcode.MATVEC, When.FIRST, source=X, alternate=1),
    op(Opcode.MATVEC, When.CARRIED, source=H, alternate=1),
    op(Opcode.INPUT, When.NOT_LAST, destination=X, count=2),
    op(Opcode.MATVEC, When.NOT_LAST, source=X, buffer=1, alternate=1),
    op(Opcode.CELL, destination=H, groups=1, alternate=1),
    op(Opcode.OUTPUT, source=H, count=1),
    op(Opcode.MATVEC, source=H, buffer=1),
    op(Opcode.REDUCE, destination=Z, buffer=1, count=3),
    op(Opcode.MATVEC, source=Z, buffer=0),
    op(Opcode.REDUCE, When.LAST, destination=H, send=1, buffer=0, end=True),
]


def wanted(when, step, steps, fresh):
    return {
        When.ALWAYS: True,
        When.CARRIED: not (fresh and step == 0),
        When.FIRST: step == 0,
        When.LAST: step == steps - 1,
        When.NOT_LAST: step != steps - 1,
    }[when]


def unrolled(program, steps, fresh):
    """Give (op, resolved buffer, first step of a fresh job) of everything that is issued, in order."""
    issued = []
    for step in range(steps):
        for each in program:
            if wanted(each.when, step, steps, fresh):
                a = each.arguments
                buffer = a.get("buffer", 0) ^ (a.get("alternate", 0) & step & 1)
                issued.append((each, buffer, bool(fresh and step == 0)))
    return issued


@dataclass
class Running:
    """An op in a unit: reads and writes are vectors, or None."""

    left: int
    reads: int | None = None
    writes: int | None = None
    adds: int | None = None
    drains: int | None = None


def running(each, buffer, left):
    a = each.arguments
    match each.opcode:
        case Opcode.INPUT:
            return Running(left, writes=a["destination"])
        case Opcode.MATVEC:
            return Running(left, reads=a["source"], adds=buffer)
        case Opcode.OUTPUT:
            return Running(left, reads=a["source"])
    return Running(left, writes=None if a.get("send") else a["destination"], drains=buffer)


@dataclass
class Units:
    """Stand-ins for the units: each works for a random time on every op; the matrix engine on up to four at once."""

    longest: int
    rng: random.Random
    busy: dict = field(default_factory=lambda: {name: [] for name in UNITS.values()})

    def ready(self, name):
        return len(self.busy[name]) < (4 if name == "matrix" else 1)

    def blocked(self, new):
        """Whether sequential order would be seen to break if this op began now."""
        for name, ops in self.busy.items():
            for old in ops:
                if new.writes is not None and old.reads == new.writes:
                    return True
                if (
                    new.writes is not None
                    and old.writes == new.writes
                    and name == ("input", "drain")[new.drains is None]
                ):
                    return True
                if new.adds is not None and old.drains == new.adds:
                    return True
                if new.drains is not None and old.adds == new.drains:
                    return True
        return False

    def tick(self):
        for ops in self.busy.values():
            for each in ops:
                each.left -= 1
            ops[:] = [each for each in ops if each.left > 0]

    def show(self, ctx, dut):
        for name in self.busy:
            ctx.set(getattr(dut, name).ready, self.ready(name))
        for port, name in ((dut.taken, "input"), (dut.drained, "drain")):
            writing = [each for each in self.busy[name] if each.writes is not None]
            ctx.set(port.active, bool(writing))
            ctx.set(port.vector, writing[0].writes if writing else 0)
        for slot, each in zip(dut.slots, [*self.busy["matrix"], *[None] * 4], strict=False):
            ctx.set(slot.active, each is not None)
            if each:
                ctx.set(slot.vector, each.reads)
                ctx.set(slot.buffer, each.adds)
        for port, name in ((dut.emptied, "drain"), (dut.sent, "output")):
            ctx.set(port.active, bool(self.busy[name]))
        if self.busy["drain"]:
            ctx.set(dut.emptied.buffer, self.busy["drain"][0].drains)
        if self.busy["output"]:
            ctx.set(dut.sent.vector, self.busy["output"][0].reads)
        ctx.set(dut.idle, not any(self.busy.values()))


class Bench:
    """A sequencer with stand-ins for the units.

    It checks that an op is issued only in its turn, to a unit that is ready, and into no hazard. `lost` counts the
    cycles in which one could have been issued but was not.
    """

    def __init__(self, longest, seed=1):
        self.dut = Sequencer(CONFIG)
        self.simulation = Simulation(self.dut, limit=5000)
        self.units = Units(longest, random.Random(seed))
        self.left = []
        self.skip = Skip.NEVER
        self.sound = False
        self.cycles = []
        self.lost = 0
        self.was_blocked = False
        self.seen = Counter()
        self.simulation.add(self._units, background=True)

    async def _units(self, ctx):
        dut, cycle, rng = self.dut, 0, random.Random(8)
        pulses = ("abort", "clear", "start", "finish", "interlock", "step")
        while True:
            self.units.show(ctx, dut)
            self.sparse = rng.randrange(2)
            ctx.set(dut.sparse, self.sparse)
            ports = {name: getattr(dut, name) for name in self.units.busy}
            _, _, *sampled = await ctx.tick().sample(
                *(getattr(dut, name) for name in pulses),
                *(port.valid for port in ports.values()),
                *(port.payload for port in ports.values()),
            )
            cycle += 1
            self.seen.update(name for name, high in zip(pulses, sampled, strict=False) if high)
            assert not sampled[1] or not any(self.units.busy.values()), "cleared while a unit works"
            valid = dict(zip(ports, sampled[6:10], strict=True))
            payload = dict(zip(ports, sampled[10:], strict=True))
            new = None
            assert self.left or not self.sound or not any(valid.values()), "issued behind the last op"
            if self.left:
                new = self._expect(valid, payload, cycle, bool(sampled[4]))
            elif issued := [name for name, high in valid.items() if high and self.units.ready(name)]:
                # Of a malformed program: any work.
                new = issued[0], Running(self.units.rng.randint(1, self.units.longest), 0, 0, 0, 0)
            self.units.tick()
            if new:
                self.units.busy[new[0]].append(new[1])

    def _expect(self, valid, payload, cycle, interlock):
        each, buffer, first = self.left[0]
        name = UNITS[each.opcode]
        begun = running(each, buffer, self.units.rng.randint(1, self.units.longest))
        offered = [other for other, high in valid.items() if high]
        assert offered in ([], [name])
        blocked = self.units.blocked(begun)
        if interlock:
            assert self.was_blocked
            assert self.units.ready(name)
        self.was_blocked = blocked
        if not offered:
            self.lost += self.units.ready(name) and not blocked
            return None
        assert not blocked, f"{each} was issued into a hazard"
        if not self.units.ready(name):
            return None
        self._check(each, buffer, first, payload[name])
        self.left.pop(0)
        self.was_blocked = False
        self.cycles.append(cycle)
        return name, begun

    def _check(self, each, buffer, first, payload):
        match each.opcode:
            case Opcode.MATVEC:
                fields = payload.arguments
                assert payload.skip == {Skip.NEVER: 0, Skip.ALWAYS: 1, Skip.AUTO: self.sparse}[self.skip]
            case Opcode.CELL | Opcode.REDUCE:
                assert payload.reduce == (each.opcode is Opcode.REDUCE)
                assert payload.first == first
                fields = payload.arguments["reduce" if payload.reduce else "cell"]
            case _:
                fields = payload
        expected = each.arguments | ({"buffer": buffer} if "buffer" in each.arguments else {})
        assert {name: fields[name] for name in expected if name != "alternate"} == {
            name: value for name, value in expected.items() if name != "alternate"
        }

    async def load(self, ctx, words):
        port = self.dut.program
        for offset, word in enumerate(words):
            for quarter in range(4):
                ctx.set(port.enable, 1 << quarter)
                ctx.set(port.offset, offset)
                ctx.set(port.data, word >> 32 * quarter & 0xFFFFFFFF)
                await ctx.tick()
        ctx.set(port.enable, 0)

    async def job(self, ctx, steps, fresh=1, program=(), skip=Skip.ALWAYS):
        dut, self.skip = self.dut, skip
        self.left = unrolled(program, steps, fresh)
        self.sound = bool(program)
        self.cycles.clear()
        ctx.set(dut.job.payload, {"steps": steps, "fresh": fresh, "skip": skip})
        ctx.set(dut.job.valid, 1)
        await ctx.tick().until(dut.job.ready)
        self.lost = 0
        ctx.set(dut.job.valid, 0)
        assert ctx.get(dut.busy)
        while ctx.get(dut.busy):
            await ctx.tick()


def encoded(program):
    return [each.encode() for each in program]


@pytest.mark.parametrize("longest", [1, 4, 25])
@pytest.mark.parametrize("seed", range(3))
def test_issues_in_order_and_never_into_a_hazard(longest, seed):
    bench = Bench(longest, seed)

    async def testbench(ctx):
        await bench.load(ctx, encoded(PROGRAM))
        for steps, fresh, skip in (
            (1, 1, Skip.NEVER),
            (5, 1, Skip.AUTO),
            (4, 0, Skip.ALWAYS),
            (1, 0, Skip.AUTO),
        ):
            before = bench.seen["step"]
            await bench.job(ctx, steps, fresh, PROGRAM, skip)
            assert bench.seen["step"] == before + steps
            assert not bench.left
            # Three cycles before the first look, one for each look, two for each op that is skipped.
            skipped = len(PROGRAM) * steps - len(unrolled(PROGRAM, steps, fresh))
            assert bench.lost <= 3 + len(PROGRAM) * steps + skipped
            assert ctx.get(bench.dut.error) == ErrorCode.NONE
        assert bench.seen["start"] == bench.seen["finish"] == 4

    bench.simulation.add(testbench)
    bench.simulation.run()
    assert bench.seen["interlock"]


def test_one_op_in_two_cycles_whether_it_is_skipped_or_not():
    bench = Bench(1)
    program = [
        op(Opcode.INPUT, destination=X),
        op(Opcode.MATVEC, source=X),
        op(Opcode.OUTPUT, source=X),
        op(Opcode.CELL, When.FIRST, destination=H),
        op(Opcode.MATVEC, source=Z, buffer=1),
        op(Opcode.REDUCE, When.LAST, destination=H, end=True),
    ]

    async def testbench(ctx):
        await bench.load(ctx, encoded(program))
        await bench.job(ctx, 3, 0, program)
        gaps = [b - a for a, b in zip(bench.cycles, bench.cycles[1:], strict=False)]
        assert gaps == [2, 2, 2, 2, 4, 2, 2, 4, 4, 2, 2, 4, 2]

    bench.simulation.add(testbench)
    bench.simulation.run()


NEVER = op(Opcode.INPUT, destination=9)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([PROGRAM[0].encode(), 0], ErrorCode.OPCODE),
        ([PROGRAM[0].encode(), (1 << 128) - 1], ErrorCode.OPCODE),
        ([PROGRAM[0].encode(), PROGRAM[4].encode() | 7 << 3], ErrorCode.OPCODE),
        ([NEVER.encode()] * 12, ErrorCode.NO_END),
    ],
)
@pytest.mark.parametrize("longest", [3, 60])
def test_malformed_program_ends_the_job_and_spares_the_next(words, code, longest):
    bench = Bench(longest)

    async def testbench(ctx):
        await bench.load(ctx, words)
        await bench.job(ctx, 5)
        assert ctx.get(bench.dut.error) == code
        assert bench.seen["abort"]
        assert bench.seen["clear"] == 1
        await bench.load(ctx, encoded(PROGRAM))
        await bench.job(ctx, 2, 1, PROGRAM)
        assert ctx.get(bench.dut.error) == ErrorCode.NONE
        assert not bench.left

    bench.simulation.add(testbench)
    bench.simulation.run()


@pytest.mark.parametrize("at", ["run", "finish"])
def test_wrong_length_ends_the_job(at):
    bench = Bench(3)
    dut = bench.dut

    async def trouble(ctx):
        async for _, _, pulse in ctx.tick().sample(dut.start if at == "run" else dut.finish):
            ctx.set(dut.length_error, pulse)

    async def during(ctx):
        while True:
            ctx.set(dut.length_error, ctx.get(dut.finish))
            await ctx.delay(1e-7)

    async def testbench(ctx):
        await bench.load(ctx, encoded(PROGRAM))
        await bench.job(ctx, 2)
        assert ctx.get(dut.error) == ErrorCode.LENGTH
        assert bool(bench.seen["clear"]) == (at == "run")

    bench.simulation.add(testbench)
    bench.simulation.add(trouble if at == "run" else during, background=True)
    bench.simulation.run()


def test_job_of_no_steps_is_an_error():
    bench = Bench(1)

    async def testbench(ctx):
        await bench.load(ctx, encoded(PROGRAM))
        await bench.job(ctx, 0)
        assert ctx.get(bench.dut.error) == ErrorCode.STEPS

    bench.simulation.add(testbench)
    bench.simulation.run()


def test_no_job_while_a_unit_works():
    dut = Sequencer(CONFIG)
    simulation = Simulation(dut)

    async def testbench(ctx):
        # Meanwhile the program is searched for its end.
        await ctx.tick().repeat(CONFIG.program_depth + 4)
        for idle in (0, 1):
            ctx.set(dut.idle, idle)
            await ctx.tick()
            assert ctx.get(dut.job.ready) == idle

    simulation.add(testbench)
    simulation.run()


def test_first_load_error_stays_until_the_next_job():
    bench = Bench(1)
    dut = bench.dut

    async def testbench(ctx):
        await bench.load(ctx, encoded(PROGRAM))
        for code in (ErrorCode.LOAD_ADDRESS, ErrorCode.NONE, ErrorCode.LOAD_BUSY):
            ctx.set(dut.load_error, code)
            await ctx.tick()
            assert ctx.get(dut.error) == ErrorCode.LOAD_ADDRESS
        ctx.set(dut.load_error, ErrorCode.NONE)
        await bench.job(ctx, 1)
        assert ctx.get(dut.error) == ErrorCode.NONE

    bench.simulation.add(testbench)
    bench.simulation.run()
