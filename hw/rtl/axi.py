"""The accelerator behind AXI ports: AXI4-Lite for commands, AXI4-Stream for data."""

from amaranth.hdl import ClockDomain, ClockSignal, DomainRenamer, Module, ResetInserter, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import RESULT
from gatewright.hw.memories import Contents
from gatewright.hw.rtl.accelerator import Accelerator
from gatewright.hw.rtl.axi_lite import AxiLiteRegisters, axi_lite
from gatewright.hw.rtl.stream import connect

_BUS = "s_axi_"


def bus_ports() -> dict[str, wiring.Member]:
    """Return clock, reset and the AXI4-Lite port of a top, with names from which vendors' tools infer the interface."""
    ports = {_BUS + name: member for name, member in axi_lite().flip().members.items()}
    return {"aclk": In(1), "aresetn": In(1), **ports}


def stream_ports(config: AcceleratorConfig) -> dict[str, wiring.Member]:
    """Return the AXI4-Stream ports of `AxiTop`."""
    return {
        "s_axis_tdata": In(config.activation_bits),
        "s_axis_tvalid": In(1),
        "s_axis_tready": Out(1),
        "s_axis_tlast": In(1),
        "m_axis_tdata": Out(RESULT["data"].width),
        "m_axis_tvalid": Out(1),
        "m_axis_tready": In(1),
        "m_axis_tlast": Out(1),
    }


def axi_ports(config: AcceleratorConfig) -> dict[str, wiring.Member]:
    """Return the ports of `AxiTop`."""
    return {**bus_ports(), **stream_ports(config)}


def expose(m: Module, top: wiring.Component, bus) -> None:
    """Connect the `bus_ports` of a top with a port of `axi_lite`; its clock and reset become the domain ``axi``."""
    m.domains.axi = ClockDomain(local=True)
    m.d.comb += [ClockSignal("axi").eq(top.aclk), ResetSignal("axi").eq(~top.aresetn)]
    for name, member in axi_lite().members.items():
        outside, inside = getattr(top, _BUS + name), getattr(bus, name)
        m.d.comb += inside.eq(outside) if member.flow is Out else outside.eq(inside)


def attach(
    m: Module, config: AcceleratorConfig, contents: Contents | None, *, mailbox: bool = False
) -> tuple[AxiLiteRegisters, Accelerator]:
    """Make an accelerator with its registers.

    Returns
    -------
    registers, accelerator : AxiLiteRegisters, Accelerator
        Submodules of `m` that are connected with each other; the bus and the streams of elements and results are not.
    """
    m.submodules.registers = registers = AxiLiteRegisters(config, baked=bool(contents), mailbox=mailbox)
    accelerator = Accelerator(config, contents)
    m.submodules.accelerator = ResetInserter(registers.reset)(accelerator)
    if not contents:
        connect(m, registers.load, accelerator.load)
    connect(m, registers.job, accelerator.job)
    m.d.comb += [
        registers.busy.eq(accelerator.busy),
        registers.error.eq(accelerator.error),
        registers.counters.eq(accelerator.counters),
    ]
    return registers, accelerator


class AxiTop(wiring.Component):
    """Put AXI ports on the accelerator, with names from which vendors' tools infer the interfaces.

    Parameters
    ----------
    config : AcceleratorConfig
    contents : Contents, optional
        The model that is baked in, as for `Accelerator`.

    Members
    -------
    aclk, aresetn : In(1)
        Clock and synchronous active-low reset.
    s_axi_* : AXI4-Lite
        The registers of `axi_registers`.
    s_axis_tdata, s_axis_tvalid, s_axis_tready, s_axis_tlast : AXI4-Stream
        Elements of x, `activation_bits` wide; tlast marks the end of a sequence.
    m_axis_tdata, m_axis_tvalid, m_axis_tready, m_axis_tlast : AXI4-Stream
        Results, 32 bits, one cycle later than the accelerator gives them; tlast marks the final element of a vector.
    """

    def __init__(self, config: AcceleratorConfig, contents: Contents | None = None):
        self.config = config
        self.contents = contents
        super().__init__(axi_ports(config))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        registers, accelerator = attach(m, self.config, self.contents)
        expose(m, self, registers.bus)
        self._input(m, registers, accelerator)
        self._output(m, accelerator)
        # A name of its own, as a design around this one has a domain ``sync`` too.
        return DomainRenamer("axi")(m)

    def _input(self, m: Module, registers: AxiLiteRegisters, accelerator: Accelerator) -> None:
        i = accelerator.i
        discarding = Signal()
        m.d.comb += [
            registers.discarding.eq(discarding),
            i.payload.data.eq(self.s_axis_tdata),
            i.payload.last.eq(self.s_axis_tlast),
            i.valid.eq(self.s_axis_tvalid & ~discarding),
            self.s_axis_tready.eq(i.ready | discarding),
        ]
        with m.If(registers.discard):
            m.d.sync += discarding.eq(1)
        with m.Elif(self.s_axis_tvalid & self.s_axis_tlast):
            m.d.sync += discarding.eq(0)

    def _output(self, m: Module, accelerator: Accelerator) -> None:
        # A register that the accelerator's own reset leaves alone: what has been offered must not be taken back.
        o = accelerator.o
        with m.If(~self.m_axis_tvalid | self.m_axis_tready):
            m.d.comb += o.ready.eq(1)
            m.d.sync += [
                self.m_axis_tvalid.eq(o.valid),
                self.m_axis_tdata.eq(o.payload.data),
                self.m_axis_tlast.eq(o.payload.last),
            ]
