import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from simulation import Simulation

from gatewright.errors import ConfigError, ToolError
from gatewright.hw.fpga.devices import OPEN_DEVICES, device
from gatewright.hw.fpga.place import place
from gatewright.hw.fpga.serial import SerialPorts
from gatewright.hw.fpga.synthesis import netlist
from gatewright.hw.fpga.verilog import emit_component


class Products(wiring.Component):
    """Multipliers, each with registers of its own."""

    def __init__(self, count):
        self.count = count
        super().__init__({"a": In(signed(10)), "b": In(signed(10)), "y": Out(signed(20))})

    def elaborate(self, platform):
        m = Module()
        factor, total = self.a, 0
        for k in range(self.count):
            register, product = Signal(signed(10), name=f"factor{k}"), Signal(signed(20), name=f"product{k}")
            m.d.sync += [register.eq(factor), product.eq(register * self.b)]
            factor, total = register, total ^ product
        m.d.sync += self.y.eq(total)
        return m


def design(count):
    return netlist(emit_component(SerialPorts(Products(count)), "products"), top="products")


@pytest.fixture(scope="module")
def netlist_of_two():
    return design(2)


class Wires(wiring.Component):
    """Outputs that are inputs, so that every bit can be followed."""

    def __init__(self):
        super().__init__(
            {"a": In(3), "b": In(signed(2)), "tock": In(1), "x": Out(3), "y": Out(2), "z": Out(1)}
        )

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [self.x.eq(self.a), self.y.eq(self.b), self.z.eq(self.tock)]
        return m


@pytest.mark.parametrize("clock", [None, "tock"])
def test_serial_ports_reach_every_port(clock):
    dut = SerialPorts(Wires(), clock)
    simulation = Simulation(dut)
    # A clock is not shifted in, and seen low between its edges.
    bits = [1, 1, 0, 1, 0] if clock else [1, 1, 0, 1, 0, 1]
    seen = []

    async def testbench(ctx):
        for bit in bits:
            ctx.set(dut.serial_in, bit)
            await ctx.tick()
        ctx.set(dut.capture, 1)
        await ctx.tick()
        ctx.set(dut.capture, 0)
        for _ in range(6):
            seen.append(ctx.get(dut.serial_out))
            await ctx.tick()

    simulation.add(testbench)
    simulation.run()
    assert seen == ([0, *bits] if clock else bits)


def test_placement_is_read_back_and_repeats(netlist_of_two):
    told = []
    first = place(netlist_of_two, device("ecp5-25k"), (1, 2), progress=lambda *step: told.append(step))
    assert [step[1:3] for step in told] == [(1, 2), (2, 2)]
    assert [placement.seed for placement in first] == [1, 2]
    for placement in first:
        assert placement.multipliers == 2
        assert placement.block_ram == 0
        assert placement.flip_flops >= 20 + 20
        assert placement.available["MULT18X18D"] == placement.device.multipliers
        assert placement.available["DP16KD"] == placement.device.block_rams
        assert placement.available["TRELLIS_COMB"] == placement.device.luts
        assert 50 < placement.megahertz < 600
        assert placement.critical_path
    rows = {row.name: row for row in first[0].rows()}
    assert rows["placed_frequency"].value == first[0].megahertz
    assert rows["placed_multipliers"].parameters["available"] == 28
    assert place(netlist_of_two, device("ecp5-25k"), (2,)) == first[1:]


def test_a_design_that_does_not_fit():
    with pytest.raises(ToolError, match="nextpnr failed for ecp5-25k, seed 1"):
        place(design(29), device("ecp5-25k"), (1,))


def test_time_limit(netlist_of_two):
    with pytest.raises(ToolError, match=r"stopped after its 0\.01 s"):
        place(netlist_of_two, device("ecp5-25k"), (1,), seconds=0.01)


def test_only_ecp5(netlist_of_two):
    with pytest.raises(ToolError, match="no ECP5"):
        place(netlist_of_two, device("ice40-up5k"))


def test_unknown_device():
    with pytest.raises(ConfigError, match="ecp5-25k, ecp5-45k"):
        device("ecp5-99k")


def test_devices_have_names_of_their_own():
    assert len({known.name for known in OPEN_DEVICES}) == len(OPEN_DEVICES)
