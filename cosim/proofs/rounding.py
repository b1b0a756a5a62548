"""Rounding half up and saturation, for every value and every shift, against a formula of their own."""

from functools import partial

from amaranth.hdl import Assert, Cover, Elaboratable, Module, Signal, signed

from gatewright.cosim.proofs.proof import Broken, Proof, anything, clamp, past
from gatewright.hw.rtl.pipeline import SHIFT_LATENCY, delay, saturate, shift_right
from gatewright.sw.numbers import ACCUMULATOR, STATE, Fixed, hidden_format, round_shift

_SHIFT_BITS = 5


class Rounded(Elaboratable):
    """What the drain unit does with a total: shifted with one bit more, rounded half up, saturated."""

    def __init__(self, target: Fixed):
        self.target = target

    def elaborate(self, platform: object) -> Module:
        m = Module()
        target = self.target
        total = anything(m, signed(ACCUMULATOR.bits), "total")
        shift = anything(m, _SHIFT_BITS, "shift")
        shifted = shift_right(m, total.shift_left(1), shift, target.bits + 1, "total")
        rounded = saturate(round_shift(shifted, 1), target)

        # Half up: the bit below the last that stays is added to the floor.
        half = Signal()
        m.d.comb += half.eq((total.shift_left(1) >> shift)[0])
        wanted = clamp((total >> shift) + half, target.min, target.max)
        early = past(m, SHIFT_LATENCY)
        wanted = delay(m, wanted, SHIFT_LATENCY)
        m.d.comb += [
            Assert(~early | (rounded == wanted)),
            Cover(early & (wanted == target.max)),
            Cover(early & (wanted == target.min)),
            Cover(early & (wanted == 1) & (delay(m, shift, SHIFT_LATENCY) == 31)),
        ]
        return m


class Shifted(Elaboratable):
    """A shifted value that the table of σ saturates: as the value shifted in full."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        total = anything(m, signed(ACCUMULATOR.bits), "total")
        shift = anything(m, _SHIFT_BITS, "shift")
        shifted = shift_right(m, total, shift, STATE.bits, "total")
        early = past(m, SHIFT_LATENCY)
        wanted = delay(m, clamp(total >> shift, STATE.min, STATE.max), SHIFT_LATENCY)
        m.d.comb += [
            Assert(~early | (saturate(shifted, STATE) == wanted)),
            Assert(~early | (clamp(shifted, STATE.min, STATE.max) == wanted)),
            Cover(early & (wanted == STATE.max)),
            Cover(early & (wanted == -3)),
        ]
        return m


PROOFS = (
    *(
        Proof(
            f"rounding-{bits}",
            f"A total of 32 bits, shifted by 0 to 31, is rounded half up and saturated to {bits} bits: for all inputs.",
            partial(Rounded, hidden_format(bits)),
            depth=4,
            induction=4,
            broken=Broken(
                "pipeline", "fits = high.all() | ~high.any()", "fits = high.all() | ~high[1:].any()"
            ),
        )
        for bits in (8, 16)
    ),
    Proof(
        "shift",
        "A total of 32 bits, shifted by 0 to 31, saturates to 16 bits as all of its bits would: for all inputs.",
        Shifted,
        depth=4,
        induction=4,
        broken=Broken("pipeline", "beyond |= (shift <= k) &", "beyond |= (shift < k) &"),
    ),
)
