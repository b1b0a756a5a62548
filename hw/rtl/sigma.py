"""The σ/tanh unit: the table of ``sw/numbers/sigma.py`` as a pipeline."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from gatewright.hw.rtl.pipeline import delay, saturate
from gatewright.sw.numbers import GATE, STATE
from gatewright.sw.numbers.sigma import BASE, OFFSET_BITS, ONE, RISE

_HALF = ONE // 2


class Sigma(wiring.Component):
    """Compute σ or tanh of a value in the scale of `STATE`, saturated to it.

    One value per cycle; the result follows its input by `LATENCY` cycles.

    Parameters
    ----------
    width : int
        Width of the input, at least that of `STATE`.
    tanh : bool
        Compute tanh instead of σ.

    Members
    -------
    i : In(signed(width))
        In LSB of `STATE`.
    o : Out(signed(16))
        In LSB of `GATE`.
    """

    LATENCY = 4
    """Cycles from `i` to `o`: table, its output register, product, sum."""

    def __init__(self, width: int, *, tanh: bool):
        self.tanh = bool(tanh)
        super().__init__({"i": In(signed(width)), "o": Out(signed(GATE.bits))})

    def elaborate(self, platform: object) -> Module:
        m = Module()

        # With ρ(m) = σ(m) − ½ for m ≥ 0: σ(v) = ½ ± ρ(|v|) and tanh(v) = ±2ρ(|2v|).
        doubled, centre = (1, 0) if self.tanh else (0, _HALF)
        negative = self.i[-1]

        # ~v stands for −v; the 1 that it lacks goes to the offset, as chords meet at their ends. The last chord is
        # flat, so an address clamped to it saturates the input, whatever the offset.
        assert RISE[-1] == 0
        magnitude = (self.i ^ negative.replicate(len(self.i)))[:-1]
        offset_bits = OFFSET_BITS - doubled
        chord, beyond = (
            magnitude[offset_bits : STATE.bits - 1 - doubled],
            magnitude[STATE.bits - 1 - doubled :],
        )
        offset = Signal(range((1 << OFFSET_BITS) + 1), reset_less=True)
        m.d.sync += offset.eq((magnitude[:offset_bits] + negative) << doubled)

        layout = data.StructLayout({"base": _HALF.bit_length(), "rise": max(RISE).bit_length()})
        m.submodules.table = table = Memory(
            shape=layout,
            depth=len(BASE),
            init=[{"base": base - _HALF, "rise": rise} for base, rise in zip(BASE, RISE, strict=True)],
        )
        read = table.read_port()
        m.d.comb += read.addr.eq(chord | beyond.any().replicate(len(chord)))
        looked_up = delay(m, read.data, 1)

        product = Signal(range(max(RISE) * (1 << OFFSET_BITS) + 1), reset_less=True)
        base = Signal(signed(ONE.bit_length() + 1), reset_less=True)
        m.d.sync += [
            product.eq(looked_up.rise * delay(m, offset, 1)),
            base.eq(Mux(delay(m, negative, 2), centre - looked_up.base, centre + looked_up.base)),
        ]

        # base ± product, rounded half up before the sign is applied, in one addition: of −p and ~p = −p − 1 the latter
        # rounds so with the same constant. base stands above the bits that are dropped.
        subtract = delay(m, negative, 3)
        term = Cat(product ^ subtract.replicate(len(product)), subtract).as_signed()
        rounding = Const((1 << OFFSET_BITS) >> 1, OFFSET_BITS)
        total = (Cat(rounding, base).as_signed() + term) >> OFFSET_BITS
        result = Signal(signed(GATE.bits), reset_less=True)
        m.d.sync += result.eq(saturate(total << doubled, GATE))
        m.d.comb += self.o.eq(result)
        return m
