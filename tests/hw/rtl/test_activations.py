import pytest
from simulation import Simulation

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl.activations import ActivationMemory


@pytest.mark.parametrize("cell_lanes", [1, 2])
@pytest.mark.parametrize("activation_bits", [8, 16])
def test_elements_and_words_share_the_memory(cell_lanes, activation_bits):
    config = AcceleratorConfig(
        lanes=8, cell_lanes=cell_lanes, activation_bits=activation_bits, activation_depth=16
    )
    dut = ActivationMemory(config)
    low = -(1 << (activation_bits - 1))
    values = [low + k for k in range(16)]

    async def testbench(ctx):
        for address, value in enumerate(values):
            ctx.set(dut.element.payload, {"address": address, "data": value})
            ctx.set(dut.element.valid, 1)
            assert ctx.get(dut.element.ready)
            await ctx.tick()
        # A word goes first; the element waits.
        ctx.set(dut.element.payload, {"address": 7, "data": 77})
        ctx.set(dut.word.address, 2)
        ctx.set(dut.word.data, [5, 6][:cell_lanes])
        ctx.set(dut.word.enable, 1)
        assert not ctx.get(dut.element.ready)
        await ctx.tick()
        ctx.set(dut.word.enable, 0)
        assert ctx.get(dut.element.ready)
        await ctx.tick()
        ctx.set(dut.element.valid, 0)
        values[7] = 77
        values[2 * cell_lanes : 3 * cell_lanes] = [5, 6][:cell_lanes]

        for address, value in enumerate(values):
            for port in (dut.matrix, dut.output):
                ctx.set(port.enable, 1)
            ctx.set(dut.matrix.address, address)
            ctx.set(dut.output.address, 15 - address)
            await ctx.tick()
            assert ctx.get(dut.matrix.data) == value
            assert ctx.get(dut.output.data) == values[15 - address]
            ctx.set(dut.output.enable, 0)
            ctx.set(dut.output.address, address)
            await ctx.tick()
            assert ctx.get(dut.output.data) == values[15 - address], "must hold while not enabled"

    simulation = Simulation(dut)
    simulation.add(testbench)
    simulation.run()
