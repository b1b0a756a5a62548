"""The cell unit: everything of LSTM units behind their accumulators."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.ops import Opcode, argument_layout
from gatewright.hw.rtl.checks import never
from gatewright.hw.rtl.pipeline import SHIFT_LATENCY, delay, saturate, shift_right
from gatewright.hw.rtl.sigma import Sigma
from gatewright.sw.bundle import GATES
from gatewright.sw.numbers import ACCUMULATOR, GATE, STATE, Fixed, round_shift
from gatewright.sw.numbers.reference import PRODUCT_SHIFT

_TOTAL_LATENCY = 2
_HIDDEN_LATENCY = 2
_STATE_READ_LATENCY = 2


class CellLane(wiring.Component):
    """Update LSTM units, as `gatewright.sw.numbers.reference.requantise` and `cell` do.

    One unit per cycle; its results follow its accumulators.

    Parameters
    ----------
    hidden : Fixed
        Format of h.
    width : int
        Width of the accumulators.

    Members
    -------
    accumulators : In(4 x signed(width))
        Pre-activations with their bias and the rounding constant of `shift`, in the gate order i f g o.
    shift : In(unsigned(5))
        Bits from the accumulators' scale down to `STATE`.
    state : In(signed(16))
        Cell state of the step before, in LSB of `STATE`, `GATES_LATENCY` cycles behind the accumulators.
    fresh : In(1)
        The state before is zero instead; to be held while units are under way.
    c : Out(signed(16))
        New cell state, in LSB of `STATE`, `STATE_LATENCY` cycles behind the accumulators.
    h : Out(signed(hidden.bits))
        New hidden value, in LSB of `hidden`, `LATENCY` cycles behind the accumulators.
    """

    GATES_LATENCY = SHIFT_LATENCY + Sigma.LATENCY
    """Cycles from the accumulators to the gates: shift, σ or tanh."""

    STATE_LATENCY = GATES_LATENCY + _TOTAL_LATENCY + 1
    """Cycles from the accumulators to `c`: gates, products, total, rounding."""

    LATENCY = GATES_LATENCY + _TOTAL_LATENCY + Sigma.LATENCY + _HIDDEN_LATENCY
    """Cycles from the accumulators to `h`: gates, products, total, tanh, product, rounding."""

    def __init__(self, hidden: Fixed, width: int = ACCUMULATOR.bits):
        self.hidden = hidden
        super().__init__(
            {
                "accumulators": In(data.ArrayLayout(signed(width), len(GATES))),
                "shift": In(argument_layout(Opcode.CELL)["shift"].shape),
                "state": In(signed(STATE.bits)),
                "fresh": In(1),
                "c": Out(signed(STATE.bits)),
                "h": Out(signed(hidden.bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()

        gates = []
        for index, name in enumerate(GATES):
            # No saturation here: `Sigma` does it.
            shifted = shift_right(m, self.accumulators[index], self.shift, STATE.bits, name)
            m.submodules[name] = sigma = Sigma(len(shifted), tanh=name == "cell")
            m.d.comb += sigma.i.eq(shifted)
            gates.append(sigma.o)
        gate_i, gate_f, gate_g, gate_o = gates

        kept = Signal(signed(GATE.bits + STATE.bits), reset_less=True)
        added = Signal(signed(2 * GATE.bits), reset_less=True)
        m.d.sync += [kept.eq(gate_f * self.state), added.eq(gate_i * gate_g)]

        # i·g rounded to the scale of f·c: the lowest bits make the carry. A state that does not count is left out here,
        # where that is part of the adder.
        added = added[PRODUCT_SHIFT - 1 :].as_signed()
        total = (Cat(1, Mux(self.fresh, 0, kept)).as_signed() + added) >> GATE.frac
        total = delay(m, total, 1)
        c = Signal.like(self.c, reset_less=True)
        m.d.sync += c.eq(saturate(round_shift(total, 1), STATE))
        m.d.comb += self.c.eq(c)

        # tanh does the rounding by itself.
        m.submodules.tanh = tanh = Sigma(len(total) - 1, tanh=True)
        m.d.comb += [tanh.i.eq(total >> 1), tanh.carry.eq(total[0])]
        product = Signal(signed(2 * GATE.bits), reset_less=True)
        h = Signal(signed(self.hidden.bits), reset_less=True)
        m.d.sync += [
            product.eq(delay(m, gate_o, _TOTAL_LATENCY + Sigma.LATENCY) * tanh.o),
            h.eq(saturate(round_shift(product, 2 * GATE.frac - self.hidden.frac), self.hidden)),
        ]
        m.d.comb += self.h.eq(h)
        return m


class CellUnit(wiring.Component):
    """Run the cell lanes on groups of accumulators, and hold the cell states.

    One group per cycle; its hidden values follow by `CellLane.LATENCY` cycles.

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
    accumulators : In(drain_lanes x signed(accumulator_bits))
        Of `cell_lanes` units, each in the gate order i f g o.
    hidden : Out(cell_lanes x signed(activation_bits))
    """

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "op": In(argument_layout(Opcode.CELL)),
                "first": In(1),
                "valid": In(1),
                "accumulators": In(data.ArrayLayout(signed(config.accumulator_bits), config.drain_lanes)),
                "hidden": Out(data.ArrayLayout(signed(config.activation_bits), config.cell_lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        shift, first = Signal.like(self.op.shift), Signal()
        m.submodules.states = memory = Memory(
            shape=data.ArrayLayout(signed(STATE.bits), config.cell_lanes),
            depth=config.state_depth,
            init=[],
            attrs={"ram_style": "block", "collision": "none"},
        )
        read, write = memory.read_port(), memory.write_port()
        read_address, write_address = Signal.like(self.op.state_base), Signal.like(self.op.state_base)

        read_latency = CellLane.GATES_LATENCY - _STATE_READ_LATENCY
        reading = delay(m, self.valid, read_latency, reset_less=False)
        writing = delay(m, reading, CellLane.STATE_LATENCY - read_latency, reset_less=False)
        m.d.comb += [read.addr.eq(read_address), write.addr.eq(write_address), write.en.eq(writing)]
        with m.If(self.start):
            m.d.sync += [
                shift.eq(self.op.shift),
                first.eq(self.first),
                read_address.eq(self.op.state_base),
                write_address.eq(self.op.state_base),
            ]
        with m.Else():
            m.d.sync += [
                read_address.eq(read_address + reading),
                write_address.eq(write_address + writing),
            ]

        states = delay(m, read.data, 1)
        for k in range(config.cell_lanes):
            m.submodules[f"lane{k}"] = lane = CellLane(config.hidden_format, config.accumulator_bits)
            for gate in range(len(GATES)):
                m.d.comb += lane.accumulators[gate].eq(self.accumulators[len(GATES) * k + gate])
            m.d.comb += [
                lane.shift.eq(shift),
                lane.state.eq(states[k]),
                lane.fresh.eq(first),
                write.data[k].eq(lane.c),
                self.hidden[k].eq(lane.h),
            ]
        never(m, "begun while units are under way", self.start & (self.valid | reading | writing))
        return m
