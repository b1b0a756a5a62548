"""What must never happen in the hardware: a simulation that sees it stops."""

from amaranth.hdl import Assert, Module, ResetSignal, Value, ValueLike

CHECKS = "checks"
"""Name of the submodules that synthesis does not see."""


def checks(m: Module) -> Module:
    """Give the submodule that holds what a module needs for its checks alone: what synthesis sees stays the same."""
    try:
        return m.submodules[CHECKS]
    except AttributeError:
        m.submodules[CHECKS] = added = Module()
        return added


def never(m: Module, what: str, happens: ValueLike) -> None:
    """Let every simulation, of Amaranth's and of the Verilog, stop with an error where something happens.

    Looked at in each clock edge without reset.

    Parameters
    ----------
    m : Module
    what : str
        What happens; once in a module, as it becomes the name of the assertion in the Verilog.
    happens : ValueLike
    """
    inner = checks(m)
    with inner.If(~ResetSignal()):
        inner.d.sync += Assert(~Value.cast(happens).any(), f"never: {what}")
