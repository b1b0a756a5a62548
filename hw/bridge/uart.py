"""A serial line of 8 data bits, no parity and one stop bit."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

DIVISOR_BITS = 16

LEAST_DIVISOR = 4
"""Cycles of a bit at least, so that it is looked at near its middle."""


class UartReceiver(wiring.Component):
    """Receive bytes.

    Each bit is looked at in its middle, counted from the edge that begins the byte. A byte without a stop bit is
    dropped, and so is a start bit that is gone by its middle.

    Members
    -------
    rx : In(1)
        The line; asynchronous.
    divisor : In(16)
        Cycles of a bit: `LEAST_DIVISOR` or more.
    data : Out(8)
    strobe : Out(1)
        In this cycle `data` is a new byte.
    """

    def __init__(self):
        super().__init__({"rx": In(1), "divisor": In(DIVISOR_BITS), "data": Out(8), "strobe": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        line, timer, bit = Signal(init=1), Signal(DIVISOR_BITS), Signal(4)
        m.submodules.synchroniser = FFSynchronizer(self.rx, line, init=1)
        due = Signal()
        m.d.comb += due.eq(timer == 0)
        m.d.sync += timer.eq(timer - 1)
        with m.If(due):
            m.d.sync += timer.eq(self.divisor - 1)

        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [timer.eq((self.divisor >> 1) - 1), bit.eq(0)]
                with m.If(~line):
                    m.next = "BITS"
            with m.State("BITS"), m.If(due):
                m.d.sync += bit.eq(bit + 1)
                with m.If((bit == 0) & line):
                    m.next = "IDLE"
                with m.Elif(bit == 9):
                    m.d.comb += self.strobe.eq(line)
                    m.next = "RESTING"
                with m.Elif(bit != 0):
                    m.d.sync += self.data.eq(Cat(self.data[1:], line))
            with m.State("RESTING"), m.If(line):
                m.next = "IDLE"
        return m


class UartTransmitter(wiring.Component):
    """Send bytes, without a pause between those that are there.

    Members
    -------
    i : In(stream of 8 bits)
    divisor : In(16)
        Cycles of a bit: `LEAST_DIVISOR` or more.
    tx : Out(1)
        The line, from a register.
    """

    i: stream.Interface

    def __init__(self):
        super().__init__({"i": In(stream.Signature(8)), "divisor": In(DIVISOR_BITS), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits, left, timer = Signal(9, init=-1), Signal(range(11)), Signal(DIVISOR_BITS)
        due = Signal()
        m.d.comb += [due.eq(timer == 0), self.i.ready.eq((left == 0) & due)]
        m.d.sync += self.tx.eq(bits[0])
        with m.If(~due):
            m.d.sync += timer.eq(timer - 1)
        with m.Elif(left != 0):
            m.d.sync += [bits.eq(Cat(bits[1:], Const(1, 1))), left.eq(left - 1), timer.eq(self.divisor - 1)]
        with m.Elif(self.i.valid):
            m.d.sync += [
                bits.eq(Cat(Const(0, 1), self.i.payload)),
                left.eq(9),
                timer.eq(self.divisor - 1),
            ]
        return m
