import random

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from simulation import Simulation

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl.activations import ActivationMemory, producer_port, progress, writing


@pytest.mark.parametrize(("lanes", "cell_lanes"), [(8, 1), (8, 2), (16, 4)])
@pytest.mark.parametrize("activation_bits", [8, 16])
def test_all_ports_see_what_was_written(lanes, cell_lanes, activation_bits):
    config = AcceleratorConfig(
        lanes=lanes, cell_lanes=cell_lanes, activation_bits=activation_bits, activation_depth=4 * lanes
    )
    dut = ActivationMemory(config)
    rng = random.Random(lanes + activation_bits)
    low = -(1 << (activation_bits - 1))
    memory = [0] * config.activation_depth
    simulation = Simulation(dut, limit=2000)

    def value():
        return rng.choice([0, 1, -1, low, -low - 1, rng.randrange(low, -low)])

    async def testbench(ctx):
        shown, waited = None, 0
        for _ in range(400):
            mask = rng.choice([0, 0, rng.randrange(1 << cell_lanes)])
            unit, units = (
                rng.randrange(config.activation_depth // cell_lanes),
                [value() for _ in range(cell_lanes)],
            )
            element, new, valid = rng.randrange(config.activation_depth), value(), rng.random() < 0.6
            word, enable, address = (
                rng.randrange(4),
                rng.random() < 0.7,
                rng.randrange(config.activation_depth),
            )
            for port, settings in (
                (dut.word, {"enable": mask, "address": unit, "data": units}),
                (dut.element, {"valid": valid, "payload": {"address": element, "data": new}}),
                (dut.scan, {"word": word}),
                (dut.values, {"word": word}),
                (dut.output, {"enable": enable, "address": address}),
            ):
                for name, setting in settings.items():
                    ctx.set(getattr(port, name), setting)
            inside = memory[lanes * word : lanes * (word + 1)]
            assert list(ctx.get(dut.values.values)) == inside
            assert ctx.get(dut.scan.nonzero) == sum((x != 0) << k for k, x in enumerate(inside))
            assert ctx.get(dut.element.ready) == (mask == 0)
            shown = memory[address] if enable else shown
            if mask == 0 and valid:
                memory[element] = new
            for k in range(cell_lanes):
                if mask >> k & 1:
                    memory[cell_lanes * unit + k] = units[k]
            waited += bool(mask and valid)
            await ctx.tick()
            assert shown is None or ctx.get(dut.output.data) == shown
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
        everything = (1 << 17) - 1
        assert seen(5) == (everything, everything)
        ctx.set(dut.first, first | {"active": 0})
        assert seen(3) == (everything, everything)

    simulation.add(testbench)
    simulation.run()
