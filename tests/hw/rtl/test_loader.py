import pytest
from amaranth.sim import Simulator

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import ErrorCode, Region
from gatewright.hw.rtl.loader import Loader

CONFIG = AcceleratorConfig(
    lanes=8,
    cell_lanes=2,
    weight_depth=48,
    index_depth=33,
    bias_depth=6,
    column_depth=9,
    program_depth=5,
)
SIZES = {
    Region.PROGRAM: ("program", 4, 5),
    Region.WEIGHT: ("weight", 8, 48),
    Region.INDEX: ("index", 8, 33),
    Region.BIAS: ("bias", 8, 6),
    Region.COLUMN: ("column", 2, 9),
}

JUDGED = 1
"""Cycles from a word on the bus to what is said of it; in the cycle behind it is written."""


@pytest.mark.parametrize("busy", [0, 1])
def test_enables_exactly_the_addressed_memory(busy):
    """What counts is the cycle in which the word is on the bus, not what the bus and `busy` show behind it."""
    dut = Loader(CONFIG)

    def enabled(ctx):
        return any(ctx.get(getattr(dut, name).enable) for name, _, _ in SIZES.values())

    async def testbench(ctx):
        cases = [
            (region, lane, offset)
            for region, (_, lanes, depth) in SIZES.items()
            for lane in (0, lanes - 1, lanes, 0xFFF)
            for offset in (0, depth - 1, depth, 0xFFFF)
        ] + [(5, 0, 0), (15, 0, 0)]
        for region, lane, offset in cases:
            address = {"region": region, "lane": lane, "offset": offset}
            ctx.set(dut.load.payload, {"address": address, "data": 0x89ABCDEF})
            ctx.set(dut.load.valid, 1)
            ctx.set(dut.busy, busy)
            _, lanes, depth = SIZES.get(region, ("", 0, 0))
            legal = lane < lanes and offset < depth
            code = ErrorCode.LOAD_BUSY if busy else ErrorCode.NONE if legal else ErrorCode.LOAD_ADDRESS
            assert ctx.get(dut.error) == ErrorCode.NONE
            assert ctx.get(dut.load.ready)
            assert ctx.get(dut.loading)
            await ctx.tick()
            ctx.set(dut.load.valid, 0)
            ctx.set(dut.load.payload, {"address": {"region": Region.BIAS, "lane": 0, "offset": 1}, "data": 7})
            ctx.set(dut.busy, 1 - busy)
            for _ in range(JUDGED - 1):
                assert ctx.get(dut.error) == ErrorCode.NONE
                assert ctx.get(dut.loading)
                assert not enabled(ctx)
                await ctx.tick()
            # No job begins before the word is written.
            ctx.set(dut.busy, 0)
            assert ctx.get(dut.error) == code
            assert ctx.get(dut.loading)
            assert not enabled(ctx)
            await ctx.tick()
            assert ctx.get(dut.error) == ErrorCode.NONE
            assert not ctx.get(dut.loading)
            for other, (name, _, _) in SIZES.items():
                port = getattr(dut, name)
                enable = 1 << lane if legal and not busy and other == region else 0
                assert ctx.get(port.enable) == enable, (region, lane, offset, name)
                if enable:
                    assert (ctx.get(port.offset), ctx.get(port.data)) == (offset, 0x89ABCDEF)
            await ctx.tick()
            assert not enabled(ctx)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
