import json

import pytest
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from ecp5 import cells, counts, designed, differences

from gatewright.hw.fpga.absorb import top_module
from gatewright.hw.fpga.carry import fold

WIDTH = 9


class Sum(wiring.Component):
    """An addition, one summand of which is as `summand` says of inputs b, c and s."""

    def __init__(self, summand, *, shared=False):
        self.summand = summand
        self.shared = shared
        super().__init__(
            {"a": In(WIDTH), "b": In(WIDTH), "c": In(WIDTH), "s": In(2), "y": Out(WIDTH + 1), "z": Out(WIDTH)}
        )

    def elaborate(self, platform):
        m = Module()
        summand = Signal(WIDTH)
        m.d.comb += summand.eq(self.summand(self))
        m.d.sync += self.y.eq(self.a + summand)
        if self.shared:
            m.d.sync += self.z.eq(summand)
        return m


FOLDED = {
    "choice": lambda m: Mux(m.s[0], m.b, m.c),
    "gate": lambda m: Mux(m.s[0], m.b, 0),
    "gate of a gate": lambda m: Mux(m.s[0] & ~m.s[1], m.b, 0),
    "either": lambda m: m.b ^ m.c,
}

KEPT = {
    "four inputs": lambda m: Mux(m.s[0] & m.s[1], m.b, m.c),
    "one without the others": lambda m: ~(m.b | m.c | m.s[0].replicate(WIDTH)),
}


@pytest.mark.parametrize("name", FOLDED)
def test_a_table_moves_into_the_adder(name):
    before = designed(Sum(FOLDED[name]))
    after = fold(before)
    assert counts(after)["LUT4"] <= counts(before)["LUT4"] - WIDTH
    assert counts(after)["CCU2C"] == counts(before)["CCU2C"]
    assert differences(before, after, 300) == 0


@pytest.mark.parametrize("name", KEPT)
def test_a_table_that_the_adder_cannot_take_stays(name):
    before = designed(Sum(KEPT[name]))
    assert counts(fold(before)) == counts(before)
    assert differences(before, fold(before), 100) == 0


def test_a_table_that_others_read_stays():
    before = designed(Sum(FOLDED["choice"], shared=True))
    assert counts(fold(before)) == counts(before)


def test_a_wrong_table_is_seen():
    before = designed(Sum(FOLDED["choice"]))
    after = json.loads(fold(before))
    adder = next(cell for cell in top_module(after)["cells"].values() if cell["type"] == "CCU2C")
    adder["parameters"]["INIT0"] = cells(before, "CCU2C")[0]["parameters"]["INIT0"]
    assert differences(before, json.dumps(after), 100) > 0
