"""Pieces of pipelines: delay lines and saturation."""

from amaranth.hdl import Module, Mux, Signal, Value

from gatewright.sw.numbers import Fixed


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
