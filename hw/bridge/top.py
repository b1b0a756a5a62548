"""The accelerator behind a serial line."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.bridge.bridge import Bridge
from gatewright.hw.bridge.uart import DIVISOR_BITS, UartReceiver, UartTransmitter
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.memories import Contents
from gatewright.hw.rtl.mapped import DEPTH, MappedAccelerator
from gatewright.hw.rtl.stream import connect


class SerialAccelerator(wiring.Component):
    """Put the accelerator behind a serial line: what is the same on every board.

    Parameters
    ----------
    config : AcceleratorConfig
    contents : Contents, optional
        The model that is baked in, as for `Accelerator`.
    depth : int
        As for `MappedAccelerator`.

    Members
    -------
    rx : In(1)
        From the host; asynchronous.
    tx : Out(1)
        To the host.
    divisor : In(16)
        Cycles of a bit on the line, constant.
    connected : Out(1)
        A host has opened a session.
    """

    def __init__(self, config: AcceleratorConfig, contents: Contents | None = None, *, depth: int = DEPTH):
        self.config = config
        self.contents = contents
        self.depth = depth
        super().__init__(
            {"rx": In(1), "tx": Out(1, init=1), "divisor": In(DIVISOR_BITS), "connected": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.receiver = receiver = UartReceiver()
        m.submodules.transmitter = transmitter = UartTransmitter()
        m.submodules.bridge = bridge = Bridge()
        m.submodules.mapped = mapped = MappedAccelerator(self.config, self.contents, depth=self.depth)
        connect(m, bridge.o, transmitter.i)
        wiring.connect(m, bridge.bus, mapped.bus)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            receiver.divisor.eq(self.divisor),
            transmitter.divisor.eq(self.divisor),
            self.tx.eq(transmitter.tx),
            bridge.data.eq(receiver.data),
            bridge.strobe.eq(receiver.strobe),
            self.connected.eq(bridge.connected),
        ]
        return m
