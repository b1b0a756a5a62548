import random

import pytest
from amaranth.hdl import ResetInserter, Signal
from simulation import Simulation

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl.accumulators import Accumulators
from gatewright.hw.rtl.stages import SUM_READ

ROWS = 8


def accumulators(**changes):
    return Accumulators(AcceleratorConfig(lanes=8, cell_lanes=1, accumulator_rows=ROWS, **changes))


def wrapped(value, bits):
    return (value + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)


@pytest.mark.parametrize(
    ("rows", "gaps", "changes"),
    [
        (1, 0.0, {}),
        (2, 0.0, {}),
        (3, 0.0, {}),
        (3, 0.3, {}),
        (ROWS, 0.1, {}),
        (4, 0.2, {"accumulator_bits": 20}),
        (2, 0.4, {"narrowest_weight": 4, "block_accumulators": 0}),
    ],
)
def test_adds_to_few_sums_in_every_order(rows, gaps, changes):
    """Sums come again after one, two, three words and more, in both buffers; then every sum is read and cleared."""
    dut, rng = accumulators(**changes), random.Random(rows)
    bits = dut.config.accumulator_bits
    sums = {(buffer, row): 0 for buffer in range(2) for row in range(ROWS // dut.config.banks)}
    simulation = Simulation(dut)

    async def testbench(ctx):
        addends = [0] * SUM_READ
        for _ in range(400):
            there, buffer, row = rng.random() >= gaps, rng.randrange(2), rng.randrange(rows)
            addend = rng.randrange(-(1 << 17), 1 << 17)
            sums[buffer, row] += addend * there
            addends.append(addend)
            for name, value in (
                ("add", there),
                ("buffer", buffer),
                ("address", row),
                ("addend", addends[-1 - SUM_READ]),
            ):
                ctx.set(getattr(dut, name), value)
            await ctx.tick()
        ctx.set(dut.add, 0)
        for addend in addends[-SUM_READ:]:
            ctx.set(dut.addend, addend)
            await ctx.tick()
        await ctx.tick().repeat(2)
        for again in range(2):
            for (buffer, row), total in sums.items():
                for selected in (0, 1):
                    ctx.set(dut.drain, 1 << buffer)
                    ctx.set(dut.drain_address, row)
                    ctx.set(dut.selected, selected)
                    await ctx.tick()
                    ctx.set(dut.drain, 0)
                    ctx.set(dut.selected, 1 - selected)
                    await ctx.tick().repeat(SUM_READ - 1)
                    assert ctx.get(dut.value) == (wrapped(total, bits) if selected and not again else 0)

    simulation.add(testbench)
    simulation.run()


def test_one_buffer_is_drained_while_the_other_is_added_to():
    """A row a cycle is read and cleared while words add without a pause, and what is cleared takes the next words."""
    dut, rng = accumulators(), random.Random(1)
    simulation = Simulation(dut)

    async def testbench(ctx):
        sums, seen = [[0] * ROWS for _ in range(2)], []
        pending = [0] * SUM_READ
        for round_ in range(6):
            adding = round_ % 2
            for cycle in range(ROWS + 4):
                drains = round_ > 0 and cycle < ROWS
                adds = cycle >= 4 or round_ == 0
                row, addend = rng.randrange(3), rng.randrange(-999, 999)
                pending.append(addend)
                for name, value in (
                    ("add", adds),
                    ("buffer", adding),
                    ("address", row),
                    ("addend", pending[-1 - SUM_READ]),
                    ("drain", drains << 1 - adding),
                    ("drain_address", cycle % ROWS),
                    ("selected", drains),
                ):
                    ctx.set(getattr(dut, name), value)
                if SUM_READ <= cycle < ROWS + SUM_READ and round_ > 0:
                    seen.append(ctx.get(dut.value) == sums[1 - adding][cycle - SUM_READ])
                    sums[1 - adding][cycle - SUM_READ] = 0
                sums[adding][row] += addend * adds
                await ctx.tick()
            ctx.set(dut.add, 0)
            for _ in range(4):
                pending.append(0)
                ctx.set(dut.addend, pending[-1 - SUM_READ])
                await ctx.tick()
        assert len(seen) == 5 * ROWS
        assert all(seen)

    simulation.add(testbench)
    simulation.run()


@pytest.mark.parametrize("block", [0, 1])
@pytest.mark.parametrize("what", ["add", "drain"])
def test_a_reset_ends_what_is_under_way(what, block):
    """In each cycle from the one of a word, or of a row that is cleared, to the one before the memory is written."""
    dut, reset = accumulators(block_accumulators=block), Signal()
    simulation = Simulation(ResetInserter(reset)(dut), limit=400)

    async def cycle(ctx, **values):
        for name in ("add", "drain", "selected"):
            ctx.set(getattr(dut, name), values.get(name, 0))
        await ctx.tick()

    async def read(ctx, selected):
        await cycle(ctx, drain=1, selected=selected)
        for _ in range(SUM_READ - 1):
            await cycle(ctx)
        return ctx.get(dut.value)

    async def testbench(ctx):
        ctx.set(dut.addend, 7)
        await cycle(ctx, add=1)
        for _ in range(6):
            await cycle(ctx)
        for late in range(4 if what == "add" else 2):
            for number in range(7):
                ctx.set(reset, number == late)
                await cycle(
                    ctx, **({"add": number == 0} if what == "add" else {"drain": number == 0, "selected": 1})
                )
            # The sum is as it was, and words that follow at once find it so.
            await cycle(ctx, add=1)
            for _ in range(6):
                await cycle(ctx)
            assert await read(ctx, 1) == 14, late
            await cycle(ctx, add=1)
            for _ in range(6):
                await cycle(ctx)

    simulation.add(testbench)
    simulation.run()
