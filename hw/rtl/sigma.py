"""The σ/tanh unit: the table of ``sw/numbers/sigma.py`` as a pipeline."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from gatewright.hw.rtl.pipeline import delay, saturate
from gatewright.sw.numbers import GATE, STATE
from gatewright.sw.numbers.sigma import BASE, OFFSET_BITS, ONE, RISE


class Sigma(wiring.Component):
    """Compute σ or tanh of a value in `STATE`.

    One value per cycle; the result follows its input by `LATENCY` cycles.

    Parameters
    ----------
    tanh : bool
        Compute tanh instead of σ.

    Members
    -------
    i : In(signed(16))
        In LSB of `STATE`.
    o : Out(signed(16))
        In LSB of `GATE`.
    """

    LATENCY = 5
    """Cycles from `i` to `o`: table, its output register, product, sum, sign."""

    def __init__(self, *, tanh: bool):
        self.tanh = bool(tanh)
        super().__init__({"i": In(signed(STATE.bits)), "o": Out(signed(GATE.bits))})

    def elaborate(self, platform: object) -> Module:
        m = Module()

        # tanh(v) = 2σ(2v) − 1. The clamp of the magnitude makes saturating 2v first needless.
        argument = self.i.shift_left(1) if self.tanh else self.i
        absolute = Mux(argument < 0, -argument, argument)
        magnitude = Signal(unsigned(STATE.bits - 1))
        m.d.comb += magnitude.eq(Mux(absolute[len(magnitude) :].any(), STATE.max, absolute))

        chord = data.StructLayout({"base": ONE.bit_length(), "rise": max(RISE).bit_length()})
        m.submodules.table = table = Memory(
            shape=chord,
            depth=len(BASE),
            init=[{"base": base, "rise": rise} for base, rise in zip(BASE, RISE, strict=True)],
        )
        read = table.read_port()
        m.d.comb += read.addr.eq(magnitude[OFFSET_BITS:])
        looked_up = delay(m, read.data, 1)
        offset = delay(m, magnitude[:OFFSET_BITS], 2)

        product = Signal(unsigned(chord["rise"].width + OFFSET_BITS), reset_less=True)
        m.d.sync += product.eq(looked_up.rise * offset)
        base = delay(m, looked_up.base, 1)

        # base + round_shift(product) in one addition: base stands above the bits that are dropped.
        rounding = Const((1 << OFFSET_BITS) >> 1, OFFSET_BITS)
        positive = Signal(range(ONE + 1), reset_less=True)
        m.d.sync += positive.eq((Cat(rounding, base) + product) >> OFFSET_BITS)

        negative = delay(m, self.i < 0, 4)
        if self.tanh:
            signed_result = Mux(negative, ONE - 2 * positive, 2 * positive - ONE)
        else:
            signed_result = Mux(negative, ONE - positive, positive)
        result = Signal(signed(GATE.bits), reset_less=True)
        m.d.sync += result.eq(saturate(signed_result, GATE))
        m.d.comb += self.o.eq(result)
        return m
