import json
from collections import Counter

import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from ecp5 import cells, counts, designed, differences

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga import absorb as module
from gatewright.hw.fpga.absorb import absorb, top_module
from gatewright.hw.fpga.devices import device
from gatewright.hw.fpga.place import place
from gatewright.hw.fpga.serial import SerialPorts
from gatewright.hw.fpga.synthesis import mapped
from gatewright.hw.fpga.verilog import emit


class Lookup(wiring.Component):
    """A block RAM, a register behind it, and some logic; `change` says what is not as it should be."""

    def __init__(self, width, change=""):
        self.width = width
        self.change = change
        super().__init__(
            {"row": In(9), "old": In(9), "word": In(width), "write": In(1), "more": In(1), "read": Out(width)}
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=self.width, depth=512, init=[], attrs={"collision": "none"}
        )
        read, write = memory.read_port(), memory.write_port()
        m.d.comb += [read.addr.eq(self.row), read.en.eq(self.more if "pause" in self.change else 1)]
        m.d.comb += [write.addr.eq(self.old), write.data.eq(self.word), write.en.eq(self.write)]
        register = Signal(
            self.width,
            reset_less="reset" not in self.change,
            init=-1 if "one" in self.change else 0,
        )
        with m.If(self.more if "enable" in self.change else 1):
            m.d.sync += register.eq(read.data)
        other = Signal(self.width, reset_less=True)
        m.d.sync += other.eq(register ^ (read.data if "reader" in self.change else 0))
        m.d.sync += self.read.eq(other ^ register)
        return m


class Product(wiring.Component):
    """A multiplier between registers; `change` says what is not as it should be."""

    def __init__(self, change=""):
        self.change = change
        members = {
            "a": In(signed(9)),
            "b": In(signed(8)),
            "more": In(1),
            "y": Out(signed(17)),
            "z": Out(signed(17)),
        }
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        a = Signal(signed(9), reset_less=True)
        b = Signal(signed(8), reset_less="reset b" not in self.change)
        product = Signal(signed(17), reset_less="reset product" not in self.change)
        m.d.sync += a.eq(self.a ^ self.more if "logic" in self.change else self.a)
        with m.If(self.more if "enable" in self.change else 1):
            m.d.sync += b.eq(self.b)
        taken = (self.b if "bare" in self.change else b) * a
        with m.If(self.more if "enable" in self.change else 1):
            m.d.sync += product.eq(taken)
        m.d.sync += self.y.eq(product ^ 5)
        if "reader" in self.change:
            m.d.sync += self.z.eq(a ^ taken)
        return m


def made(kind, *arguments):
    return {"Lookup": Lookup, "Product": Product}[kind](*arguments)


@pytest.mark.parametrize("change", ["", "pause enable"])
@pytest.mark.parametrize("width", [4, 9, 18, 36])
def test_a_register_behind_a_block_ram_moves_in(width, change):
    before = designed(Lookup(width, change))
    after = absorb(before)
    assert counts(before)["TRELLIS_FF"] - counts(after)["TRELLIS_FF"] == width
    (memory,) = cells(after, "DP16KD")
    assert memory["parameters"]["REGMODE_B"] == "OUTREG"
    assert differences(before, after, 200) == 0


@pytest.mark.parametrize("change", ["reset", "reader", "enable", "one", "pause"])
def test_a_register_behind_a_block_ram_stays(change):
    before = designed(Lookup(18, change))
    assert counts(absorb(before)) == counts(before)
    assert differences(before, absorb(before), 100) == 0


def test_registers_around_a_multiplier_move_in():
    before = designed(Product())
    after = absorb(before)
    assert counts(before)["TRELLIS_FF"] - counts(after)["TRELLIS_FF"] == 9 + 8 + 17
    (multiplier,) = cells(after, "MULT18X18D")
    for register in ("INPUTA", "INPUTB", "OUTPUT"):
        assert multiplier["parameters"][f"REG_{register}_CLK"] == "CLK0"
    assert differences(before, after, 200) == 0


@pytest.mark.parametrize(
    ("change", "moved"),
    [
        ("reset product", 9 + 8),
        ("reset b", 17),
        ("bare", 17),
        ("enable", 0),
        ("logic", 17),
        # The product goes elsewhere too; of the operand a copy moves.
        ("reader", 8),
    ],
)
def test_registers_around_a_multiplier_that_stay(change, moved):
    before = designed(Product(change))
    after = absorb(before)
    assert counts(before)["TRELLIS_FF"] - counts(after)["TRELLIS_FF"] == moved
    assert differences(before, after, 200) == 0


@pytest.mark.parametrize(
    ("component", "kind", "parameter", "value"),
    [
        (("Lookup", 18), "DP16KD", "REGMODE_B", "NOREG"),
        (("Lookup", 36), "DP16KD", "REGMODE_A", "NOREG"),
        (("Product",), "MULT18X18D", "REG_INPUTA_CLK", "NONE"),
        (("Product",), "MULT18X18D", "REG_OUTPUT_CLK", "NONE"),
    ],
)
def test_a_register_that_got_lost_is_seen(component, kind, parameter, value):
    before = designed(made(*component))
    after = json.loads(absorb(before))
    (cell,) = [cell for cell in top_module(after)["cells"].values() if cell["type"] == kind]
    cell["parameters"][parameter] = value
    assert differences(before, json.dumps(after), 50) > 0


@pytest.mark.parametrize(
    "component",
    [("Lookup", 18, "reset"), ("Lookup", 18, "enable"), ("Product", "reset product"), ("Product", "reset b")],
)
def test_a_register_that_moved_in_spite_of_its_reset_or_enable_is_seen(component, monkeypatch):
    monkeypatch.setattr(module, "_is_plain", lambda cell: cell["type"] == "TRELLIS_FF")
    monkeypatch.setattr(module, "_enable", lambda _: "1")
    before = designed(made(*component))
    after = absorb(before)
    assert counts(after)["TRELLIS_FF"] < counts(before)["TRELLIS_FF"]
    assert differences(before, after, 200) > 0


@pytest.mark.parametrize("component", [("Lookup", 18, "reader"), ("Product", "reader")])
def test_a_register_that_moved_away_from_a_reader_is_seen(component, monkeypatch):
    monkeypatch.setattr(module, "Counter", lambda nets: Counter(set(nets)))
    before = designed(made(*component))
    after = absorb(before)
    assert counts(after)["TRELLIS_FF"] < counts(before)["TRELLIS_FF"]
    assert differences(before, after, 200) > 0


@pytest.mark.slow
def test_an_accelerator_does_what_it_did():
    config = AcceleratorConfig(
        lanes=4,
        cell_lanes=1,
        weight_depth=512,
        index_depth=512,
        column_depth=64,
        accumulator_rows=16,
        activation_depth=64,
        bias_depth=64,
        state_depth=64,
        program_depth=64,
    )
    before = mapped(emit(config))
    after = absorb(before)
    assert counts(before)["TRELLIS_FF"] - counts(after)["TRELLIS_FF"] > 100
    assert {cell["parameters"]["REGMODE_B"] for cell in cells(after, "DP16KD")} == {"OUTREG"}
    assert all("REG_OUTPUT_CLK" in cell["parameters"] for cell in cells(after, "MULT18X18D"))
    assert differences(before, after, 10) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("component", "gain"), [(("Lookup", 18), 2), (("Product",), 2)])
def test_the_placer_times_the_registers_inside(component, gain):
    before = designed(SerialPorts(made(*component)))
    slow, fast = (place(each, device("ecp5-25k"), (1,))[0].megahertz for each in (before, absorb(before)))
    assert fast > gain * slow
