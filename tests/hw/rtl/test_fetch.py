import itertools
import random

import pytest
from simulation import Simulation

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.ops import ARGUMENTS, Op, Opcode, When
from gatewright.hw.rtl.fetch import Fetch

CONFIG = AcceleratorConfig(lanes=4, cell_lanes=1, activation_depth=64, program_depth=12)


def ops(count, end=None):
    """Ops that tell their place by their vector; the one at `end` is the program's last."""
    arguments = dict.fromkeys(ARGUMENTS[Opcode.OUTPUT], 0)
    return [
        Op(Opcode.OUTPUT, arguments | {"source": k, "count": 1000 + k}, end=k == end) for k in range(count)
    ]


class Bench:
    def __init__(self, contents=None):
        self.dut = Fetch(CONFIG, contents)
        self.simulation = Simulation(self.dut)
        self.decoded = []

    async def write(self, ctx, words, begin=0):
        port = self.dut.program
        for offset, word in enumerate(words, begin):
            for quarter in range(4):
                ctx.set(port.enable, 1 << quarter)
                ctx.set(port.offset, offset)
                ctx.set(port.data, word >> 32 * quarter & 0xFFFFFFFF)
                await ctx.tick()
        ctx.set(port.enable, 0)

    async def run(self, ctx, cycles, pace):
        """Run from the first cycle in which it is ready; give the ops that were taken, and the cycle of the first."""
        dut, rng = self.dut, random.Random(pace)
        while not ctx.get(dut.ready):
            await ctx.tick()
        await ctx.tick()
        ctx.set(dut.running, 1)
        taken, first = [], None
        for cycle in range(1, cycles + 1):
            valid = ctx.get(dut.valid)
            first = cycle if valid and first is None else first
            take = valid and rng.random() < pace
            ctx.set(dut.taken, take)
            if take:
                self.decoded.append(ctx.get(dut.decoded))
                taken.append((ctx.get(dut.op), self.decoded[-1].last))
            await ctx.tick()
        ctx.set(dut.taken, 0)
        ctx.set(dut.running, 0)
        await ctx.tick()
        return taken, first


@pytest.mark.parametrize("end", [0, 1, 2, 3, 7, 11])
@pytest.mark.parametrize("pace", [1, 0.5])
def test_gives_the_program_again_and_again(end, pace):
    """In every other cycle from the third on, whatever lies behind the end; and so in the next job."""
    bench = Bench()
    words = [op.encode() for op in ops(12, end)]

    async def testbench(ctx):
        await bench.write(ctx, words)
        for cycles in (40, 2, 33):
            taken, first = await bench.run(ctx, cycles, pace)
            if cycles > 2:
                assert first == 3
            if pace == 1:
                assert len(taken) == (cycles - 1) // 2
            wanted = [(words[k % (end + 1)], int(k % (end + 1) == end)) for k in range(len(taken))]
            assert taken == wanted

    bench.simulation.add(testbench)
    bench.simulation.run()


def test_finds_the_end_anew_whenever_the_program_changes():
    """A shorter program, a longer one, one without an end, and a change while the end is searched for."""
    bench = Bench()

    async def testbench(ctx):
        for count, end in ((9, 8), (4, 3), (11, 10), (12, None)):
            words = [op.encode() for op in ops(count, end)]
            await bench.write(ctx, words)
            assert not ctx.get(bench.dut.ready)
            taken, _ = await bench.run(ctx, 30, 1)
            assert taken == [(words[k % count], int(k % count == count - 1)) for k in range(14)]
        last = ops(6, 5)[5].encode()
        await bench.write(ctx, [last], 5)
        await ctx.tick().repeat(4)
        await bench.write(ctx, [ops(6)[5].encode(), last], 5)
        taken, _ = await bench.run(ctx, 15, 1)
        assert [each for _, each in taken] == [0] * 6 + [1]

    bench.simulation.add(testbench)
    bench.simulation.run()


def headers():
    """Programs of ops with every opcode and every condition that an op has room for, by whether they are known."""
    for opcode, when in itertools.product(range(8), range(8)):
        known = opcode in list(Opcode) and when in list(When)
        for send in (0, 1) if opcode == Opcode.REDUCE and when == 0 else (0,):
            arguments = dict.fromkeys(ARGUMENTS[Opcode.REDUCE], 0) | {"send": send}
            word = Op(Opcode.REDUCE, arguments).encode() & ~63 | when << 3 | opcode
            writes = opcode in (Opcode.INPUT, Opcode.CELL) or (opcode == Opcode.REDUCE and not send)
            yield word, known, opcode, writes


def test_every_header_is_decoded():
    cases, size = list(headers()), CONFIG.program_depth
    bench = Bench()

    async def testbench(ctx):
        for begin in range(0, len(cases), size):
            some = cases[begin : begin + size]
            await bench.write(ctx, [word for word, *_ in some])
            bench.decoded.clear()
            await bench.run(ctx, 2 * len(some) + 1, 1)
            assert len(bench.decoded) == len(some)
            for decoded, (word, known, opcode, writes) in zip(bench.decoded, some, strict=True):
                assert (decoded.known, decoded.writes) == (known, writes), hex(word)
                assert {code: decoded[code.name] for code in Opcode} == {
                    code: code == opcode for code in Opcode
                }

    bench.simulation.add(testbench)
    bench.simulation.run()


def test_a_baked_program():
    words = [op.encode() for op in ops(5, 4)]
    bench = Bench({"program": [words]})

    async def testbench(ctx):
        for _ in range(2):
            taken, first = await bench.run(ctx, 27, 1)
            assert first == 3
            assert taken == [(words[k % 5], int(k % 5 == 4)) for k in range(13)]

    bench.simulation.add(testbench)
    bench.simulation.run()
