import random

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from simulation import Simulation

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl.activations import ActivationMemory, producer_port, progress, writing
from gatewright.hw.rtl.stages import READ, STORE

SHAPES = [
    {"lanes": 8, "cell_lanes": 1},
    {"lanes": 8, "cell_lanes": 2, "private": 0},
    {"lanes": 16, "cell_lanes": 4},
    {"lanes": 16, "cell_lanes": 1, "groups": 4, "activation_bits": 16},
    {"lanes": 16, "cell_lanes": 2, "groups": 2, "zero_skipping": 0},
    {"lanes": 32, "cell_lanes": 4, "groups": 2, "activation_bits": 16},
]


@pytest.mark.parametrize("shape", SHAPES)
def test_all_ports_see_what_was_written(shape):
    """Each writer fills words in order, in turns, as the units do; readers look at other words."""
    config = AcceleratorConfig(**shape, activation_depth=8 * shape["lanes"])
    lanes, cells = config.lanes, config.cell_lanes
    dut = ActivationMemory(config)
    rng = random.Random(lanes + config.activation_bits)
    low = -(1 << (config.activation_bits - 1))
    memory = [0] * config.activation_depth
    simulation = Simulation(dut, limit=4000)

    def value():
        return rng.choice([0, 0, 1, -1, low, -low - 1, rng.randrange(low, -low)])

    async def check(ctx, words):
        for word in words:
            inside = memory[lanes * word : lanes * (word + 1)]
            step = rng.randrange(config.group_lanes)
            address = lanes * word + rng.randrange(lanes)
            for port, settings in (
                (dut.scan, {"word": word}),
                (dut.values, {"word": word, "step": step}),
                (dut.output, {"address": address}),
            ):
                for name, setting in settings.items():
                    ctx.set(getattr(port, name), setting)
            flags = (
                sum((x != 0) << k for k, x in enumerate(inside)) if config.zero_skipping else (1 << lanes) - 1
            )
            assert ctx.get(dut.scan.nonzero) == flags
            await ctx.tick()
            ctx.set(dut.output.address, address ^ 1)
            await ctx.tick().repeat(READ - 1)
            assert ctx.get(dut.output.data) == memory[address]
            assert list(ctx.get(dut.values.shared)) == inside[config.groups * step :][: config.groups]
            await ctx.tick()
            assert list(ctx.get(dut.values.own)) == (inside if config.private else [])

    async def testbench(ctx):
        waited = 0
        for _ in range(12):
            first, second = rng.sample(range(8), 2)
            elements = [(lanes * first + k, value()) for k in range(rng.choice([lanes, lanes, 3]))]
            single = rng.random() < 0.5
            places = (
                [[k] for k in range(lanes)]
                if single
                else [range(k, k + cells) for k in range(0, lanes, cells)]
            )
            while elements or places:
                offered, given = rng.random() < 0.7, rng.random() < 0.7
                unit = [lanes * second + k for k in places[0]] if given and places else []
                new = {address: value() for address in unit}
                mask = sum(1 << address % cells for address in unit)
                ctx.set(dut.word.enable, mask)
                ctx.set(dut.word.address, unit[0] // cells if unit else 0)
                ctx.set(
                    dut.word.data,
                    [new.get(unit[0] // cells * cells + k, 0) if unit else 0 for k in range(cells)],
                )
                ctx.set(dut.element.valid, bool(offered and elements))
                if elements:
                    ctx.set(dut.element.payload, {"address": elements[0][0], "data": elements[0][1]})
                assert ctx.get(dut.element.ready) == (not unit)
                if unit:
                    memory[unit[0] : unit[0] + len(unit)] = new.values()
                    places.pop(0)
                    waited += bool(offered and elements)
                elif offered and elements:
                    address, data = elements.pop(0)
                    memory[address] = data
                await ctx.tick()
            ctx.set(dut.word.enable, 0)
            ctx.set(dut.element.valid, 0)
            await ctx.tick().repeat(STORE)
            # Of a word that was not written to its end, the flags behind mean nothing.
            await check(ctx, [second])
            memory[lanes * first : lanes * (first + 1)] = [0] * lanes
            for k in range(lanes):
                ctx.set(dut.element.payload, {"address": lanes * first + k, "data": 0})
                ctx.set(dut.element.valid, 1)
                await ctx.tick()
            ctx.set(dut.element.valid, 0)
            await ctx.tick().repeat(STORE)
            await check(ctx, [first, second])
        assert waited

    simulation.add(testbench)
    simulation.run()


class Progress(wiring.Component):
    """`progress` of two producers for one vector."""

    def __init__(self, config):
        layout = producer_port(config)
        self.first, self.second = Signal(layout), Signal(layout)
        self.vector, self.announced, self.written = Signal(layout["vector"].shape), Signal(17), Signal(17)
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        producers = (self.first, self.second)
        announced, written = progress(producers, writing(producers, self.vector))
        m.d.comb += [self.announced.eq(announced), self.written.eq(written)]
        # Nothing here is clocked, but the simulation is.
        m.d.sync += Signal(name="unused").eq(0)
        return m


def test_progress_is_that_of_the_active_producer():
    dut = Progress(AcceleratorConfig())
    first = {"active": 1, "vector": 3, "announced": 5, "written": 4}
    second = {"active": 1, "vector": 7, "announced": 9, "written": 0}
    simulation = Simulation(dut)

    async def testbench(ctx):
        def seen(vector):
            ctx.set(dut.vector, vector)
            return ctx.get(dut.announced), ctx.get(dut.written)

        ctx.set(dut.first, first)
        ctx.set(dut.second, second)
        assert seen(3) == (5, 4)
        assert seen(7) == (9, 0)
        everything = (1 << AcceleratorConfig().count_bits + 1) - 1
        assert seen(5) == (everything, everything)
        ctx.set(dut.first, first | {"active": 0})
        assert seen(3) == (everything, everything)

    simulation.add(testbench)
    simulation.run()
