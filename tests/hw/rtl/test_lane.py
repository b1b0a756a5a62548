import itertools
from dataclasses import replace

import pytest
from simulation import Simulation

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl.lane import Lane
from gatewright.hw.rtl.stages import ADD, ADDRESS, OPERANDS, ROW, SUM_READ, WRITE


def config(narrowest_weight, activation_bits):
    return AcceleratorConfig(
        lanes=8,
        cell_lanes=1,
        narrowest_weight=narrowest_weight,
        activation_bits=activation_bits,
        weight_depth=256,
        accumulator_rows=8,
    )


async def load(ctx, port, words):
    ctx.set(port.enable, 1)
    for offset, word in enumerate(words):
        ctx.set(port.offset, offset)
        ctx.set(port.data, word)
        await ctx.tick()
    ctx.set(port.enable, 0)


async def drain(ctx, dut, row, *, buffer=0, selected=True):
    """Read a row and clear it; the signals of one cycle are at odds with those of the others."""
    ctx.set(dut.drain_row, row)
    ctx.set(dut.drain, 1 << buffer)
    ctx.set(dut.selected, selected)
    await ctx.tick()
    ctx.set(dut.drain_row, row ^ 7)
    ctx.set(dut.drain, 0)
    ctx.set(dut.selected, not selected)
    await ctx.tick().repeat(SUM_READ - 1)
    ctx.set(dut.selected, 0)
    return ctx.get(dut.value)


@pytest.mark.parametrize("activation_bits", [8, 16])
@pytest.mark.parametrize(("narrowest_weight", "split"), [(8, 0), (4, 0), (4, 1), (2, 0), (2, 1), (2, 2)])
def test_products_of_all_weights(narrowest_weight, split, activation_bits):
    """All weight words with extremes of the operand: each slot's product in its own row."""
    dut = Lane(config(narrowest_weight, activation_bits))
    slots, width = 1 << split, 8 >> split
    largest = (1 << (dut.config.operand_bits - 1)) - 1
    words = [(word, operand) for word in range(256) for operand in (-largest - 1, largest, 1)][::2]
    words += [(0x80, -largest - 1), (0x88, 1), (0x7F, largest)]
    simulation = Simulation(dut, limit=8000)

    async def testbench(ctx):
        await load(ctx, dut.weights, range(256))
        # One word at a time; each is drained when it has been added.
        ctx.set(dut.split, split)
        ctx.set(dut.quartered, split == 2)
        for word, operand in words:
            ctx.set(dut.weight_address, word)
            ctx.set(dut.operand, operand)
            await ctx.tick().repeat(ROW - ADDRESS)
            ctx.set(dut.accumulate, 1)
            await ctx.tick()
            ctx.set(dut.accumulate, 0)
            await ctx.tick().repeat(WRITE - ROW)
            for slot in range(slots):
                weight = word >> width * slot & ((1 << width) - 1)
                weight -= weight >> (width - 1) << width
                product = weight * operand
                assert await drain(ctx, dut, slot) == (product + (1 << 31)) % (1 << 32) - (1 << 31)

    simulation.add(testbench)
    simulation.run()


WEIGHTS, INDICES = [0x80, 0x7F, 0xD1, 0x21], [6, 0b10_01, 0b0_1_0_1, 0]


@pytest.mark.parametrize("memories", ["loaded", "baked", "shared"])
def test_stages_buffers_and_drain(memories):
    """Every signal is present in its own cycle only, so a stage at the wrong place shows."""
    contents = {"weight": [WEIGHTS], "index": [INDICES]} if memories == "baked" else None
    dut = Lane(replace(config(2, 16), single_port=int(memories == "shared")), contents)
    simulation = Simulation(dut, limit=200)
    given = {"weight": 3, "index": 3}
    if memories != "shared":
        given = {"weight_address": 3, "index_address": 3}
    idle = given | {
        "split": 2,
        "sparse": 0,
        "rows": 0xFF,
        "accumulate": 0,
        "base": 0,
        "operand": -77,
    }

    async def accumulate(ctx, weight, index, *, split, sparse, rows, operand, base, buffer):
        row = {
            "split": split,
            "sparse": sparse,
            "rows": rows,
            "base": base,
            "accumulate": 1,
            "buffer": buffer,
        }
        words = {ADDRESS: {"weight_address": weight, "index_address": index}}
        if memories == "shared":
            words = {ADDRESS + 1: {"weight": WEIGHTS[weight], "index": INDICES[index]}}
        stages = words | {
            ROW: row,
            OPERANDS: {"operand": operand},
            ADD: {"quartered": split == 2},
        }
        for cycle in range(ADDRESS, WRITE + 1):
            stage = stages.get(cycle, {})
            for name, value in (idle | {"buffer": 1 - buffer, "quartered": split != 2} | stage).items():
                ctx.set(getattr(dut, name), value)
            await ctx.tick()
        for name, value in idle.items():
            ctx.set(getattr(dut, name), value)

    async def testbench(ctx):
        if memories == "loaded":
            await load(ctx, dut.weights, WEIGHTS)
            await load(ctx, dut.indices, INDICES)
        # Sparse, one weight: row 6. Dense, one weight: row 5. Sparse, two weights: rows 2 * 1 and 2 * 2 + 1.
        await accumulate(ctx, 0, 0, split=0, sparse=1, rows=1, operand=-1000, base=0, buffer=0)
        await accumulate(ctx, 1, 0, split=0, sparse=0, rows=5, operand=3, base=0, buffer=0)
        await accumulate(ctx, 2, 1, split=1, sparse=1, rows=7, operand=10, base=0, buffer=1)
        # Four weights: slots 0 and 2 in the second row of their bank; then with the region at row 4.
        await accumulate(ctx, 2, 2, split=2, sparse=1, rows=0, operand=100, base=0, buffer=0)
        await accumulate(ctx, 2, 2, split=2, sparse=0, rows=0, operand=7, base=1, buffer=0)
        # 0xD1 is 1 and -3 by halves, and 1, 0, 1, -1 by quarters.
        expected = {
            (0, 6): 128000 + 100 + 7,
            (0, 5): 381,
            (1, 2): 10,
            (1, 5): -30,
            (0, 4): 100 + 7,
            (0, 3): -100,
            (0, 7): -7,
        }
        for buffer, row in itertools.product(range(2), range(8)):
            value = expected.get((buffer, row), 0)
            assert await drain(ctx, dut, row, buffer=buffer, selected=False) == 0
            assert await drain(ctx, dut, row, buffer=buffer) == value, (buffer, row)
            assert await drain(ctx, dut, row, buffer=buffer) == 0

    simulation.add(testbench)
    simulation.run()
