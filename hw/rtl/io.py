"""The input and the output unit: between streams and the activation memory."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import RESULT, element
from gatewright.hw.ops import Opcode, argument_layout
from gatewright.hw.rtl.activations import (
    check_producer,
    element_layout,
    producer_port,
    progress,
    read_port,
    vector_bits,
    writing,
)
from gatewright.hw.rtl.checks import checks, never
from gatewright.hw.rtl.pipeline import delay
from gatewright.hw.rtl.stages import READ, WRITE_LEAD

OUTPUT_LATENCY = READ + 1
"""Cycles from the reading of an element to its offer: the memory, a register, the buffer."""

BUFFER = OUTPUT_LATENCY + 2
"""Elements between the activation memory and the output stream: enough for one per cycle."""


def output_reading(config: AcceleratorConfig) -> data.StructLayout:
    """The vector that the output unit still reads from, if `active`."""
    return data.StructLayout({"active": 1, "vector": vector_bits(config)})


class InputUnit(wiring.Component):
    """Run `Opcode.INPUT`: take elements from the input stream to the activation memory.

    One element per cycle, the first in cycle 1: with no waits, idle again in cycle ``count + 1``. An op of no
    elements does nothing.

    The elements that the ops of one job take are a sequence, whose final element, and no other, has `last`. If a
    job wants more, `length_error` stays until `abort`; if it has taken some but not all, `length_error` comes with
    `finish`, and the unit takes the rest of the sequence and drops it.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    ops : In(stream of argument_layout(Opcode.INPUT))
    start, finish : In(1)
        A job begins; it has ended.
    abort : In(1)
        Give up the op under way.
    idle : Out(1)
    waiting : Out(1)
        An element is wanted and the stream has none.
    length_error : Out(1)
    taken, zero : Out(1)
        An op takes an element in this cycle; it is zero.
    producer : Out(producer_port(config))
        Announces what is written, and no more.
    i : In(stream of element(activation_bits))
    elements : Out(stream of element_layout(config))
        To the activation memory.
    """

    ops: stream.Interface
    i: stream.Interface
    elements: stream.Interface

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "ops": In(stream.Signature(argument_layout(Opcode.INPUT))),
                "start": In(1),
                "finish": In(1),
                "abort": In(1),
                "idle": Out(1),
                "waiting": Out(1),
                "length_error": Out(1),
                "taken": Out(1),
                "zero": Out(1),
                "producer": Out(producer_port(config)),
                "i": In(stream.Signature(element(config.activation_bits))),
                "elements": Out(stream.Signature(element_layout(config))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        vector = Signal(self.producer.vector.shape())
        left, written = Signal(self.config.count_bits), Signal(self.config.count_bits)
        # Of the job's sequence: elements were taken; the last one was.
        begun, ended, discarding = Signal(), Signal(), Signal()
        # Neither `active` nor `discarding` is `idle`, which has its own register as the sequencer is in a hurry.
        idle, active, wanted, broken = Signal(init=1), Signal(), Signal(), Signal()
        new = self.i.payload

        m.d.comb += [
            wanted.eq(active & ~ended),
            broken.eq(self.finish & begun & ~ended),
            self.idle.eq(idle),
            self.ops.ready.eq(idle),
            self.waiting.eq(wanted & ~self.i.valid),
            self.length_error.eq((active & ended) | broken),
            self.elements.valid.eq(wanted & self.i.valid),
            self.elements.payload.address.eq(vector * self.config.lanes + written),
            self.elements.payload.data.eq(new.data),
            self.i.ready.eq((wanted & self.elements.ready) | discarding),
            self.taken.eq(self.elements.valid & self.elements.ready),
            self.zero.eq(self.taken & (new.data == 0)),
            self.producer.active.eq(active),
            self.producer.vector.eq(vector),
            self.producer.announced.eq(written),
            self.producer.written.eq(written),
        ]
        with m.If(self.start):
            m.d.sync += [begun.eq(0), ended.eq(0)]
        with m.Elif(self.taken):
            m.d.sync += [begun.eq(1), ended.eq(new.last)]
        with m.If(broken):
            m.d.sync += [discarding.eq(1), idle.eq(0)]
        with m.Elif(discarding & self.i.valid & new.last):
            m.d.sync += [discarding.eq(0), idle.eq(1)]

        with m.If(self.ops.valid & self.ops.ready):
            op = self.ops.payload
            m.d.sync += [
                vector.eq(op.destination),
                left.eq(op.count),
                active.eq(op.count != 0),
                idle.eq(op.count == 0),
                written.eq(0),
            ]
        with m.Elif(active & self.abort):
            m.d.sync += [active.eq(0), idle.eq(1)]
        with m.Elif(self.taken):
            m.d.sync += [
                active.eq(left != 1),
                idle.eq(left == 1),
                left.eq(left - 1),
                written.eq(written + 1),
            ]
        check_producer(m, self.producer)
        never(m, "a job begun or ended during an op", (self.start | self.finish) & active)
        never(m, "idle during an op or a rest", idle & (active | discarding))
        return m


class OutputUnit(wiring.Component):
    """Run `Opcode.OUTPUT`: send activations to the output stream.

    One element per cycle: element n is read in cycle ``n + 2`` and offered `OUTPUT_LATENCY` cycles later. An element
    that its producer had not counted as written in the cycle before, or a stall, delays it. With no waits, idle again
    in cycle ``count + OUTPUT_LATENCY + 2``. An op of no elements does nothing.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    ops : In(stream of argument_layout(Opcode.OUTPUT))
    idle : Out(1)
    reading : Out(output_reading(config))
        Through the cycle in which the last element is read.
    input, drained : In(producer_port(config))
    activations : Out(read_port(config))
    o : Out(stream of RESULT)
    """

    ops: stream.Interface
    o: stream.Interface

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "ops": In(stream.Signature(argument_layout(Opcode.OUTPUT))),
                "idle": Out(1),
                "reading": Out(output_reading(config)),
                "input": In(producer_port(config)),
                "drained": In(producer_port(config)),
                "activations": Out(read_port(config)),
                "o": Out(stream.Signature(RESULT)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        vector = Signal(self.reading.vector.shape())
        left, number = Signal(self.config.count_bits), Signal(self.config.count_bits)
        active, accepted, read = Signal(), Signal(), Signal()
        op = self.ops.payload
        m.d.comb += accepted.eq(self.ops.valid & self.ops.ready)
        # Whose vector it is, and whether more is written than is read, was found a cycle ago for the sake of the clock.
        # What is written stays written, and no op that writes the vector is issued while this one reads it.
        producers = (self.input, self.drained)
        its, more = Signal(len(producers)), Signal()
        m.d.sync += its.eq(writing(producers, Mux(active, vector, op.source)))
        _, written = progress(producers, its)
        m.d.sync += more.eq(active & Mux(read, written != number + 1, written != number))

        # An element is read only when there is room for it in the buffer, so that stalls end there.
        m.submodules.buffer = buffer = SyncFIFO(width=self.config.activation_bits + 1, depth=BUFFER)
        room = Signal(range(BUFFER + 1), init=BUFFER)
        m.d.sync += room.eq(room + (self.o.valid & self.o.ready) - read)
        m.d.comb += [
            self.reading.active.eq(active),
            self.reading.vector.eq(vector),
            read.eq(active & more & (room != 0)),
            self.ops.ready.eq(~active),
            self.idle.eq(~active & (room == BUFFER)),
            self.activations.address.eq(vector * self.config.lanes + number),
            buffer.w_en.eq(delay(m, read, READ, reset_less=False)),
            buffer.w_data.eq(Cat(self.activations.data, delay(m, left == 1, READ))),
            buffer.r_en.eq(self.o.ready),
            self.o.valid.eq(buffer.r_rdy),
            self.o.payload.data.eq(buffer.r_data[:-1].as_signed()),
            self.o.payload.last.eq(buffer.r_data[-1]),
        ]
        with m.If(accepted):
            m.d.sync += [
                vector.eq(op.source),
                left.eq(op.count),
                active.eq(op.count != 0),
                number.eq(0),
            ]
        with m.Elif(read):
            m.d.sync += [number.eq(number + 1), left.eq(left - 1), active.eq(left != 1)]
        _, there = progress(producers, writing(producers, vector))
        there = delay(checks(m), there, WRITE_LEAD)
        never(m, "an element read before it is written", read & (there <= number))
        never(m, "a full buffer of results written", buffer.w_en & ~buffer.w_rdy)
        never(m, "more room for results than there is", room > BUFFER)
        return m
