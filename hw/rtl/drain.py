"""The drain unit: empties accumulators into the cell lanes, a vector, or the output stream."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import RESULT
from gatewright.hw.memories import Contents
from gatewright.hw.ops import ARGUMENTS, Opcode, argument_layout
from gatewright.hw.rtl.activations import check_producer, producer_port, word_port
from gatewright.hw.rtl.cell import CellLane, CellUnit
from gatewright.hw.rtl.checks import never
from gatewright.hw.rtl.loader import load_members
from gatewright.hw.rtl.matrix import drain_port
from gatewright.hw.rtl.pipeline import SHIFT_LATENCY, delay, saturate, shift_right
from gatewright.hw.rtl.reduction import Reduction
from gatewright.hw.rtl.serial_cell import SerialCell
from gatewright.hw.rtl.stages import FIRST_READ, LEAD, STORE, WRITE_LEAD
from gatewright.sw.bundle import GATES
from gatewright.sw.numbers import ACCUMULATOR, STATE, round_shift

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

_TASK = data.StructLayout({"reduce": 1, **ARGUMENTS[Opcode.REDUCE]})
"""An op of either kind in the terms of REDUCE: `count` values or groups of units."""

_MAX_COUNT = (1 << ARGUMENTS[Opcode.REDUCE]["count"]) - 1

ROUNDING_LATENCY = SHIFT_LATENCY + 1
"""Cycles from a total to the rounded value that is written: shift, rounding."""


class DrainUnit(wiring.Component):
    """Run `Opcode.CELL` and `Opcode.REDUCE`; hold biases and states in the units below.

    Accumulators are read from cycle 1 on, for a group of units or for one value per cycle. An op of n groups or
    values is at work in cycles 1 to

    - CELL: ``n + 4 + log2(lanes / drain_lanes) + CellLane.LATENCY``, the last n of which write a group each;
    - CELL with `serial_cell`: ``n * k + 5 - k + log2(lanes) + ROUNDING_LATENCY + SerialCell.LATENCY`` with k =
      `SerialCell.INTERVAL`; the accumulators of a unit are read, and it is written, every k cycles;
    - REDUCE to a vector: ``n + 4 + log2(lanes) + ROUNDING_LATENCY``, the last n of which write a value each;
    - REDUCE with `send`: ``n + 5 + log2(lanes)``, the last n of which offer a value each. When the stream stalls,
      reading waits.

    An op with n = 0 does nothing.

    After reset, and on `clear`, the unit zeroes all accumulators, one row of every lane per cycle, and is not idle
    in these `accumulator_depth` cycles.

    Parameters
    ----------
    config : AcceleratorConfig
    contents : Contents, optional
        What the memories hold, if they are not loaded.

    Members
    -------
    ops : In(stream of DRAIN_OP)
        Taken only when idle.
    clear : In(1)
        Zero all accumulators; only while idle, and while no op is offered.
    idle : Out(1)
    reading : Out(READING)
        Active from cycle 1, until no more than `FIRST_READ` readings are left and, with `send`, no more than there is
        room for.
    producer : Out(producer_port(config))
    accumulators : Out(drain_port(config))
    hidden : Out(word_port(config))
        New elements of vectors, to the activation memory.
    results : Out(stream of RESULT)
    biases : In(load_port(drain_lanes))
        Write access to the biases, unless they are baked.
    """

    ops: stream.Interface
    results: stream.Interface

    def __init__(self, config: AcceleratorConfig, contents: Contents | None = None):
        self.config = config
        self.contents = contents
        # No op reads more than a buffer has.
        self._counts = range(min(config.accumulator_rows * config.group_lanes, _MAX_COUNT) + 1)
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
                **load_members({"biases": config.drain_lanes}, contents),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        offered = self._offered(m)
        task, reading = Signal(_TASK), Signal()
        count, unfinished = Signal(self._counts), Signal(self._counts)
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

        m.submodules.reduction = reduction = Reduction(self.config, self.contents)
        if not self.contents:
            wiring.connect(m, wiring.flipped(self.biases), reduction.biases)
        m.d.comb += [
            reduction.start.eq(self.idle),
            reduction.single.eq(self._single(offered)),
            reduction.biased.eq(offered.biased),
            reduction.bias_base.eq(offered.bias_base),
            reduction.read.eq(self.accumulators.enable),
            reduction.values.eq(self.accumulators.values),
        ]
        room, has_room = self._send(m, task, reduction, last)
        begun = self._read(m, offered, task, count, reading, room, has_room)
        values = self._serial_cell if self.config.serial_cell else self._cell_lanes
        latency = reduction.total_latency + ROUNDING_LATENCY
        written = self._write(m, offered, task, latency, *values(m, task, begun, reduction))

        with m.If(idle):
            with m.If(self.clear):
                m.d.sync += [idle.eq(0), clearing.eq(1)]
            with m.Elif(self.ops.valid & (offered.count[: len(count)] != 0)):
                m.d.sync += [idle.eq(0), reading.eq(1)]
        with m.Elif(clearing):
            at_end = self.accumulators.row == self.config.accumulator_depth - 1
            m.d.sync += [idle.eq(at_end), clearing.eq(~at_end)]
        with m.Elif(written | (self.results.valid & self.results.ready)):
            m.d.sync += [idle.eq(last), unfinished.eq(unfinished - 1)]
        check_producer(m, self.producer)
        finishes = written | (self.results.valid & self.results.ready)
        never(m, "a value finished without an op", finishes & (idle | clearing | (unfinished == 0)))
        never(m, "accumulators read without an op", reading & (idle | clearing | (count == 0)))
        never(m, "a clearing begun while busy or with an op", self.clear & (~idle | self.ops.valid))
        return m

    def _offered(self, m: Module):
        """Give the op that the sequencer offers as a task."""
        op = self.ops.payload
        offered = Signal(_TASK)
        m.d.comb += [
            offered.reduce.eq(op.reduce),
            *(offered[name].eq(op.arguments.reduce[name]) for name in ARGUMENTS[Opcode.REDUCE]),
        ]
        # The rest is in the same place.
        with m.If(~op.reduce):
            m.d.comb += [offered.private.eq(0), offered.biased.eq(1), offered.send.eq(0)]
        return offered

    def _single(self, task) -> Value:
        """Whether a reading stands for one value, and not for `drain_lanes` of them."""
        return Const(1) if self.config.serial_cell else task.reduce

    def _read(
        self, m: Module, offered, task, count: Signal, reading: Signal, room: Signal, has_room: Signal
    ) -> Value:
        """Read the task's accumulators, if it sends them while there is room for another; give when a group begins."""
        config, port = self.config, self.accumulators
        single = self._single(task)
        lane, row = Signal.like(port.lane), Signal.like(port.row)
        position = Cat(lane, row)
        stride = Mux(task.private | port.clear_all, config.group_lanes, Mux(single, 1, config.drain_lanes))
        going = reading & (~task.send | has_room)
        begins, reads, ends = Const(1), Const(1), Const(1)
        # What follows is of the next cycle.
        reduce, send = (Mux(self.idle, offered[name], task[name]) for name in ("reduce", "send"))
        left, guards, guarded = Signal.like(count), Signal(), Const(FIRST_READ)
        if config.serial_cell:
            # A unit: a cycle for each gate, and those in which the cell unit has no use for one.
            phase = Signal(range(SerialCell.INTERVAL))
            begins, reads = phase == 0, phase < len(GATES)
            ends = task.reduce | (phase == SerialCell.INTERVAL - 1)
            guarded = Mux(reduce, guarded, FIRST_READ // SerialCell.INTERVAL)
            with m.If(reading):
                m.d.sync += phase.eq(Mux(ends, 0, phase + 1))
        m.d.comb += [
            port.reading.eq(reading),
            port.enable.eq(going & reads),
            port.buffer.eq(task.buffer),
            port.row.eq(Mux(port.clear_all, 0, task.row) | row),
            port.lane.eq(lane),
            port.mask.eq(Mux(task.private, 0, Mux(single, -1, -config.drain_lanes))),
            left.eq(Mux(self.idle, offered.count, Mux(going & ends, count - 1, count))),
            self.reading.active.eq(reading & guards),
            self.reading.buffer.eq(task.buffer),
        ]
        # A register, as the sequencer is in a hurry.
        m.d.sync += [count.eq(left), guards.eq((left > guarded) | (send & (left > room)))]
        with m.If(self.idle):
            m.d.sync += position.eq(0)
        with m.Elif(port.enable | port.clear_all):
            m.d.sync += position.eq(position + stride)
        with m.If(going & ends & (count == 1)):
            m.d.sync += reading.eq(0)
        return port.enable & begins & ~task.reduce

    def _cell_lanes(self, m: Module, task, begun: Value, reduction: Reduction) -> tuple[Value, list[Value]]:
        """Run groups through the cell unit, and single values through the rounding.

        Gives whether a group will be written `LEAD` cycles from now, and the values to write of either kind.
        """
        config = self.config
        m.submodules.cells = cells = CellUnit(config)
        m.d.comb += [
            cells.start.eq(self.idle),
            cells.op.eq(self.ops.payload.arguments.cell),
            cells.first.eq(self.ops.payload.first),
            cells.valid.eq(reduction.summed & ~task.reduce),
            cells.accumulators.eq(reduction.sums),
        ]
        # One bit more than is kept, which the rounding drops.
        doubled = reduction.total.shift_left(1)
        value = self._rounded(m, shift_right(m, doubled, task.shift, config.activation_bits + 1, "total"))
        announcing = delay(m, cells.valid, CellLane.LATENCY + STORE - LEAD, reset_less=False)
        return announcing, [Mux(task.reduce, value, hidden) for hidden in cells.hidden]

    def _serial_cell(self, m: Module, task, begun: Value, reduction: Reduction) -> tuple[Value, list[Value]]:
        """Do what `_cell_lanes` does with one shifter for both."""
        m.submodules.cells = cells = SerialCell(self.config)
        # One bit more than is kept, which the rounding drops.
        doubled = reduction.total.shift_left(1)
        shifted = shift_right(m, doubled, task.shift, STATE.bits + 1, "total")
        m.d.comb += [
            cells.start.eq(self.idle),
            cells.op.eq(self.ops.payload.arguments.cell),
            cells.first.eq(self.ops.payload.first),
            cells.valid.eq(delay(m, begun, reduction.total_latency + SHIFT_LATENCY, reset_less=False)),
            cells.value.eq(shifted >> 1),
        ]
        announcing = delay(m, cells.valid, SerialCell.LATENCY + 1 + STORE - LEAD, reset_less=False)
        # A rounding for each: a choice in front of one would lengthen the path from the multiplier.
        return announcing, [Mux(task.reduce, self._rounded(m, shifted), self._rounded(m, cells.hidden))]

    def _rounded(self, m: Module, value: Value) -> Signal:
        """Give a value without its lowest bit, rounded half up and saturated, a cycle later."""
        rounded = Signal(signed(self.config.activation_bits), reset_less=True)
        m.d.sync += rounded.eq(saturate(round_shift(value, 1), self.config.hidden_format))
        return rounded

    def _write(self, m: Module, offered, task, latency: int, cells: Value, values: list[Value]) -> Signal:
        """Write what leaves the pipelines to the op's vector, and tell of it; give whether this is such a cycle."""
        config = self.config
        # The pipelines do not stall, so a valid bit is an announcement.
        read = self.accumulators.enable & task.reduce & ~task.send
        announcing = Signal()
        m.d.comb += announcing.eq(cells | delay(m, read, latency + STORE - LEAD, reset_less=False))
        counted = delay(m, announcing, LEAD - WRITE_LEAD, reset_less=False)
        writing = delay(m, announcing, LEAD - STORE, reset_less=False)

        within = Signal(exact_log2(config.cell_lanes))
        word = Signal(len(self.hidden.address))
        position = Cat(within, word)
        step = Mux(task.reduce, 1, config.cell_lanes)
        announced, written = Signal(self._counts), Signal(self._counts)
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
            self.hidden.enable.eq(Mux(task.reduce, writing << within, writing.replicate(config.cell_lanes))),
            self.hidden.data.eq(Cat(values)),
        ]
        done = position - (task.destination << exact_log2(config.lanes)) + Mux(writing, step, 0)
        never(m, "elements counted that are not written", self.producer.active & (written > done))
        return writing

    def _send(self, m: Module, task, reduction: Reduction, last) -> tuple[Signal, Signal]:
        """Offer totals on the output stream.

        Gives for how many there will be room in the next cycle, besides those under way, and whether there is for any
        now: a register, for the clock.
        """
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
        following, has_room = Signal.like(free), Signal(init=1)
        m.d.comb += following.eq(free + taken - (self.accumulators.enable & task.send))
        m.d.sync += [free.eq(following), has_room.eq(following != 0)]
        never(m, "a full buffer of totals written", buffer.w_en & ~buffer.w_rdy)
        never(m, "a total read without room", self.accumulators.enable & task.send & (free == 0))
        never(m, "more room for totals than there is", free > depth)
        return following, has_room
