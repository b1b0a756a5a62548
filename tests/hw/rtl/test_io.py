import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from simulation import Simulation

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl.activations import ActivationMemory
from gatewright.hw.rtl.io import InputUnit, OutputUnit

CONFIG = AcceleratorConfig(lanes=8, cell_lanes=2, activation_depth=16)


class Both(wiring.Component):
    """The two units on one memory."""

    def __init__(self):
        self.input, self.output = InputUnit(CONFIG), OutputUnit(CONFIG)
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        m.submodules.input, m.submodules.output = self.input, self.output
        m.submodules.memory = memory = ActivationMemory(CONFIG)
        wiring.connect(m, self.input.elements, memory.element)
        wiring.connect(m, self.output.activations, memory.output)
        return m


@pytest.mark.parametrize("stalls", [None, 3])
@pytest.mark.parametrize("gaps", [None, 4])
def test_what_goes_in_comes_out(gaps, stalls):
    dut = Both()
    simulation = Simulation(dut, limit=2000)
    inputs = [(3, [1, -2, 3, -128, 127]), (8, []), (15, [9]), (0, [10, 11])]
    outputs = [(3, [1, -2, 3, -128, 127]), (0, []), (15, [9]), (0, [10, 11]), (15, [9])]

    async def control(ctx):
        for destination, values in inputs:
            ctx.set(dut.input.ops.payload, {"destination": destination, "count": len(values)})
            ctx.set(dut.input.ops.valid, 1)
            await ctx.tick().until(dut.input.ops.ready)
        ctx.set(dut.input.ops.valid, 0)
        await ctx.tick().until(dut.input.idle)
        for source, values in outputs:
            ctx.set(dut.output.ops.payload, {"source": source, "count": len(values)})
            ctx.set(dut.output.ops.valid, 1)
            await ctx.tick().until(dut.output.ops.ready)
        ctx.set(dut.output.ops.valid, 0)
        await ctx.tick().until(dut.output.idle)

    simulation.add(control)
    simulation.source(dut.input.i, [value for _, values in inputs for value in values], gaps=gaps)
    taken = simulation.sink(dut.output.o, sum(len(values) for _, values in outputs), stalls=stalls)
    simulation.run()
    assert [(result.data, result.last) for result in taken] == [
        (value, k == len(values) - 1) for _, values in outputs for k, value in enumerate(values)
    ]


@pytest.mark.parametrize(("unit", "latency"), [("input", 1), ("output", 2)])
def test_idle_again_as_documented(unit, latency):
    dut = Both()
    simulation = Simulation(dut, limit=100)
    port = getattr(dut, unit)
    count = 6

    async def testbench(ctx):
        ctx.set(dut.input.i.valid, 1)
        ctx.set(dut.output.o.ready, 1)
        ctx.set(port.ops.payload, {"count": count})
        ctx.set(port.ops.valid, 1)
        await ctx.tick()
        ctx.set(port.ops.valid, 0)
        busy = 0
        while not ctx.get(port.idle):
            busy += 1
            await ctx.tick()
        assert busy == count + latency - 1

    simulation.add(testbench)
    simulation.run()


def test_abort_ends_an_input_that_waits():
    dut = InputUnit(CONFIG)
    simulation = Simulation(dut, limit=100)

    async def testbench(ctx):
        ctx.set(dut.elements.ready, 1)
        ctx.set(dut.ops.payload, {"destination": 0, "count": 3})
        ctx.set(dut.ops.valid, 1)
        await ctx.tick()
        ctx.set(dut.ops.valid, 0)
        assert ctx.get(dut.waiting)
        ctx.set(dut.abort, 1)
        await ctx.tick()
        assert ctx.get(dut.idle)
        assert not ctx.get(dut.i.ready)

    simulation.add(testbench)
    simulation.run()
