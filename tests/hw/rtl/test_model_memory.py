"""Memories that hold part of a model, by themselves."""

import pytest
from amaranth.hdl import Fragment, Module, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from simulation import Simulation

from gatewright.hw.rtl.loader import load_members, load_port, model_memory

WIDTH, DEPTH = 6, 5


class Example(wiring.Component):
    """A memory of words, of one part or of several."""

    def __init__(self, *, parts=1, contents=None, depth=DEPTH, **options):
        self.parts, self.contents, self.depth, self.options = parts, contents, depth, options
        shape = data.ArrayLayout(unsigned(WIDTH), parts) if parts > 1 else unsigned(WIDTH)
        super().__init__(
            {
                "address": In(3),
                "enable": In(1),
                "load": In(load_port(4 if "part" in options else parts)),
                "value": Out(shape),
            }
        )

    def elaborate(self, platform):
        m = Module()
        load, options = self.load if self.contents is None else self.contents, self.options
        if self.options.get("style") != "huge":
            options = options | {"enable": self.enable}
        shape = self.value.shape()
        value = model_memory(m, "memory", shape, self.depth, self.address, load, **options)
        m.d.comb += self.value.eq(value)
        return m


async def read(ctx, dut, address):
    ctx.set(dut.address, address)
    ctx.set(dut.enable, 1)
    await ctx.tick()
    # Without `enable` the word stays; a RAM of one port reads on.
    ctx.set(dut.enable, 0)
    if dut.options.get("style") != "huge":
        ctx.set(dut.address, address ^ 1)
        await ctx.tick()
    return ctx.get(dut.value)


async def write(ctx, dut, parts, offset, value):
    ctx.set(dut.load.enable, parts)
    ctx.set(dut.load.offset, offset)
    ctx.set(dut.load.data, value)
    await ctx.tick()
    ctx.set(dut.load.enable, 0)


@pytest.mark.parametrize("style", [None, "block", "huge"])
@pytest.mark.parametrize("parts", [2, 3])
def test_parts_are_written_by_themselves(parts, style):
    dut = Example(parts=parts, style=style)
    simulation = Simulation(dut, limit=200)

    async def testbench(ctx):
        for offset in range(DEPTH):
            for part in range(parts):
                ctx.set(dut.address, DEPTH - 1 - offset)
                await write(ctx, dut, 1 << part, offset, 0xFFFFFFC0 | (8 * offset + part))
        await write(ctx, dut, 0b10, 3, 63)
        await write(ctx, dut, (1 << parts) - 1 & ~0b10, 1, 62)
        wanted = [[8 * offset + part for part in range(parts)] for offset in range(DEPTH)]
        wanted[3][1], wanted[1][0], wanted[1][2:] = 63, 62, [62] * (parts - 2)
        assert [list(await read(ctx, dut, offset)) for offset in range(DEPTH)] == wanted

    simulation.add(testbench)
    simulation.run()


def test_a_word_is_one_part_of_several():
    dut = Example(part=2)
    simulation = Simulation(dut, limit=100)

    async def testbench(ctx):
        for offset in range(DEPTH):
            await write(ctx, dut, 0b0100, offset, 9 + offset)
        await write(ctx, dut, 0b1011, 2, 1)
        assert [await read(ctx, dut, offset) for offset in range(DEPTH)] == [9, 10, 11, 12, 13]

    simulation.add(testbench)
    simulation.run()


@pytest.mark.parametrize("style", [None, "block", "huge"])
@pytest.mark.parametrize("words", [[7], [0, 9], [1, 2, 3, 4, 63]])
def test_contents_are_there_from_the_start(words, style):
    dut = Example(contents=words, style=style)
    simulation = Simulation(dut, limit=100)

    async def testbench(ctx):
        assert [await read(ctx, dut, offset) for offset in range(len(words))] == words

    simulation.add(testbench)
    simulation.run()


@pytest.mark.parametrize(
    ("load", "style", "depth", "attributes"),
    [
        (load_port(1).create(), None, 5, {"collision": "none"}),
        (load_port(1).create(), "block", 5, {"collision": "none", "ram_style": "block"}),
        (load_port(1).create(), "huge", 5, {"collision": "none", "ram_style": "huge"}),
        ([7], None, 2, {}),
        ([7, 0, 0], "block", 3, {"rom_style": "block"}),
        ([7, 0], "huge", 2, {}),
        ([0, 0, 0], "block", 0, None),
    ],
)
def test_no_deeper_than_it_must_be_and_of_the_style_that_is_asked_for(load, style, depth, attributes):
    m = Module()
    model_memory(m, "memory", unsigned(WIDTH), DEPTH, Signal(3), load, style=style)
    memory = getattr(m.submodules, "memory", None)
    assert (memory.depth, memory.attrs) == (depth, attributes) if memory else not depth
    Fragment.get(m, None)


def test_members_for_loading_are_there_unless_the_model_is_baked():
    members = load_members({"one": 1, "three": 3}, None)
    assert members == {"one": In(load_port(1)), "three": In(load_port(3))}
    assert load_members({"one": 1}, {"one": [[1]]}) == {}
    widths = {name: member.shape for name, member in load_port(3).members.items()}
    assert widths == {"enable": 3, "offset": 16, "data": 32}
