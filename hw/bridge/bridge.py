"""The bridge from a line to registers: it checks a request whole before anything of it acts."""

from typing import Any, NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.crc import catalog
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from gatewright.hw.bridge.protocol import (
    ANSWER_HEADER,
    CRC_BYTES,
    END,
    ESCAPE,
    ESCAPED_END,
    ESCAPED_ESCAPE,
    GREETING,
    OPERATION,
    REQUEST_HEADER,
    VERSION,
    WORDS,
    Status,
)
from gatewright.hw.rtl.axi_lite import axi_lite
from gatewright.hw.rtl.axi_registers import WORD_BITS, WORD_BYTES, Response

_REQUEST_BYTES = REQUEST_HEADER.size // 8
_ANSWER_BYTES = ANSWER_HEADER.size // 8
_SHORTEST = _REQUEST_BYTES + CRC_BYTES
_LONGEST = _SHORTEST + WORDS * WORD_BYTES


class _Parts(NamedTuple):
    """What the states of the bridge share.

    Parameters
    ----------
    read, write : ports of the memory
        Words of a request lie in its lower half, words of an answer in the upper one, where they stay for a repeat.
    crc : Processor
    request, answer : REQUEST_HEADER, ANSWER_HEADER
        The latest of each; a damaged frame changes the request alone.
    length : Signal
        Bytes of the frame that is being received.
    """

    read: Any
    write: Any
    crc: Any
    request: Any
    answer: Any
    length: Value


