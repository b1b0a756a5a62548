"""The serial cell unit: one σ/tanh unit and one multiplier for all that LSTM units need behind their accumulators."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory, MemoryData
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.ops import Opcode, argument_layout
from gatewright.hw.rtl.checks import never
from gatewright.hw.rtl.pipeline import delay, saturate
from gatewright.hw.rtl.sigma import Sigma
from gatewright.sw.numbers import GATE, STATE, round_shift
from gatewright.sw.numbers.reference import PRODUCT_SHIFT

_F, _G, _O = 1, 2, 3
"""Cycles in which the pre-activations behind i come."""

_KEPT = _F + Sigma.LATENCY + 1
_ADDED = _G + Sigma.LATENCY + 1
_STATE_READ_LATENCY = 2
_TANH = _ADDED + 2


class SerialCell(wiring.Component):
    """Update LSTM units, as `gatewright.sw.numbers.reference.cell` does, and hold their cell states.

    | cycle | enters σ/tanh | leaves it | product | sum |
    |---|---|---|---|---|
    | 0 | i | | | |
    | 1 | f | | | |
    | 2 | g | | | |
    | 3 | o | | | |
    | 4 | | i | | |
    | 5 | | f | | |
    | 6 | | g | f·c | |
    | 7 | | o | i·g | |
    | 8 | | | | f·c + i·g |
    | 9 | c | | | c, written |
    | 13 | | tanh(c) | | |
    | 14 | | | o·tanh(c) | |

    One unit every `INTERVAL` cycles, or whole multiples of them, so that c enters between the gates of two other units.

    Parameters
    ----------
    config : AcceleratorConfig

    Attributes
    ----------
    states : MemoryData
        Cell states, in LSB of `STATE`.

    Members
    -------
    start : In(1)
        Begin with `op`; no unit may be under way.
    op : In(argument_layout(Opcode.CELL))
    first : In(1)
        First step of a fresh job: the state is zero, whatever the memory holds.
    valid : In(1)
        `value` is the i of the next unit; f, g and o come in the next three cycles.
    value : In(signed(17))
        Pre-activations in LSB of `STATE`, or what saturates to it like them.
    hidden : Out(signed(activation_bits + 2))
        The unit's new hidden value with one bit more than `hidden_format`, to be rounded and saturated; `LATENCY`
        cycles behind `valid`.
    """

    INTERVAL = 5
    """Cycles from one unit to the next: σ or tanh of four gates and a state."""

    LATENCY = _TANH + Sigma.LATENCY + 1
    """Cycles from the first pre-activation to the hidden value."""

    def __init__(self, config: AcceleratorConfig):
        self.states = MemoryData(shape=signed(STATE.bits), depth=config.state_depth, init=[])
        super().__init__(
            {
                "start": In(1),
                "op": In(argument_layout(Opcode.CELL)),
                "first": In(1),
                "valid": In(1),
                "value": In(signed(STATE.bits + 1)),
                "hidden": Out(signed(config.activation_bits + 2)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # When the unit under way was valid: bit n, n cycles ago.
        past = Signal(self.LATENCY)
        m.d.sync += past.eq(Cat(self.valid, past))
        at = Cat(self.valid, past)

        c = Signal(signed(STATE.bits), reset_less=True)
        state, first = self._states(m, at, c)
        m.submodules.sigma = sigma = Sigma(len(self.value))
        m.d.comb += [sigma.i.eq(Mux(at[_TANH], c, self.value)), sigma.tanh.eq(at[_G] | at[_TANH])]

        # The other factor of what leaves `sigma`: c for f, i for g, o for tanh(c).
        before, output = delay(m, sigma.o, 1), Signal.like(sigma.o, reset_less=True)
        factor = Signal.like(sigma.o, reset_less=True)
        with m.If(at[_O + Sigma.LATENCY]):
            m.d.sync += output.eq(sigma.o)
        with m.If(at[_F + Sigma.LATENCY - 1]):
            m.d.sync += factor.eq(state)
        with m.Elif(at[_G + Sigma.LATENCY - 1]):
            m.d.sync += factor.eq(before)
        with m.Else():
            m.d.sync += factor.eq(output)
        product = Signal(signed(2 * GATE.bits), reset_less=True)
        m.d.sync += product.eq(sigma.o * factor)

        # i·g rounded to the scale of f·c: the lowest bits make the carry. A state that does not count is left out here,
        # where that is part of the adder.
        kept, added = delay(m, product, _ADDED - _KEPT), product[PRODUCT_SHIFT - 1 :].as_signed()
        total = (Cat(1, Mux(first, 0, kept)).as_signed() + added) >> GATE.frac
        total = delay(m, total, 1)
        m.d.sync += c.eq(saturate(round_shift(total, 1), STATE))
        dropped = len(product) - len(self.hidden)
        m.d.comb += self.hidden.eq(product[dropped:])
        between = Cat(past[n] for n in range(self.LATENCY) if (n + 1) % self.INTERVAL)
        never(m, "begun while a unit is under way", self.start & at.any())
        never(m, "a unit between the cycles of others", self.valid & between.any())
        return m

    def _states(self, m: Module, at, c: Signal) -> tuple[Signal, Signal]:
        """Keep the cell states and write the new one; give the old one in time for f, and whether zero is to be it."""
        attributes = {"ram_style": "block", "collision": "none"}
        m.submodules.states = memory = Memory(self.states, attrs=attributes)
        read, write = memory.read_port(), memory.write_port()
        first = Signal()
        reading, writing = at[_F + Sigma.LATENCY - 1 - _STATE_READ_LATENCY], at[_TANH]
        m.d.comb += [write.en.eq(writing), write.data.eq(c)]
        with m.If(self.start):
            m.d.sync += [
                first.eq(self.first),
                read.addr.eq(self.op.state_base),
                write.addr.eq(self.op.state_base),
            ]
        with m.Else():
            m.d.sync += [read.addr.eq(read.addr + reading), write.addr.eq(write.addr + writing)]
        state = delay(m, read.data, 1)
        return state, first
