"""What a proof is: a statement about the RTL, how far it is looked at, and a line whose change must refute it."""

from collections.abc import Callable
from dataclasses import dataclass

from amaranth.asserts import AnyConst, AnySeq
from amaranth.hdl import Assume, Const, Elaboratable, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib import wiring

from gatewright.hw.rtl.pipeline import delay


@dataclass(frozen=True)
class Broken:
    """One line of the RTL, and what it is broken to.

    Parameters
    ----------
    module : str
        Below ``gatewright.hw.rtl``.
    line : str
        Text that stands in its source once.
    instead : str
    """

    module: str
    line: str
    instead: str


@dataclass(frozen=True)
class Proof:
    """One proof.

    Parameters
    ----------
    name : str
    says : str
        What is proved, in one sentence, with what it takes for granted.
    design : callable
        Gives the design, an `Elaboratable` with `Assert` for what is proved, `Assume` for what is taken for granted,
        and `Cover` for what must be able to happen, so that the proof is about something.
    depth : int
        Cycles from reset in which every assertion is checked, the broken line must fail, and every cover must happen.
    broken : Broken
    induction : int
        With k > 0 the proof holds for all time: what holds in k cycles, from any state, holds in the next one; k is
        at most `depth`. With 0 it holds for the `depth` cycles.
    checks : bool
        What the design itself says must never happen (`hw.rtl.checks`) is proved too.
    quick : bool
        Short enough for the test suite.
    """

    name: str
    says: str
    design: Callable[[], Elaboratable]
    depth: int
    broken: Broken
    induction: int = 0
    checks: bool = False
    quick: bool = True

    def __post_init__(self):
        if not 0 <= self.induction <= self.depth or not self.depth:
            raise ValueError(f"{self.name}: induction over {self.induction} of {self.depth} cycles")

    @property
    def mode(self) -> str:
        """How it is proved: for all time, or for some cycles from reset."""
        return f"induction {self.induction}" if self.induction else f"bounded {self.depth}"

    def module(self) -> Module:
        """Give the design without reset, which is what every proof takes for granted."""
        m = Module()
        m.submodules.proof = self.design()
        m.d.comb += Assume(~ResetSignal())
        return m


def anything(m: Module, shape, name: str = "anything", *, constant: bool = False):
    """Give a value that is anything, in each cycle anew or, if `constant`, for all time."""
    made = Signal(shape, name=name)
    value = (AnyConst if constant else AnySeq)(len(Value.cast(made)))
    m.d.comb += Value.cast(made).eq(value)
    return made


def drive(m: Module, component: wiring.Component, *but: str) -> None:
    """Let all inputs of a component be anything, but those named."""
    for path, member, value in component.signature.flatten(component):
        name = "__".join(map(str, path))
        if member.flow is wiring.In and name not in but:
            m.d.comb += Value.cast(value).eq(AnySeq(len(Value.cast(value))))


def past(m: Module, cycles: int):
    """Give whether at least so many cycles have passed since reset."""
    return delay(m, Const(1), cycles, reset_less=False)


def clamp(value, low: int, high: int):
    """Saturation as a formula of its own: by comparison with both ends."""
    return Mux(value < low, low, Mux(value > high, high, value))
