"""The accelerator behind AXI4-Lite alone: elements and results pass through registers too."""

import operator

from amaranth.hdl import DomainRenamer, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, flipped

from gatewright.errors import ConfigError
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import RESULT, element
from gatewright.hw.memories import Contents
from gatewright.hw.rtl.axi import attach, bus_ports, expose
from gatewright.hw.rtl.axi_lite import axi_lite

DEPTH = 512
"""Elements, and results, that wait in the mailbox unless another depth is asked for."""

_DEPTHS = (2, 32768)


class MappedAccelerator(wiring.Component):
    """Put the accelerator behind registers alone, for hosts without streams: a soft core, a serial line, a Zynq.

    What is written to INPUT waits in a FIFO until the accelerator takes it, and results wait in another until OUTPUT is
    read. The reset in CONTROL empties both, and ends what `discard` began.

    Parameters
    ----------
    config : AcceleratorConfig
    contents : Contents, optional
        The model that is baked in, as for `Accelerator`.
    depth : int
        Elements, and results, that the FIFOs hold: 2 to 32768.

    Members
    -------
    bus : In(axi_lite())
        The registers of `axi_registers`, the mailbox included.

    Raises
    ------
    ConfigError
        The depth is outside its range.
    """

    def __init__(self, config: AcceleratorConfig, contents: Contents | None = None, *, depth: int = DEPTH):
        self.config = config
        self.contents = contents
        self.depth = operator.index(depth)
        if not _DEPTHS[0] <= self.depth <= _DEPTHS[1]:
            raise ConfigError(f"the mailbox's depth must be from {_DEPTHS[0]} to {_DEPTHS[1]}, not {depth}")
        super().__init__({"bus": In(axi_lite())})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        registers, accelerator = attach(m, self.config, self.contents, mailbox=True)
        wiring.connect(m, flipped(self.bus), registers.bus)
        elements = self._queue(m, "elements", registers.reset, element(self.config.activation_bits).size)
        results = self._queue(m, "results", registers.reset, RESULT["data"].width)

        i, discarding = accelerator.i, Signal()
        m.d.comb += [
            elements.w_data.eq(registers.element.payload),
            elements.w_en.eq(registers.element.valid),
            registers.element.ready.eq(elements.w_rdy),
            # What is told holds for all accesses that follow: the FIFO needs a cycle to move a word to its end.
            registers.room.eq(Mux(elements.w_rdy, self.depth - elements.level, 0)),
            i.payload.as_value().eq(elements.r_data),
            i.valid.eq(elements.r_rdy & ~discarding),
            elements.r_en.eq(i.ready | discarding),
            registers.discarding.eq(discarding),
        ]
        with m.If(registers.reset):
            m.d.sync += discarding.eq(0)
        with m.Elif(registers.discard):
            m.d.sync += discarding.eq(1)
        with m.Elif(elements.r_rdy & i.payload.last):
            m.d.sync += discarding.eq(0)

        m.d.comb += [
            results.w_data.eq(accelerator.o.payload.data),
            results.w_en.eq(accelerator.o.valid),
            accelerator.o.ready.eq(results.w_rdy),
            Value.cast(registers.result.payload).eq(results.r_data),
            registers.result.valid.eq(results.r_rdy),
            results.r_en.eq(registers.result.ready),
            registers.results.eq(Mux(results.r_rdy, results.level, 0)),
        ]
        return m

    def _queue(self, m: Module, name: str, reset: Signal, width: int) -> SyncFIFOBuffered:
        queue = SyncFIFOBuffered(width=width, depth=self.depth)
        m.submodules[name] = ResetInserter(reset)(queue)
        return queue


class MappedTop(wiring.Component):
    """Give a `MappedAccelerator` ports with names from which vendors' tools infer the interface.

    Parameters
    ----------
    config, contents, depth
        As for `MappedAccelerator`.

    Members
    -------
    aclk, aresetn : In(1)
        Clock and synchronous active-low reset.
    s_axi_* : AXI4-Lite
    """

    def __init__(self, config: AcceleratorConfig, contents: Contents | None = None, *, depth: int = DEPTH):
        self.accelerator = MappedAccelerator(config, contents, depth=depth)
        self.config, self.contents, self.depth = config, contents, self.accelerator.depth
        super().__init__(bus_ports())

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.mapped = self.accelerator
        expose(m, self, self.accelerator.bus)
        # A name of its own, as a design around this one has a domain ``sync`` too.
        return DomainRenamer("axi")(m)
