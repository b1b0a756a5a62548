"""Pieces of pipelines: delay lines, shifts and saturation."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.utils import exact_log2

from gatewright.sw.numbers import Fixed

SHIFT_LATENCY = 2
"""Cycles that `shift_right` takes."""

_FINE = 3
"""Low bits of a shift that the second stage of `shift_right` makes up for."""


def delay(m: Module, value, cycles: int, *, reset_less: bool = True):
    """Give `value` as it was `cycles` cycles ago.

    The registers are named after the variable that the result is assigned to.

    Parameters
    ----------
    m : Module
        Where the registers are added, in the domain ``sync``.
    value : Value or View
        What to delay; its shape is kept.
    cycles : int
        Registers in series; 0 gives the value itself.
    reset_less : bool
        False for control signals, which a reset must clear; data registers need none.
    """
    for _ in range(cycles):
        register = Signal(value.shape(), reset_less=reset_less, src_loc_at=1)
        m.d.sync += register.eq(value)
        value = register
    return value


def saturate(value: Value, target: Fixed) -> Value:
    """Clamp a signed value to the range of `target`: the hardware of `Fixed.saturate`."""
    low, high = value[: target.bits], value[target.bits - 1 :]
    fits = high.all() | ~high.any()
    return Mux(fits, low.as_signed(), Mux(value[-1], target.min, target.max))


def abridge(value: Value, bits: int, shift: Value | None = None, unit: int = 1) -> Value:
    """Give ``value >> shift * unit`` in `bits` + 1 bits, which saturate to `bits` bits as all of it would.

    Parameters
    ----------
    value : Value
        Signed.
    bits : int
        What fits them is kept as it is.
    shift : Value, optional
    unit : int
        Power of two.
    """
    shift = Const(0, 0) if shift is None else shift
    value = Cat(value, value[-1].replicate(max(0, bits + 1 - len(value)))).as_signed()
    sign, choices = value[-1], 1 << len(shift)
    beyond = Const(0)
    for k in range(choices):
        # Dropped by a shift of more than k.
        start = bits - 1 + k * unit
        high = value[start : start + unit if k < choices - 1 else None]
        beyond |= (shift <= k) & (high ^ sign.replicate(len(high))).any()
    kept = value >> Cat(Const(0, exact_log2(unit)), shift)
    return Cat(kept[: bits - 1], sign ^ beyond, sign).as_signed()


def shift_right(m: Module, value: Value, shift: Value, bits: int, name: str) -> Value:
    """Give ``value >> shift`` as `abridge` does, `SHIFT_LATENCY` cycles later.

    Two stages, of few choices each: whole multiples of ``1 << _FINE`` bits, and the rest.

    Parameters
    ----------
    m : Module
        Where the registers are added, in the domain ``sync``.
    value : Value
        Signed.
    shift : Value
        Bits to drop; goes with `value`.
    bits : int
        Width to which the result will be saturated.
    name : str
        Of the registers.
    """
    coarse, fine = shift[_FINE:], delay(m, shift[:_FINE], 1)
    for stage, (part, unit) in enumerate(((coarse, 1 << _FINE), (fine, 1))):
        shifted = abridge(value, bits + unit - 1, part, unit)
        value = Signal(shifted.shape(), name=f"{name}_shift{stage}", reset_less=True)
        m.d.sync += value.eq(shifted)
    return value
