"""The σ/tanh unit: the table of ``sw/numbers/sigma.py`` as a pipeline."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from gatewright.hw.rtl.pipeline import abridge, delay
from gatewright.sw.numbers import GATE, STATE
from gatewright.sw.numbers.sigma import BASE, OFFSET_BITS, ONE, RISE

_HALF = ONE // 2

TABLE = data.StructLayout({"base": signed(_HALF.bit_length() + 1), "rise": max(RISE).bit_length()})
"""A chord of σ − ½: its value at the left end, and its rise."""


def chords() -> list[dict[str, int]]:
    """Give σ − ½ on [−16, 16) as the contents of a table, by the chord's number in two's complement."""
    right = [base - _HALF for base in BASE]
    left = [-base - rise for base, rise in zip(right, RISE, strict=True)]
    return [
        {"base": base, "rise": rise}
        for base, rise in (*zip(right, RISE, strict=True), *zip(left[::-1], RISE[::-1], strict=True))
    ]


class Sigma(wiring.Component):
    """Compute σ or tanh of a value in the scale of `STATE`, saturated to it.

    One value per cycle; the result follows its input by `LATENCY` cycles.

    Parameters
    ----------
    width : int
        Width of the input, at least that of `STATE`.
    tanh : bool, optional
        Compute tanh instead of σ. Without it, the member `tanh` chooses.

    Members
    -------
    tanh : In(1)
        Compute tanh of this `i`; only where the parameter leaves it open.
    i : In(signed(width))
        In LSB of `STATE`.
    carry : In(1)
        The value is ``i + 1``.
    o : Out(signed(16))
        In LSB of `GATE`.
    """

    LATENCY = 4
    """Cycles from `i` to `o`: table, its output register, product, sum."""

    def __init__(self, width: int, *, tanh: bool | None = None):
        self._fixed = tanh
        super().__init__(
            {
                **({"tanh": In(1)} if tanh is None else {}),
                "i": In(signed(width)),
                "carry": In(1),
                "o": Out(signed(GATE.bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()

        # σ(v) = ½ + s(v) and tanh(v) = 2s(2v). The chords at both ends are flat, so a number clamped to the last of
        # them saturates the input, whatever the offset.
        assert RISE[-1] == 0
        value = abridge(self._choose(m, 0, self.i.shift_left(1), self.i), STATE.bits)
        inner, negative = value[OFFSET_BITS : STATE.bits - 1], value[-1]
        clamped = Mux(value[STATE.bits - 1] ^ negative, (~negative).replicate(len(inner)), inner)

        m.submodules.table = table = Memory(shape=TABLE, depth=2 * len(BASE), init=chords())
        read = table.read_port()
        m.d.comb += read.addr.eq(Cat(clamped, negative))
        chord = delay(m, read.data, 1)
        # As chords meet at their ends, a carry may lead there.
        carry = self._choose(m, 0, self.carry << 1, self.carry)
        offset = Signal(range((1 << OFFSET_BITS) + 1), reset_less=True)
        m.d.sync += offset.eq(value[:OFFSET_BITS] + carry)
        offset = delay(m, offset, 1)

        product = Signal(range((max(RISE) << OFFSET_BITS) + 1), reset_less=True)
        base = Signal.like(chord.base, reset_less=True)
        m.d.sync += [product.eq(chord.rise * offset), base.eq(chord.base)]

        # Rounded half up on the right of 0 and half down on its left, as s is odd: by the bits below the base.
        left = delay(m, negative, 3)
        rounding = Cat(left.replicate(OFFSET_BITS - 1), ~left)
        s = (Cat(rounding, base).as_signed() + product)[OFFSET_BITS:][: len(base)]
        one = s[-2] & ~s[-1]
        sigma, tanh = Cat(s[:-2], ~s[-2], 0), Cat(0, s[:-1])
        result = Signal(signed(GATE.bits), reset_less=True)
        m.d.sync += result.eq(Mux(one, GATE.max, self._choose(m, 3, tanh, sigma)))
        m.d.comb += self.o.eq(result)
        return m

    def _choose(self, m: Module, stage: int, tanh: Value, sigma: Value) -> Value:
        """Give what belongs to the function of the value in a stage."""
        if self._fixed is None:
            return Mux(delay(m, self.tanh, stage), tanh, sigma)
        return tanh if self._fixed else sigma
