from amaranth.back import rtlil
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.fpga.merge import merge_modules


class Adder(wiring.Component):
    def __init__(self, addend):
        self.addend = addend
        super().__init__({"a": In(8), "y": Out(8)})

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.y.eq(self.a + self.addend)
        return m


class Pair(wiring.Component):
    """Two adders in a row."""

    def __init__(self, first, second):
        self.addends = first, second
        super().__init__({"a": In(8), "y": Out(8)})

    def elaborate(self, platform):
        m = Module()
        value = self.a
        for k, addend in enumerate(self.addends):
            m.submodules[f"adder{k}"] = adder = Adder(addend)
            m.d.comb += adder.a.eq(value)
            value = adder.y
        m.d.comb += self.y.eq(value)
        return m


class Pairs(wiring.Component):
    def __init__(self, *addends):
        self.addends = addends
        super().__init__({"a": In(8), "y": Out(8)})

    def elaborate(self, platform):
        m = Module()
        total = Signal(8)
        for k, addends in enumerate(self.addends):
            m.submodules[f"pair{k}"] = pair = Pair(*addends)
            m.d.comb += pair.a.eq(self.a)
            total = total ^ pair.y
        m.d.comb += self.y.eq(total)
        return m


def modules(text):
    return [line.split()[1].lstrip("\\") for line in text.splitlines() if line.startswith("module ")]


def cells(text):
    return [line.split()[1:] for line in text.splitlines() if line.strip().startswith("cell \\")]


def test_equal_modules_become_the_first_of_them_children_first():
    text = rtlil.convert(Pairs((1, 2), (1, 2), (1, 3)), name="top", emit_src=False)
    merged = merge_modules(text)
    assert len(modules(text)) == 1 + 3 + 6
    # The last pair is another circuit, but its first adder is not.
    assert modules(merged) == [
        "top",
        "top.pair0",
        "top.pair0.adder0",
        "top.pair0.adder1",
        "top.pair2",
        "top.pair2.adder1",
    ]
    assert cells(merged) == [
        ["\\top.pair0", "\\pair0"],
        ["\\top.pair0", "\\pair1"],
        ["\\top.pair2", "\\pair2"],
        ["\\top.pair0.adder0", "\\adder0"],
        ["\\top.pair0.adder1", "\\adder1"],
        ["\\top.pair0.adder0", "\\adder0"],
        ["\\top.pair2.adder1", "\\adder1"],
    ]


def test_a_design_without_equal_modules_stays_as_it_is():
    text = rtlil.convert(Pairs((1, 2)), name="top", emit_src=False)
    assert merge_modules(text) == text
