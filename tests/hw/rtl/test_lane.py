from simulation import Simulation

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl.lane import Lane

CONFIG = AcceleratorConfig(lanes=8, cell_lanes=1, activation_bits=16, accumulator_rows=4)


def test_stages_and_drain():
    """Every signal is present in its own cycle only, so a stage at the wrong place shows."""
    dut = Lane(CONFIG)
    simulation = Simulation(dut, limit=100)

    async def load(ctx, port, offset, data):
        ctx.set(port.offset, offset)
        ctx.set(port.data, data)
        ctx.set(port.enable, 1)
        await ctx.tick()
        ctx.set(port.enable, 0)

    async def accumulate(ctx, weight, index, *, sparse, row, activation, shift):
        stages = [
            {"weight_address": weight, "index_address": index},
            {"sparse": sparse, "row": row},
            {"activation": activation},
            {"shift": shift, "accumulate": 1},
        ]
        for stage in stages:
            for name, value in stage.items():
                ctx.set(getattr(dut, name), value)
            await ctx.tick()
            for name in stage:
                ctx.set(getattr(dut, name), 0)

    async def drain(ctx, row):
        ctx.set(dut.drain_row, row)
        ctx.set(dut.drain, 1)
        await ctx.tick()
        ctx.set(dut.drain, 0)
        return ctx.get(dut.accumulator)

    async def testbench(ctx):
        await load(ctx, dut.weights, 9, 0x180)
        await load(ctx, dut.weights, 10, 0x7F)
        await load(ctx, dut.indices, 5, 2)
        await accumulate(ctx, 9, 5, sparse=1, row=0, activation=-32768, shift=8)
        await accumulate(ctx, 10, 0, sparse=0, row=2, activation=3, shift=0)
        await accumulate(ctx, 10, 5, sparse=0, row=3, activation=-1, shift=24)
        await ctx.tick()
        assert await drain(ctx, 2) == (128 * 32768 << 8) + 127 * 3
        assert await drain(ctx, 2) == 0
        assert await drain(ctx, 3) == -(127 << 24)
        assert await drain(ctx, 0) == 0

    simulation.add(testbench)
    simulation.run()
