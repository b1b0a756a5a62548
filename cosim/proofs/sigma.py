"""σ and tanh against the definition of their table, for every input of any width that the accelerator gives them."""

from functools import partial

from amaranth.hdl import Assert, Cover, Elaboratable, Module, Mux, Signal, signed

from gatewright.cosim.proofs.proof import Broken, Proof, anything, clamp, past
from gatewright.hw.rtl.pipeline import delay
from gatewright.hw.rtl.sigma import Sigma
from gatewright.sw.numbers import GATE, STATE
from gatewright.sw.numbers.sigma import BASE, OFFSET_BITS, ONE, RISE

WIDTH = 34
"""Width of the inputs: no less than any that the accelerator has."""


class Curve(Elaboratable):
    """One of the two functions, beside its definition by magnitudes."""

    def __init__(self, tanh: bool):
        self.tanh = tanh

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = dut = Sigma(WIDTH)
        value, carry = anything(m, signed(WIDTH), "value"), anything(m, 1, "carry")
        m.d.comb += [dut.i.eq(value), dut.carry.eq(carry), dut.tanh.eq(self.tanh)]

        within = clamp(value + carry, STATE.min, STATE.max)
        if self.tanh:
            within = clamp(2 * within, STATE.min, STATE.max)
        magnitude = Signal(STATE.bits)
        base, rise = Signal(range(ONE + 1)), Signal(range(max(RISE) + 1))
        negative = within < 0
        m.d.comb += magnitude.eq(Mux(negative, -within, within))
        # The end of the table, which −16 alone reaches: the curve is flat there.
        m.d.comb += base.eq(ONE)
        with m.Switch(magnitude[OFFSET_BITS:]):
            for segment, (left, climb) in enumerate(zip(BASE, RISE, strict=True)):
                with m.Case(segment):
                    m.d.comb += [base.eq(left), rise.eq(climb)]
        positive = base + ((rise * magnitude[:OFFSET_BITS] + (1 << OFFSET_BITS - 1)) >> OFFSET_BITS)
        result = Mux(negative, ONE - positive, positive)
        if self.tanh:
            result = 2 * result - ONE
        wanted = delay(m, clamp(result, GATE.min, GATE.max), Sigma.LATENCY)
        early = past(m, Sigma.LATENCY)
        m.d.comb += [
            Assert(~early | (dut.o == wanted)),
            Cover(early & (wanted == GATE.max)),
            Cover(early & (wanted < (8 - ONE if self.tanh else 8))),
            Cover(early & (wanted > 0) & (wanted < GATE.max // 2)),
        ]
        return m


PROOFS = tuple(
    Proof(
        name,
        f"{name} of every value of {WIDTH} bits, and of its successor by a carry, is what its table and formula say.",
        partial(Curve, name == "tanh"),
        depth=Sigma.LATENCY + 1,
        induction=Sigma.LATENCY,
        broken=Broken("sigma", "left = delay(m, negative, 3)", "left = delay(m, negative, 3) & 0"),
        quick=False,
    )
    for name in ("sigma", "tanh")
)
