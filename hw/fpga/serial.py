"""Few pins for a design with many: what timing runs place."""

from collections.abc import Mapping

from amaranth.hdl import Cat, ClockSignal, Instance, Module, ResetSignal, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.devices import Family
from gatewright.hw.fpga.verilog import AXI_TOP, TOP, emit_component
from gatewright.hw.rtl.accelerator import accelerator_ports
from gatewright.hw.rtl.axi import axi_ports

SERIAL_TOP = "gatewright_serial"
"""Name of the top module around an accelerator with AXI ports."""

PLAIN_SERIAL_TOP = "gatewright_plain_serial"
"""Name of the top module around an accelerator with plain ports."""

INSIDE = {SERIAL_TOP: AXI_TOP, PLAIN_SERIAL_TOP: TOP}
"""The module that each of them instantiates, whose text is another file."""

COMPONENT = "component"
"""Name of the instance in it."""


class Instantiated(wiring.Component):
    """Stand for a module whose Verilog is elsewhere.

    Parameters
    ----------
    module : str
        Its name.
    ports : mapping of Member
        As of the component that the module was emitted from.
    clocked : bool
        Whether it has ``clk`` and ``rst``, those of the domain ``sync``.
    """

    def __init__(self, module: str, ports: Mapping[str, wiring.Member], *, clocked: bool):
        self.module = module
        self.clocked = clocked
        super().__init__(dict(ports))

    def elaborate(self, platform: object) -> Instance:
        domain = {"i_clk": ClockSignal(), "i_rst": ResetSignal()} if self.clocked else {}
        ports = {
            f"{'i' if member.flow is In else 'o'}_{'__'.join(map(str, path))}": value
            for path, member, value in self.signature.flatten(self)
        }
        return Instance(self.module, **domain, **ports)


class SerialPorts(wiring.Component):
    """Drive a component's inputs from a shift register, and shift its outputs out of another.

    No package has a pin for every port of an accelerator. Every path of the component then runs between registers, and
    is timed as it would be inside a larger design.

    Parameters
    ----------
    component : Component
        Without interfaces of arrays.
    clock : str, optional
        Its input that is the clock; without one the component uses the domain ``sync``.
    without : tuple of str
        Outputs that are left open, such as those that are constant.

    Members
    -------
    serial_in : In(1)
        Next bit of the inputs.
    capture : In(1)
        Take the outputs; else the register that holds them is shifted.
    serial_out : Out(1)
    """

    def __init__(self, component: wiring.Component, clock: str | None = None, without: tuple[str, ...] = ()):
        self.component = component
        self.clock = clock
        self.without = without
        super().__init__({"serial_in": In(1), "capture": In(1), "serial_out": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules[COMPONENT] = component = self.component
        inputs: list[Value] = []
        outputs: list[Value] = []
        for path, member, value in component.signature.flatten(component):
            if path == (self.clock,):
                m.d.comb += Value.cast(value).eq(ClockSignal())
            elif path[0] not in self.without:
                (inputs if member.flow is In else outputs).append(Value.cast(value))
        into = Signal(sum(Shape.cast(value.shape()).width for value in inputs))
        out = Signal(sum(Shape.cast(value.shape()).width for value in outputs))
        m.d.sync += into.eq(Cat(self.serial_in, into))
        m.d.comb += [Cat(*inputs).eq(into), self.serial_out.eq(out[-1])]
        with m.If(self.capture):
            m.d.sync += out.eq(Cat(*outputs))
        with m.Else():
            m.d.sync += out.eq(out << 1)
        return m


def emit_serial(top: str, config: AcceleratorConfig, *, baked: bool = False) -> str:
    """Give one of the tops that `INSIDE` names as SystemVerilog, without the module inside.

    Parameters
    ----------
    top : str
    config : AcceleratorConfig
        A plain accelerator's counters have no pins where it has none.
    baked : bool
        Whether a model is baked into it.
    """
    if top == SERIAL_TOP:
        inside = Instantiated(AXI_TOP, axi_ports(config), clocked=False)
        return emit_component(SerialPorts(inside, clock="aclk"), top)
    inside = Instantiated(TOP, accelerator_ports(config, baked=baked), clocked=True)
    return emit_component(SerialPorts(inside, without=() if config.counters else ("counters",)), top)


def serial_top(family: Family) -> str:
    """Name the top module of a delivered folder that is placed on devices of a family."""
    return SERIAL_TOP if family.axi else PLAIN_SERIAL_TOP
