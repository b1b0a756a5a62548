"""The drain unit: empties accumulators into the cell lanes, a vector, or the output stream."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import RESULT
from gatewright.hw.ops import ARGUMENTS, Opcode, argument_layout
from gatewright.hw.rtl.activations import LEAD, WRITE_LEAD, producer_port, word_port
from gatewright.hw.rtl.cell import CellLane, CellUnit
from gatewright.hw.rtl.loader import load_port
from gatewright.hw.rtl.matrix import ADD_LATENCY, drain_port
from gatewright.hw.rtl.pipeline import SHIFT_LATENCY, delay, saturate, shift_right
from gatewright.hw.rtl.reduction import Reduction
from gatewright.sw.numbers import ACCUMULATOR, round_shift

DRAIN_OP = data.StructLayout(
    {
        "reduce": 1,
        "first": 1,
        "arguments": data.UnionLayout(
            {"cell": argument_layout(Opcode.CELL), "reduce": argument_layout(Opcode.REDUCE)}
        ),
    }
)
"""An op for the drain unit: `REDUCE` instead of `CELL`; in the first step of a fresh job; arguments, in which `buffer`
is the one to use and `alternate` is ignored."""

READING = data.StructLayout({"active": 1, "buffer": 1})
"""Whether accumulators are being drained, and of which buffer. No longer `active` once the rest is sure to be cleared
before a matrix op that is accepted in the next cycle adds to it."""

_TASK = data.StructLayout({"single": 1, **ARGUMENTS[Opcode.REDUCE]})
"""An op of either kind in the terms of REDUCE: `count` readings, each of a `single` value or of a group of units."""

ROUNDING_LATENCY = SHIFT_LATENCY + 1
"""Cycles from a total to the rounded value that is written: shift, rounding."""


class DrainUnit(wiring.Component):
    """Run `Opcode.CELL` and `Opcode.REDUCE`; hold biases and states in the units below.

    Accumulators are read from cycle 1 on, for a group of units or for one value per cycle. An op of n groups or
    values is at work in cycles 1 to

    - CELL: ``n + 3 + log2(lanes / drain_lanes) + CellLane.LATENCY``, the last n of which write a group each;
    - REDUCE to a vector: ``n + 3 + log2(lanes) + ROUNDING_LATENCY``, the last n of which write a value each;
    - REDUCE with `send`: ``n + 4 + log2(lanes)``, the last n of which offer a value each. When the stream stalls,
      reading waits.

    An op with n = 0 does nothing.

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
        Zero all accumulators; only while idle, and while no op is offered.
    idle : Out(1)
    reading : Out(READING)
        Active from cycle 1, until no more than `ADD_LATENCY` readings are left and, with `send`, no more than there is
        room for.
    producer : Out(producer_port(config))
    accumulators : Out(drain_port(config))
    hidden : Out(word_port(config))
        New elements of vectors, to the activation memory.
    results : Out(stream of RESULT)
    biases : In(load_port(drain_lanes))
    """

    ops: stream.Interface
    results: stream.Interface

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "ops": In(stream.Signature(DRAIN_OP)),
                "clear": In(1),
                "idle": Out(1),
                "reading": Out(READING),
                "producer": Out(producer_port(config)),
                "accumulators": Out(drain_port(config)),
                "hidden": Out(word_port(config)),
                "results": Out(stream.Signature(RESULT)),
                "biases": In(load_port(config.drain_lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        offered = self._offered(m)
        task, reading, unfinished = Signal(_TASK), Signal(), Signal.like(offered.count)
        last = unfinished == 1
        idle, clearing = Signal(), Signal(init=1)
        m.d.comb += [
            self.idle.eq(idle),
            self.ops.ready.eq(idle),
            self.accumulators.clear_all.eq(clearing),
            self.producer.active.eq(~idle & ~clearing & ~task.send),
        ]
        with m.If(idle):
            m.d.sync += [task.eq(offered), unfinished.eq(offered.count)]

        m.submodules.reduction = reduction = Reduction(self.config)
        m.submodules.cells = cells = CellUnit(self.config)
        wiring.connect(m, wiring.flipped(self.biases), reduction.biases)
        m.d.comb += [
            reduction.start.eq(self.idle),
            reduction.single.eq(offered.single),
            reduction.private.eq(offered.private),
            reduction.biased.eq(offered.biased),
            reduction.bias_base.eq(offered.bias_base),
            reduction.read.eq(self.accumulators.enable),
            reduction.lane.eq(self.accumulators.lane),
            reduction.values.eq(self.accumulators.values),
            cells.start.eq(self.idle),
            cells.op.eq(self.ops.payload.arguments.cell),
            cells.first.eq(self.ops.payload.first),
            cells.valid.eq(reduction.summed & ~task.single),
            cells.accumulators.eq(reduction.sums),
        ]
        room = self._send(m, task, reduction, last)
        self._read(m, task, reading, room)
        written = self._write(m, offered, task, reduction, cells.hidden)

        with m.If(idle):
            with m.If(self.clear):
                m.d.sync += [idle.eq(0), clearing.eq(1)]
            with m.Elif(self.ops.valid & (offered.count != 0)):
                m.d.sync += [idle.eq(0), reading.eq(1)]
        with m.Elif(clearing):
            at_end = self.accumulators.row == self.config.accumulator_rows - 1
            m.d.sync += [idle.eq(at_end), clearing.eq(~at_end)]
        with m.Elif(written | (self.results.valid & self.results.ready)):
            m.d.sync += [idle.eq(last), unfinished.eq(unfinished - 1)]
        return m

    def _offered(self, m: Module):
        """Give the op that the sequencer offers as a task."""
        arguments = self.ops.payload.arguments
        offered = Signal(_TASK)
        m.d.comb += [offered.single.eq(self.ops.payload.reduce), offered.biased.eq(1)]
        with m.If(self.ops.payload.reduce):
            for name in ARGUMENTS[Opcode.REDUCE]:
                m.d.comb += offered[name].eq(arguments.reduce[name])
        with m.Else():
            m.d.comb += offered.count.eq(arguments.cell.groups)
            for name in ("bias_base", "destination", "shift", "buffer", "row"):
                m.d.comb += offered[name].eq(arguments.cell[name])
        return offered

    def _read(self, m: Module, task, reading: Signal, room: Signal) -> None:
        """Read the task's accumulators, one reading per cycle; if it sends them, while there is room for another."""
        config, port = self.config, self.accumulators
        lane, row = Signal.like(port.lane), Signal.like(port.row)
        position = Cat(lane, row)
        stride = Mux(
            task.private | port.clear_all, config.group_lanes, Mux(task.single, 1, config.drain_lanes)
        )
        m.d.comb += [
            port.enable.eq(reading & (~task.send | (room != 0))),
            port.buffer.eq(task.buffer),
            port.row.eq(Mux(port.clear_all, 0, task.row) | row),
            port.lane.eq(lane),
            port.mask.eq(Mux(task.private, 0, Mux(task.single, -1, -config.drain_lanes))),
            self.reading.active.eq(
                reading & ((task.count > ADD_LATENCY) | (task.send & (task.count > room)))
            ),
            self.reading.buffer.eq(task.buffer),
        ]
        with m.If(self.idle):
            m.d.sync += position.eq(0)
        with m.Elif(port.enable | port.clear_all):
            m.d.sync += position.eq(position + stride)
        with m.If(port.enable):
            m.d.sync += task.count.eq(task.count - 1)
            with m.If(task.count == 1):
                m.d.sync += reading.eq(0)

    def _write(self, m: Module, offered, task, reduction: Reduction, hidden) -> Signal:
        """Write what leaves the pipelines to the op's vector, and tell of it; give whether this is such a cycle."""
        config = self.config
        # One bit more than is kept, which the rounding drops.
        doubled = reduction.total.shift_left(1)
        shifted = shift_right(m, doubled, task.shift, config.activation_bits + 1, "total")
        value = Signal(signed(config.activation_bits), reset_less=True)
        m.d.sync += value.eq(saturate(round_shift(shifted, 1), config.hidden_format))

        # The pipelines do not stall, so a valid bit is an announcement.
        read = self.accumulators.enable & ~task.send
        announcing = Signal()
        m.d.comb += announcing.eq(
            delay(m, reduction.summed & ~task.single, CellLane.LATENCY - LEAD, reset_less=False)
            | delay(
                m, read & task.single, reduction.total_latency + ROUNDING_LATENCY - LEAD, reset_less=False
            )
        )
        counted = delay(m, announcing, LEAD - WRITE_LEAD, reset_less=False)
        writing = delay(m, counted, WRITE_LEAD, reset_less=False)

        within = Signal(exact_log2(config.cell_lanes))
        word = Signal(len(self.hidden.address))
        position = Cat(within, word)
        step = Mux(task.single, 1, config.cell_lanes)
        announced, written = Signal.like(self.producer.announced), Signal.like(self.producer.written)
        with m.If(self.idle):
            m.d.sync += [
                position.eq(offered.destination << exact_log2(config.lanes)),
                announced.eq(0),
                written.eq(0),
            ]
        with m.Else():
            with m.If(announcing):
                m.d.sync += announced.eq(announced + step)
            with m.If(counted):
                m.d.sync += written.eq(written + step)
            with m.If(writing):
                m.d.sync += position.eq(position + step)
        m.d.comb += [
            self.producer.vector.eq(task.destination),
            self.producer.announced.eq(announced),
            self.producer.written.eq(written),
            self.hidden.address.eq(word),
            self.hidden.enable.eq(Mux(task.single, writing << within, writing.replicate(config.cell_lanes))),
            *(self.hidden.data[k].eq(Mux(task.single, value, hidden[k])) for k in range(config.cell_lanes)),
        ]
        return writing

    def _send(self, m: Module, task, reduction: Reduction, last) -> Signal:
        """Offer totals on the output stream; give for how many there is room besides those under way."""
        # A reading gives its room back two cycles after its total is known, at the earliest.
        depth = reduction.total_latency + 2
        m.submodules.buffer = buffer = SyncFIFO(width=ACCUMULATOR.bits, depth=depth)
        free = Signal(range(depth + 1), init=depth)
        taken = self.results.valid & self.results.ready
        m.d.comb += [
            buffer.w_data.eq(reduction.total),
            buffer.w_en.eq(reduction.folded & task.send),
            buffer.r_en.eq(self.results.ready),
            self.results.valid.eq(buffer.r_rdy),
            self.results.payload.data.eq(buffer.r_data),
            self.results.payload.last.eq(last),
        ]
        m.d.sync += free.eq(free + taken - (self.accumulators.enable & task.send))
        return free
