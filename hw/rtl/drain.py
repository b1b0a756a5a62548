"""The drain unit: empties accumulators into the cell lanes or the output stream."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import RESULT
from gatewright.hw.ops import Opcode, argument_layout
from gatewright.hw.rtl.activations import word_port
from gatewright.hw.rtl.cell import CellUnit
from gatewright.hw.rtl.loader import load_port
from gatewright.hw.rtl.matrix import drain_port
from gatewright.hw.rtl.pipeline import delay
from gatewright.sw.numbers import ACCUMULATOR

DRAIN_OP = data.StructLayout(
    {
        "logits": 1,
        "first": 1,
        "arguments": data.UnionLayout(
            {"cell": argument_layout(Opcode.CELL), "logits": argument_layout(Opcode.LOGITS)}
        ),
    }
)
"""An op for the drain unit: `LOGITS` instead of `CELL`; in the first step of a fresh job; arguments."""


class DrainUnit(wiring.Component):
    """Run `Opcode.CELL` and `Opcode.LOGITS`; hold biases and, in the cell unit, states.

    CELL reads one group per cycle and is at work in cycles 1 to ``groups + 3 + CellLane.LATENCY``, in the last
    of which the last hidden values are written. LOGITS fetches a group in 3 cycles, then sends its
    values, one per cycle: with no stalls it is at work in cycles 1 to ``count + 3 * ceil(count / drain_lanes)``.
    An op of no groups or no values does nothing.

    After reset, and on `clear`, the unit zeroes all accumulators, one row of every lane per cycle, and is not idle
    in these `accumulator_rows` cycles.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    ops : In(stream of DRAIN_OP)
        Taken only when idle.
    clear : In(1)
        Zero all accumulators; only while idle.
    idle : Out(1)
    accumulators : Out(drain_port(config))
    hidden : Out(word_port(config))
        New hidden values, to the activation memory.
    logits : Out(stream of RESULT)
    biases : In(load_port(drain_lanes))
    """

    ops: stream.Interface
    logits: stream.Interface

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "ops": In(stream.Signature(DRAIN_OP)),
                "clear": In(1),
                "idle": Out(1),
                "accumulators": Out(drain_port(config)),
                "hidden": Out(word_port(config)),
                "logits": Out(stream.Signature(RESULT)),
                "biases": In(load_port(config.drain_lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        op = self.ops.payload
        cell, logits = op.arguments.cell, op.arguments.logits
        m.submodules.cells = cells = CellUnit(config)
        wiring.connect(m, cells.hidden, wiring.flipped(self.hidden))

        reading, sending_logits = Signal(), Signal()
        group, bias_address = Signal(cell.groups.shape()), Signal(cell.bias_base.shape())
        unread, unfinished = Signal(cell.groups.shape()), Signal(cell.groups.shape())
        position = Signal(range(config.drain_lanes))
        m.d.comb += [
            self.accumulators.enable.eq(reading),
            self.accumulators.group.eq(group),
            self.accumulators.row.eq(group >> len(self.accumulators.group)),
        ]
        with m.If(reading):
            m.d.sync += [group.eq(group + 1), bias_address.eq(bias_address + 1), unread.eq(unread - 1)]
        sums, fetched = self._add_biases(m, bias_address, reading)
        m.d.comb += [
            cells.op.eq(cell),
            cells.first.eq(op.first),
            cells.valid.eq(delay(m, fetched & ~sending_logits, 1, reset_less=False)),
            cells.accumulators.eq(sums),
            self.logits.payload.data.eq(sums[position]),
            self.logits.payload.last.eq(unfinished == 1),
        ]

        with m.FSM(init="CLEAR"):
            with m.State("IDLE"):
                m.d.comb += [self.idle.eq(1), self.ops.ready.eq(~self.clear), cells.start.eq(1)]
                m.d.sync += [
                    group.eq(0),
                    position.eq(0),
                    sending_logits.eq(op.logits),
                    bias_address.eq(Mux(op.logits, logits.bias_base, cell.bias_base)),
                    unread.eq(cell.groups),
                    unfinished.eq(Mux(op.logits, logits.count, cell.groups)),
                ]
                with m.If(self.clear):
                    m.next = "CLEAR"
                with m.Elif(self.ops.valid & op.logits & (logits.count != 0)):
                    m.next = "FETCH"
                with m.Elif(self.ops.valid & ~op.logits & (cell.groups != 0)):
                    m.next = "CELL"

            with m.State("CELL"):
                m.d.comb += reading.eq(1)
                with m.If(unread == 1):
                    m.next = "FLUSH"
            with m.State("FLUSH"), m.If(self.hidden.enable & (unfinished == 1)):
                m.next = "IDLE"

            with m.State("FETCH"):
                m.d.comb += reading.eq(1)
                m.next = "WAIT"
            with m.State("WAIT"), m.If(fetched):
                m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += self.logits.valid.eq(1)
                with m.If(self.logits.ready):
                    m.d.sync += position.eq(position + 1)
                    with m.If(unfinished == 1):
                        m.next = "IDLE"
                    with m.Elif(position == config.drain_lanes - 1):
                        m.next = "FETCH"

            with m.State("CLEAR"):
                m.d.comb += [self.accumulators.clear.eq(1), self.accumulators.row.eq(group)]
                m.d.sync += group.eq(group + 1)
                with m.If(group == config.accumulator_rows - 1):
                    m.next = "IDLE"

        with m.If(self.hidden.enable | (self.logits.valid & self.logits.ready)):
            m.d.sync += unfinished.eq(unfinished - 1)
        return m

    def _add_biases(self, m: Module, address: Signal, reading: Signal):
        """Give accumulators plus biases, and whether they will be new in the next cycle; they stay until then."""
        layout = data.ArrayLayout(signed(ACCUMULATOR.bits), self.config.drain_lanes)
        m.submodules.biases = memory = Memory(shape=layout, depth=self.config.bias_depth, init=[])
        read, write = memory.read_port(), memory.write_port(granularity=1)
        m.d.comb += [
            read.addr.eq(address),
            write.addr.eq(self.biases.offset),
            write.data.eq(self.biases.data.replicate(self.config.drain_lanes)),
            write.en.eq(self.biases.enable),
        ]
        biases = delay(m, read.data, 1)
        fetched = delay(m, reading, 2, reset_less=False)
        sums = Signal(layout, reset_less=True)
        with m.If(fetched):
            for k in range(self.config.drain_lanes):
                m.d.sync += sums[k].eq(self.accumulators.values[k] + biases[k])
        return sums, fetched
