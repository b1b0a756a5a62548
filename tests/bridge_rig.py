"""A bridge with the registers of an accelerator behind it."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.bridge.bridge import Bridge
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl.axi_lite import AxiLiteRegisters


class Bridged(wiring.Component):
    """A bridge with the registers of an accelerator behind it."""

    def __init__(self):
        self.bridge = Bridge()
        self.registers = AxiLiteRegisters(AcceleratorConfig(), mailbox=True)
        super().__init__({"data": In(8), "strobe": In(1), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.bridge, m.submodules.registers = bridge, registers = self.bridge, self.registers
        wiring.connect(m, bridge.bus, registers.bus)
        wiring.connect(m, bridge.o, wiring.flipped(self.o))
        m.d.comb += [bridge.data.eq(self.data), bridge.strobe.eq(self.strobe)]
        return m
