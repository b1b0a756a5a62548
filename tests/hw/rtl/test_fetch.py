import random

import pytest
from simulation import Simulation

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.ops import ARGUMENTS, Op, Opcode
from gatewright.hw.rtl.fetch import Fetch

CONFIG = AcceleratorConfig(lanes=4, cell_lanes=1, activation_depth=64, program_depth=12)


def ops(count, end=None):
    """Ops that tell their place by their vector; the one at `end` is the program's last."""
    arguments = dict.fromkeys(ARGUMENTS[Opcode.OUTPUT], 0)
    return [
        Op(Opcode.OUTPUT, arguments | {"source": k, "count": 1000 + k}, end=k == end) for k in range(count)
    ]


class Bench:
    def __init__(self):
        self.dut = Fetch(CONFIG)
        self.simulation = Simulation(self.dut)

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
                taken.append((ctx.get(dut.op), ctx.get(dut.decoded.last)))
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
