"""An SPI peripheral: mode 0, bytes with the most significant bit first."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from gatewright.hw.bridge.protocol import END

LEAST_CYCLES = 8
"""Cycles of a bit of sck at least. A falling edge is seen up to two cycles late and cipo follows in the third, so that
the fourth cycle of the low half remains for the pins, the wire and the controller's setup time."""


class SpiPeripheral(wiring.Component):
    """Receive and send bytes at once, while a controller selects it and drives sck.

    All pins are sampled with the own clock. sck rests low; copi is looked at after its rising edges, and cipo changes
    after its falling ones. Select ends a byte: bits of an unfinished one are dropped, and one that was being sent is
    sent again with the next transfer. A byte is taken from the stream between bytes on the line; where none is offered
    then, END is sent.

    Members
    -------
    sck, copi, select_n : In(1)
        From the controller; asynchronous. A bit has `LEAST_CYCLES` or more, half of them with sck high. Between
        select_n and the nearest edge of sck lies half a bit, and between two transfers a whole one.
    cipo : Out(1)
        To the controller, from a register.
    i : In(stream of 8 bits)
        Bytes to send.
    data : Out(8)
    strobe : Out(1)
        In this cycle `data` is a new byte.
    """

    i: stream.Interface

    def __init__(self):
        super().__init__(
            {
                "sck": In(1),
                "copi": In(1),
                "select_n": In(1),
                "cipo": Out(1),
                "i": In(stream.Signature(8)),
                "data": Out(8),
                "strobe": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sck, copi, deselected = Signal(), Signal(), Signal(init=1)
        m.submodules.sck_synchroniser = FFSynchronizer(self.sck, sck)
        m.submodules.copi_synchroniser = FFSynchronizer(self.copi, copi)
        m.submodules.select_synchroniser = FFSynchronizer(self.select_n, deselected, init=1)
        before = Signal()
        rises, falls = Signal(), Signal()
        m.d.sync += before.eq(sck)
        m.d.comb += [rises.eq(sck & ~before), falls.eq(~sck & before)]

        count = Signal(3)
        bits, taken, pending = Signal(8, init=END), Signal(8), Signal()
        between = Signal()
        m.d.comb += [
            between.eq(deselected | (falls & (count == 0))),
            self.i.ready.eq(between & ~pending),
            self.cipo.eq(bits[7]),
        ]
        with m.If(between & pending):
            m.d.sync += bits.eq(taken)
        with m.Elif(between & self.i.valid):
            m.d.sync += [bits.eq(self.i.payload), taken.eq(self.i.payload), pending.eq(1)]
        with m.Elif(between):
            m.d.sync += bits.eq(END)
        with m.Elif(falls):
            m.d.sync += bits.eq(bits << 1)

        m.d.sync += self.strobe.eq(0)
        with m.If(deselected):
            m.d.sync += count.eq(0)
        with m.Elif(rises):
            m.d.sync += [self.data.eq(Cat(copi, self.data[:7])), count.eq(count + 1)]
            with m.If(count == 7):
                m.d.sync += [self.strobe.eq(1), pending.eq(0)]
        return m
