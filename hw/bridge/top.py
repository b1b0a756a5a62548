"""The accelerator behind a line to a host."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.bridge.bridge import Bridge
from gatewright.hw.bridge.line import LineKind
from gatewright.hw.bridge.spi import SpiPeripheral
from gatewright.hw.bridge.uart import DIVISOR_BITS, UartReceiver, UartTransmitter
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.memories import Contents
from gatewright.hw.rtl.mapped import DEPTH, MappedAccelerator
from gatewright.hw.rtl.stream import connect


class SerialAccelerator(wiring.Component):
    """Put the accelerator behind a line to a host: what is the same on every board.

    Parameters
    ----------
    config : AcceleratorConfig
    contents : Contents, optional
        The model that is baked in, as for `Accelerator`.
    line : LineKind
    depth : int
        As for `MappedAccelerator`.

    Members
    -------
    rx : In(1)
        Of a UART, from the host; asynchronous.
    tx : Out(1)
        Of a UART, to the host.
    divisor : In(16)
        Of a UART, cycles of a bit on the line, constant.
    sck, copi, select_n, cipo
        Of SPI, as `SpiPeripheral` has them.
    connected : Out(1)
        A host has opened a session.
    """

    def __init__(
        self,
        config: AcceleratorConfig,
        contents: Contents | None = None,
        *,
        line: LineKind = LineKind.UART,
        depth: int = DEPTH,
    ):
        self.config = config
        self.contents = contents
        self.line = line
        self.depth = depth
        uart = line is LineKind.UART
        members = {name: In(1) for name in line.inputs}
        # A UART rests high.
        members |= {name: Out(1, init=int(uart)) for name in line.outputs}
        members |= {"divisor": In(DIVISOR_BITS)} if uart else {}
        super().__init__({**members, "connected": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lines = {LineKind.UART: self._uart, LineKind.SPI: self._spi}
        received, sender, pins = lines[self.line](m)
        m.submodules.bridge = bridge = Bridge()
        m.submodules.mapped = mapped = MappedAccelerator(self.config, self.contents, depth=self.depth)
        connect(m, bridge.o, sender)
        wiring.connect(m, bridge.bus, mapped.bus)
        m.d.comb += [
            *pins,
            bridge.data.eq(received.data),
            bridge.strobe.eq(received.strobe),
            self.connected.eq(bridge.connected),
        ]
        return m

    def _uart(self, m: Module) -> tuple:
        """Return what gives the bytes that come, the stream of those to send, and how both are at the pins."""
        m.submodules.receiver = receiver = UartReceiver()
        m.submodules.transmitter = transmitter = UartTransmitter()
        pins = [
            receiver.rx.eq(self.rx),
            receiver.divisor.eq(self.divisor),
            transmitter.divisor.eq(self.divisor),
            self.tx.eq(transmitter.tx),
        ]
        return receiver, transmitter.i, pins

    def _spi(self, m: Module) -> tuple:
        """Return the same of SPI."""
        m.submodules.peripheral = peripheral = SpiPeripheral()
        pins = [getattr(peripheral, name).eq(getattr(self, name)) for name in LineKind.SPI.inputs]
        return peripheral, peripheral.i, [*pins, self.cipo.eq(peripheral.cipo)]