class Bridge(wiring.Component):
    """Carry out the requests of a host on registers, one after another, and answer each.

    A frame whose CRC is wrong, or that is longer than any request, is dropped. A request with the sequence number of
    the last one that was answered is answered again, from memory, and does nothing. What arrives while a request is
    carried out or answered is dropped.

    Members
    -------
    data : In(8)
    strobe : In(1)
        Bytes of the line, as `UartReceiver` and `SpiPeripheral` give them.
    o : Out(stream of 8 bits)
        Bytes for the line.
    bus : Out(axi_lite())
        One access at a time.
    connected : Out(1)
        A hello came since reset.
    """

    o: stream.Interface

    def __init__(self):
        super().__init__(
            {
                "data": In(8),
                "strobe": In(1),
                "o": Out(stream.Signature(8)),
                "bus": Out(axi_lite()),
                "connected": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=WORD_BITS, depth=2 * WORDS, init=[])
        m.submodules.crc = crc = catalog.CRC32_ISO_HDLC(8).create()
        parts = _Parts(
            read=memory.read_port(),
            write=memory.write_port(),
            crc=crc,
            request=Signal(REQUEST_HEADER),
            answer=Signal(ANSWER_HEADER),
            length=Signal(range(_LONGEST + 2)),
        )
        with m.FSM():
            self._receive(m, parts)
            self._judge(m, parts)
            self._access(m, parts)
            self._send(m, parts)
        return m

    def _receive(self, m: Module, parts: _Parts) -> None:
        request, length, write = parts.request, parts.length, parts.write
        word = Signal(WORD_BITS)
        escaped = Signal()
        byte = Signal(8)
        place = Signal(range(_LONGEST + 2))
        m.d.comb += [
            byte.eq(self.data),
            place.eq(length - _REQUEST_BYTES),
        ]
        with m.State("RECEIVE"):
            with m.If(escaped), m.Switch(self.data):
                with m.Case(ESCAPED_END):
                    m.d.comb += byte.eq(END)
                with m.Case(ESCAPED_ESCAPE):
                    m.d.comb += byte.eq(ESCAPE)
            with m.If(self.strobe & (self.data == END)):
                m.d.sync += escaped.eq(0)
                m.next = "JUDGE"
            with m.Elif(self.strobe & (self.data == ESCAPE) & ~escaped):
                m.d.sync += escaped.eq(1)
            with m.Elif(self.strobe):
                m.d.sync += [escaped.eq(0), word.eq(Cat(word[8:], byte))]
                m.d.comb += [
                    parts.crc.start.eq(length == 0),
                    parts.crc.valid.eq(1),
                    parts.crc.data.eq(byte),
                    write.addr.eq(place[2:]),
                    write.data.eq(Cat(word[8:], byte)),
                    write.en.eq((length >= _REQUEST_BYTES) & (place < WORDS * WORD_BYTES) & place[:2].all()),
                ]
                with m.If(length <= _LONGEST):
                    m.d.sync += length.eq(length + 1)
                with m.If(length < _REQUEST_BYTES):
                    m.d.sync += request.as_value().eq(Cat(request.as_value()[8:], byte))

    def _judge(self, m: Module, parts: _Parts) -> None:
        """Drop what is damaged, answer again what was answered, and begin with the rest."""
        request, answer, operation = parts.request, parts.answer, OPERATION(parts.request.operation)
        payload = Signal(range(_LONGEST + 2))
        right, known = Signal(), Signal()
        hello = Signal()
        m.d.comb += [
            payload.eq(Mux(operation.write, request.count << 2, 0)),
            hello.eq(request.operation == OPERATION.const({"hello": 1}).as_bits()),
            right.eq(
                (parts.length == _SHORTEST + payload)
                & (request.count <= WORDS)
                & (hello | ~(operation.hello | operation.unused.any()))
                & ~(hello & ((request.count != 0) | (request.address != 0)))
            ),
            known.eq(self.connected & (request.sequence == answer.sequence) & ~hello),
        ]
        with m.State("JUDGE"):
            m.d.sync += parts.length.eq(0)
            with m.If(~parts.crc.match_detected | (parts.length < _SHORTEST) | (parts.length > _LONGEST)):
                m.next = "RECEIVE"
            with m.Elif(known):
                m.next = "LOOK"
            with m.Else():
                m.d.sync += [
                    answer.sequence.eq(request.sequence),
                    answer.operation.eq(request.operation),
                    answer.status.eq(Status.OKAY),
                    answer.count.eq(0),
                ]
                m.next = "LOOK"
                with m.If(~right):
                    m.d.sync += answer.status.eq(Status.MALFORMED)
                with m.Elif(hello):
                    m.d.sync += [self.connected.eq(1), answer.count.eq(1)]
                    m.d.comb += [
                        parts.write.addr.eq(WORDS),
                        parts.write.data.eq(GREETING.const({"version": VERSION, "words": WORDS}).as_value()),
                        parts.write.en.eq(1),
                    ]
                with m.Elif(~self.connected):
                    m.d.sync += answer.status.eq(Status.NO_SESSION)
                with m.Else():
                    m.next = "NEXT"

    def _access(self, m: Module, parts: _Parts) -> None:
        """Access registers until all is done or one access is refused."""
        request, answer, bus = parts.request, parts.answer, self.bus
        operation = OPERATION(request.operation)
        response = Signal(Response)
        done = Signal(range(WORDS + 1))
        m.d.comb += [
            bus.awaddr.eq(request.address),
            bus.araddr.eq(request.address),
            bus.wdata.eq(parts.read.data),
            bus.wstrb.eq(-1),
            response.eq(Mux(operation.write, bus.bresp, bus.rresp)),
        ]
        with m.State("NEXT"):
            m.d.sync += answer.count.eq(done)
            m.d.comb += parts.read.addr.eq(done)
            with m.If(done == request.count):
                m.d.sync += done.eq(0)
                m.next = "LOOK"
            with m.Elif((request.address >> len(bus.awaddr)) != 0):
                m.d.sync += [answer.status.eq(Status.NO_REGISTER), done.eq(0)]
                m.next = "LOOK"
            with m.Else():
                m.d.sync += [
                    bus.awvalid.eq(operation.write),
                    bus.wvalid.eq(operation.write),
                    bus.arvalid.eq(~operation.write),
                ]
                m.next = "ACCESS"
        with m.State("ACCESS"):
            m.d.comb += [bus.bready.eq(1), bus.rready.eq(1), parts.read.en.eq(0)]
            for valid, ready in (
                (bus.awvalid, bus.awready),
                (bus.wvalid, bus.wready),
                (bus.arvalid, bus.arready),
            ):
                with m.If(ready):
                    m.d.sync += valid.eq(0)
            with m.If(bus.bvalid | bus.rvalid):
                with m.If(response == Response.OKAY):
                    m.d.comb += [
                        parts.write.addr.eq(WORDS | done),
                        parts.write.data.eq(bus.rdata),
                        parts.write.en.eq(~operation.write),
                    ]
                    m.d.sync += done.eq(done + 1)
                    with m.If(operation.increment):
                        m.d.sync += request.address.eq(request.address + WORD_BYTES)
                    m.next = "NEXT"
                with m.Else():
                    m.d.sync += [answer.status.eq(response), done.eq(0)]
                    m.next = "LOOK"

    def _send(self, m: Module, parts: _Parts) -> None:
        """Send the frame of the answer, with an END before it."""
        answer, operation = parts.answer, OPERATION(parts.answer.operation)
        place = Signal(range(_ANSWER_BYTES + WORDS * WORD_BYTES + CRC_BYTES + 1))
        body = Signal(range(_ANSWER_BYTES + WORDS * WORD_BYTES + 1))
        byte, inside, over = Signal(8), Signal(), Signal()
        begun, escaping = Signal(), Signal()
        beyond = Signal(range(CRC_BYTES + 1))
        word = Signal(range(WORDS + 1))
        m.d.sync += body.eq(_ANSWER_BYTES + Mux(operation.write, 0, answer.count << 2))
        m.d.comb += [word.eq((place - _ANSWER_BYTES) >> 2), beyond.eq(place - body)]
        # The memory reads the word that the next byte is of, and that byte goes to a register: neither is in the way of
        # the accelerator's clock then.
        with m.State("LOOK"):
            m.d.comb += parts.read.addr.eq(WORDS | word)
            m.next = "TAKE"
        with m.State("TAKE"):
            m.d.sync += [
                inside.eq(place < body),
                over.eq(place == body + CRC_BYTES),
                byte.eq(
                    Mux(
                        place < _ANSWER_BYTES,
                        answer.as_value().word_select(place[:2], 8),
                        Mux(
                            place < body,
                            parts.read.data.word_select(place[:2], 8),
                            parts.crc.crc.word_select(beyond[:2], 8),
                        ),
                    )
                ),
            ]
            m.next = "SEND"
        with m.State("SEND"):
            special = (byte == END) | (byte == ESCAPE)
            m.d.comb += self.o.valid.eq(1)
            with m.If(~begun | over):
                m.d.comb += self.o.payload.eq(END)
            with m.Elif(escaping):
                m.d.comb += self.o.payload.eq(Mux(byte == END, ESCAPED_END, ESCAPED_ESCAPE))
            with m.Else():
                m.d.comb += self.o.payload.eq(Mux(special, ESCAPE, byte))
            with m.If(self.o.ready):
                m.next = "LOOK"
                with m.If(~begun):
                    m.d.sync += begun.eq(1)
                with m.Elif(over):
                    m.d.sync += [begun.eq(0), place.eq(0)]
                    m.next = "RECEIVE"
                with m.Elif(special & ~escaping):
                    m.d.sync += escaping.eq(1)
                with m.Else():
                    m.d.sync += [escaping.eq(0), place.eq(place + 1)]
                    m.d.comb += [
                        parts.crc.start.eq(place == 0),
                        parts.crc.valid.eq(inside),
                        parts.crc.data.eq(byte),
                    ]
