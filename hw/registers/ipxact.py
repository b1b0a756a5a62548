"""A top with AXI ports as a component of IP-XACT (IEEE 1685-2014): bus interfaces, memory map, ports."""

from collections.abc import Mapping
from xml.etree import ElementTree

from amaranth.hdl import Shape
from amaranth.lib.wiring import In, Member

from gatewright import __version__
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.registers.fields import fields_of
from gatewright.hw.rtl.axi_registers import ADDRESS_BITS, CONSTANTS, WORD_BITS, Access, Register

_NAMESPACE = "http://www.accellera.org/XMLSchema/IPXACT/1685-2014"
_MAP, _VIEW, _FILES = "registers", "rtl", "verilog"
_ACCESS = {Access.READ: "read-only", Access.WRITE: "write-only", Access.BOTH: "read-write"}
# Arm publishes these definitions; the names are those of its AMBA 4 library.
_BUSES = {
    "s_axi": ("AXI4-Lite", "r0p0_0", "slave"),
    "s_axis": ("AXI4Stream", "r0p0_1", "slave"),
    "m_axis": ("AXI4Stream", "r0p0_1", "master"),
}


def ipxact(
    table: Mapping[str, Register], config: AcceleratorConfig, name: str, ports: Mapping[str, Member]
) -> str:
    """Return the XML text of the component.

    Parameters
    ----------
    table : dict of Register
        The registers that the top has.
    config : AcceleratorConfig
        What the registers ``CONFIG_*`` read as.
    name : str
        Name of the top's module.
    ports : mapping
        Its ports: `axi.bus_ports`, and `axi.stream_ports` where it has streams.
    """
    ElementTree.register_namespace("ipxact", _NAMESPACE)
    root = ElementTree.Element(_tag("component"))
    for tag, text in (
        ("vendor", "gatewright"),
        ("library", "gatewright"),
        ("name", name),
        ("version", __version__),
    ):
        _add(root, tag, text)
    _bus_interfaces(root, ports)
    _memory_map(root, table, config)
    _model(root, ports, name)
    _file_set(root, name)
    _add(root, "description", f"LSTM accelerator: {', '.join(_interfaces(ports))}")
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _tag(name: str) -> str:
    return f"{{{_NAMESPACE}}}{name}"


def _add(
    parent: ElementTree.Element, tag: str, text: object = None, /, **attributes: str
) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, _tag(tag), attributes)
    if text is not None:
        element.text = str(text)
    return element


def _interfaces(members: Mapping[str, Member]) -> list[str]:
    """Return which of `_BUSES` some ports belong to."""
    return [prefix for prefix in _BUSES if any(name.startswith(f"{prefix}_") for name in members)]


def _bus_interfaces(root: ElementTree.Element, members: Mapping[str, Member]) -> None:
    interfaces = _add(root, "busInterfaces")
    for prefix in _interfaces(members):
        bus, version, mode = _BUSES[prefix]
        interface = _add(interfaces, "busInterface")
        _add(interface, "name", prefix)
        owner = {"vendor": "amba.com", "library": "AMBA4", "version": version}
        _add(interface, "busType", name=bus, **owner)
        kind = _add(_add(interface, "abstractionTypes"), "abstractionType")
        _add(kind, "abstractionRef", name=f"{bus}_rtl", **owner)
        signals = {name: name.removeprefix(f"{prefix}_") for name in members if name.startswith(f"{prefix}_")}
        shared = {"aclk": "aclk", "aresetn": "aresetn"}
        maps = _add(kind, "portMaps")
        for physical, logical in (signals | shared).items():
            mapped = _add(maps, "portMap")
            _add(_add(mapped, "logicalPort"), "name", logical.upper())
            _add(_add(mapped, "physicalPort"), "name", physical)
        side = _add(interface, mode)
        if prefix == "s_axi":
            _add(side, "memoryMapRef", memoryMapRef=_MAP)


def _memory_map(root: ElementTree.Element, table: Mapping[str, Register], config: AcceleratorConfig) -> None:
    memory = _add(_add(root, "memoryMaps"), "memoryMap")
    _add(memory, "name", _MAP)
    block = _add(memory, "addressBlock")
    _add(block, "name", _MAP)
    _add(block, "baseAddress", 0)
    _add(block, "range", 1 << ADDRESS_BITS)
    _add(block, "width", WORD_BITS)
    _add(block, "usage", "register")
    for name, register in table.items():
        _register(block, register, _constant(name, config))
    _add(memory, "addressUnitBits", 8)


def _constant(name: str, config: AcceleratorConfig) -> int | None:
    """Return the value that a register always reads as; None where it may change."""
    values = {f"CONFIG_{field.upper()}": value for field, value in config.to_json().items()}
    return {**CONSTANTS, **values}.get(name)


def _register(block: ElementTree.Element, register: Register, constant: int | None) -> None:
    element = _add(block, "register")
    _add(element, "name", register.name)
    _add(element, "description", register.meaning)
    _add(element, "addressOffset", f"'h{register.offset:x}")
    _add(element, "size", WORD_BITS)
    _add(element, "volatile", "true" if register.access is Access.READ and constant is None else "false")
    _add(element, "access", _ACCESS[register.access])
    fields = fields_of(register)
    if not fields:
        # A register is its fields: one that is a number has a single one.
        field = _field(element, "value", register.meaning, 0, constant)
        _add(field, "bitWidth", WORD_BITS)
    for each in fields:
        field = _field(element, each.name, each.meaning, each.low, None)
        _add(field, "bitWidth", each.width)
        if each.values:
            listed = _add(field, "enumeratedValues")
            for name, value in each.values.items():
                named = _add(listed, "enumeratedValue")
                _add(named, "name", name)
                _add(named, "value", value)


def _field(
    register: ElementTree.Element, name: str, meaning: str, low: int, reset: int | None
) -> ElementTree.Element:
    field = _add(register, "field")
    _add(field, "name", name)
    _add(field, "description", meaning)
    _add(field, "bitOffset", low)
    if reset is not None:
        _add(_add(_add(field, "resets"), "reset"), "value", f"'h{reset:x}")
    return field


def _model(root: ElementTree.Element, members: Mapping[str, Member], module: str) -> None:
    model = _add(root, "model")
    view = _add(_add(model, "views"), "view")
    _add(view, "name", _VIEW)
    _add(view, "componentInstantiationRef", _VIEW)
    instantiation = _add(_add(model, "instantiations"), "componentInstantiation")
    _add(instantiation, "name", _VIEW)
    _add(instantiation, "language", "systemVerilog")
    _add(instantiation, "moduleName", module)
    _add(_add(instantiation, "fileSetRef"), "localName", _FILES)
    ports = _add(model, "ports")
    for name, member in members.items():
        port = _add(ports, "port")
        _add(port, "name", name)
        wire = _add(port, "wire")
        _add(wire, "direction", "in" if member.flow is In else "out")
        width = Shape.cast(member.shape).width
        if width > 1:
            vector = _add(_add(wire, "vectors"), "vector")
            _add(vector, "left", width - 1)
            _add(vector, "right", 0)


def _file_set(root: ElementTree.Element, module: str) -> None:
    files = _add(_add(root, "fileSets"), "fileSet")
    _add(files, "name", _FILES)
    file = _add(files, "file")
    _add(file, "name", f"../rtl/{module}.sv")
    _add(file, "fileType", "systemVerilogSource")
