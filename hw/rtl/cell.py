"""The cell unit: everything of LSTM units behind their accumulators."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.ops import ARGUMENTS, Opcode, argument_layout
from gatewright.hw.rtl.activations import word_port
from gatewright.hw.rtl.pipeline import delay, saturate
from gatewright.hw.rtl.sigma import Sigma
from gatewright.sw.bundle import GATES
from gatewright.sw.numbers import ACCUMULATOR, GATE, STATE, Fixed, round_shift
from gatewright.sw.numbers.reference import PRODUCT_SHIFT

_STATE_READ_LATENCY = 2
_REQUANTISE_LATENCY = 3
_STATE_LATENCY = 3
_HIDDEN_LATENCY = 2


class CellLane(wiring.Component):
    """Update LSTM units, as `gatewright.sw.numbers.reference.requantise` and `cell` do.

    One unit per cycle; `c` and `h` follow its accumulators by `LATENCY` cycles.

    Parameters
    ----------
    hidden : Fixed
        Format of h.

    Members
    -------
    accumulators : In(4 x signed(32))
        Pre-activations with their bias, in the gate order i f g o.
    shift : In(unsigned(5))
        Bits from the accumulators' scale down to `STATE`.
    state : In(signed(16))
        Cell state of the step before, in LSB of `STATE`; two cycles behind the accumulators, so that
        these can start its look-up.
    c : Out(signed(16))
        New cell state, in LSB of `STATE`.
    h : Out(signed(hidden.bits))
        New hidden value, in LSB of `hidden`.
    """

    LATENCY = _REQUANTISE_LATENCY + Sigma.LATENCY + _STATE_LATENCY + Sigma.LATENCY + _HIDDEN_LATENCY
    """Cycles from the accumulators to `c` and `h`: requantise, gates, state, tanh, hidden."""

    def __init__(self, hidden: Fixed):
        self.hidden = hidden
        super().__init__(
            {
                "accumulators": In(data.ArrayLayout(signed(ACCUMULATOR.bits), len(GATES))),
                "shift": In(ARGUMENTS[Opcode.CELL]["shift"]),
                "state": In(signed(STATE.bits)),
                "c": Out(signed(STATE.bits)),
                "h": Out(signed(hidden.bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()

        gates = []
        for index, name in enumerate(GATES):
            m.submodules[name] = sigma = Sigma(tanh=name == "cell")
            m.d.comb += sigma.i.eq(self._requantise(m, self.accumulators[index]))
            gates.append(sigma.o)
        gate_i, gate_f, gate_g, gate_o = gates
        old = delay(m, self.state, _REQUANTISE_LATENCY + Sigma.LATENCY - _STATE_READ_LATENCY)

        kept = Signal(signed(GATE.bits + STATE.bits), reset_less=True)
        added = Signal(signed(2 * GATE.bits), reset_less=True)
        total = Signal(signed(GATE.bits + STATE.bits + 1), reset_less=True)
        c = Signal(signed(STATE.bits), reset_less=True)
        m.d.sync += [
            kept.eq(gate_f * old),
            added.eq(gate_i * gate_g),
            total.eq(kept + round_shift(added, PRODUCT_SHIFT)),
            c.eq(saturate(round_shift(total, GATE.frac), STATE)),
        ]

        m.submodules.tanh = tanh = Sigma(tanh=True)
        m.d.comb += tanh.i.eq(c)
        product = Signal(signed(2 * GATE.bits), reset_less=True)
        h = Signal(signed(self.hidden.bits), reset_less=True)
        m.d.sync += [
            product.eq(delay(m, gate_o, _STATE_LATENCY + Sigma.LATENCY) * tanh.o),
            h.eq(saturate(round_shift(product, 2 * GATE.frac - self.hidden.frac), self.hidden)),
        ]
        m.d.comb += [self.h.eq(h), self.c.eq(delay(m, c, Sigma.LATENCY + _HIDDEN_LATENCY))]
        return m

    def _requantise(self, m: Module, accumulator):
        """Round, shift and saturate in one stage each; rounding needs a bit more than the accumulator."""
        rounded = Signal(signed(ACCUMULATOR.bits + 1), reset_less=True)
        shifted = Signal(signed(ACCUMULATOR.bits + 1), reset_less=True)
        pre = Signal(signed(STATE.bits), reset_less=True)
        m.d.sync += [
            rounded.eq(accumulator + ((1 << self.shift) >> 1)),
            shifted.eq(rounded >> delay(m, self.shift, 1)),
            pre.eq(saturate(shifted, STATE)),
        ]
        return pre


class CellUnit(wiring.Component):
    """Run the cell lanes on groups of accumulators, and hold the cell states.

    One group per cycle; its hidden values are written `CellLane.LATENCY` cycles behind it.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    start : In(1)
        Begin with `op`; no group may be under way.
    op : In(argument_layout(Opcode.CELL))
    first : In(1)
        First step of a fresh job: the state is zero, whatever the memory holds.
    valid : In(1)
        `accumulators` hold the next group.
    accumulators : In(drain_lanes x signed(32))
        Of `cell_lanes` units, each in the gate order i f g o.
    hidden : Out(word_port(config))
        New hidden values, to the activation memory.
    """

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "op": In(argument_layout(Opcode.CELL)),
                "first": In(1),
                "valid": In(1),
                "accumulators": In(data.ArrayLayout(signed(ACCUMULATOR.bits), config.drain_lanes)),
                "hidden": Out(word_port(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        op, first = Signal(argument_layout(Opcode.CELL)), Signal()
        written_state = Signal(op.state_base.shape())
        word = Signal(len(self.hidden.address))
        m.submodules.states = memory = Memory(
            shape=data.ArrayLayout(signed(STATE.bits), config.cell_lanes), depth=config.state_depth, init=[]
        )
        read, write = memory.read_port(), memory.write_port()
        done = delay(m, self.valid, CellLane.LATENCY, reset_less=False)
        m.d.comb += [
            read.addr.eq(op.state_base),
            write.addr.eq(written_state),
            write.en.eq(done),
            self.hidden.address.eq(word),
            self.hidden.enable.eq(done),
        ]
        with m.If(self.start):
            m.d.sync += [
                op.eq(self.op),
                first.eq(self.first),
                written_state.eq(self.op.state_base),
                word.eq(self.op.destination >> exact_log2(config.cell_lanes)),
            ]
        with m.If(self.valid):
            m.d.sync += op.state_base.eq(op.state_base + 1)
        with m.If(done):
            m.d.sync += [written_state.eq(written_state + 1), word.eq(word + 1)]

        old = delay(m, read.data, _STATE_READ_LATENCY - 1)
        for k in range(config.cell_lanes):
            m.submodules[f"lane{k}"] = lane = CellLane(config.hidden_format)
            for gate in range(len(GATES)):
                m.d.comb += lane.accumulators[gate].eq(self.accumulators[len(GATES) * k + gate])
            m.d.comb += [
                lane.shift.eq(op.shift),
                lane.state.eq(Mux(first, 0, old[k])),
                write.data[k].eq(lane.c),
                self.hidden.data[k].eq(lane.h),
            ]
        return m
