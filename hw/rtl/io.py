"""The input and the output unit: between streams and the activation memory."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import RESULT
from gatewright.hw.ops import Opcode, argument_layout
from gatewright.hw.rtl.activations import element_layout, read_port


class InputUnit(wiring.Component):
    """Run `Opcode.INPUT`: take elements from the input stream to the activation memory.

    One element per cycle, the first in cycle 1: with no waits, idle again in cycle ``count + 1``. An op of no
    elements does nothing.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    ops : In(stream of argument_layout(Opcode.INPUT))
    abort : In(1)
        Give up the op under way.
    idle : Out(1)
    waiting : Out(1)
        An element is wanted and the stream has none.
    i : In(stream of signed(activation_bits))
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
                "abort": In(1),
                "idle": Out(1),
                "waiting": Out(1),
                "i": In(stream.Signature(signed(config.activation_bits))),
                "elements": Out(stream.Signature(element_layout(config))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layout = argument_layout(Opcode.INPUT)
        address = Signal(layout["destination"].shape)
        left = Signal(layout["count"].shape)

        m.d.comb += [
            self.idle.eq(left == 0),
            self.ops.ready.eq(self.idle),
            self.waiting.eq(~self.idle & ~self.i.valid),
            self.elements.valid.eq(~self.idle & self.i.valid),
            self.elements.payload.address.eq(address),
            self.elements.payload.data.eq(self.i.payload),
            self.i.ready.eq(~self.idle & self.elements.ready),
        ]
        with m.If(self.ops.valid & self.ops.ready):
            m.d.sync += [address.eq(self.ops.payload.destination), left.eq(self.ops.payload.count)]
        with m.Elif(self.abort):
            m.d.sync += left.eq(0)
        with m.Elif(self.i.valid & self.i.ready):
            m.d.sync += [address.eq(address + 1), left.eq(left - 1)]
        return m


class OutputUnit(wiring.Component):
    """Run `Opcode.OUTPUT`: send activations to the output stream.

    One element per cycle, the first in cycle 2: with no stalls, idle again in cycle ``count + 2``. An op of no elements
    does nothing.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    ops : In(stream of argument_layout(Opcode.OUTPUT))
    idle : Out(1)
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
                "activations": Out(read_port(config)),
                "o": Out(stream.Signature(RESULT)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layout = argument_layout(Opcode.OUTPUT)
        address = Signal(layout["source"].shape)
        left = Signal(layout["count"].shape)
        reading, last = Signal(), Signal()

        # The memory's own output register is the stream's payload: it holds while the stream stalls.
        m.d.comb += [
            reading.eq(left != 0),
            self.ops.ready.eq(~reading),
            self.idle.eq(~reading & ~self.o.valid),
            self.activations.address.eq(address),
            self.activations.enable.eq(~self.o.valid | self.o.ready),
            self.o.payload.data.eq(self.activations.data),
            self.o.payload.last.eq(last),
        ]
        with m.If(self.activations.enable):
            m.d.sync += [self.o.valid.eq(reading), last.eq(left == 1)]
            with m.If(reading):
                m.d.sync += [address.eq(address + 1), left.eq(left - 1)]
        with m.If(self.ops.valid & self.ops.ready):
            m.d.sync += [address.eq(self.ops.payload.source), left.eq(self.ops.payload.count)]
        return m
