"""Deterministic Verilog of the accelerator."""

import gc
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata

from amaranth.back import rtlil
from amaranth.hdl import Shape
from amaranth.lib import data, wiring

from gatewright import __version__
from gatewright.hw import interface, ops
from gatewright.hw.compiler.image import Image
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.merge import merge_modules
from gatewright.hw.fpga.yosys import run_yosys
from gatewright.hw.memories import Contents
from gatewright.hw.rtl.accelerator import Accelerator
from gatewright.hw.rtl.axi import AxiTop
from gatewright.hw.rtl.axi_registers import registers
from gatewright.hw.rtl.checks import CHECKS

TOP = "gatewright_accelerator"
"""Name of the top module."""

AXI_TOP = "gatewright_axi"
"""Name of the top module with AXI ports."""


@dataclass(frozen=True)
class Top:
    """A top module that holds an accelerator.

    Parameters
    ----------
    name : str
        Of the module.
    component : callable
        Makes it of a configuration and of the model that is baked in, or None.
    registers : bool
        It has the registers of the AXI4-Lite port.
    mailbox : bool
        Elements and results pass through registers too.
    """

    name: str
    component: Callable[[AcceleratorConfig, Contents | None], wiring.Component]
    registers: bool = True
    mailbox: bool = False


_PLAIN = Top(TOP, Accelerator, registers=False)
_AXI = Top(AXI_TOP, AxiTop)

_LINT_OFF = {
    "DECLFILENAME": "modules of one design stay in one file",
    "UNUSEDSIGNAL": "names of the source are kept, also where only a part of a signal is used",
    "WIDTHEXPAND": "constants are written at their own width",
    "WIDTHTRUNC": "! is used on several bits, and the bits behind a selecting shift are dropped",
    "CASEINCOMPLETE": "defaults are assigned before the case",
    "CMPCONST": "comparisons are kept where a configuration makes them constant",
    "UNSIGNED": "the same of unsigned values and zero",
    "PROCASSINIT": "registers have a value at power-up",
}
"""Warnings of Verilator's lint that speak of how Yosys writes Verilog; all others stay on."""

_SECONDS = 300


def emit(config: AcceleratorConfig, image: Image | None = None) -> str:
    """Give the accelerator as SystemVerilog (the subset that Verilator and Yosys read).

    Takes seconds; a process that asks again for the same configuration gets the same text at once.

    The text depends on configuration, image and the versions in its header only: it is the same
    for any hash seed, machine and run, so that it can be hashed as the key of a build cache.

    Parameters
    ----------
    config : AcceleratorConfig
        The hardware to emit.
    image : Image, optional
        A model for `config` that is baked in: the memories hold it from the start, and there is no `load` port.

    Returns
    -------
    str
        Modules with the top module `TOP` last, behind a comment with the configuration and the
        layouts of ports, load addresses and ops.

    Raises
    ------
    ToolError
        Yosys is missing or failed.
    """
    return emit_top(_PLAIN, config, image)


def emit_axi(config: AcceleratorConfig, image: Image | None = None) -> str:
    """Do what `emit` does for the accelerator behind AXI ports, with the top module `AXI_TOP`."""
    return emit_top(_AXI, config, image)


def emit_top(top: Top, config: AcceleratorConfig, image: Image | None = None) -> str:
    """Do what `emit` does for any top."""
    return _loaded(top, config) if image is None else _emit(top, config, image.contents(config))


@lru_cache(maxsize=16)
def _loaded(top: Top, config: AcceleratorConfig) -> str:
    return _emit(top, config, None)


def _emit(top: Top, config: AcceleratorConfig, contents: Contents | None) -> str:
    component = top.component(config, contents)
    named = _registers(bool(contents), top.mailbox) if top.registers else []
    lines = [*_ports(component), *named]
    if contents:
        lines += ["", "The memories hold a model: nothing is loaded."]
    else:
        lines += ["", "Values of the field region: which memory a load goes to", *_values(interface.Region)]
    return _header(config, top.name, lines) + emit_component(component, top.name)


def emit_component(component: wiring.Component, name: str) -> str:
    """Give any component as SystemVerilog whose top module has the given name.

    Amaranth's own `verilog.convert` writes ``always @*``, which a simulator need not run at time 0;
    ``write_verilog -sv`` writes ``always_comb`` instead. Yosys comes from `pyosys`,
    which synthesis needs too: one Yosys for both, native, with nothing to start up.

    A memory with the attribute ``collision="none"`` promises that nobody uses what is read at an address in the cycle
    that writes there. Yosys calls that ``no_rw_check``, and builds no logic around a block RAM to give the old word.

    Raises
    ------
    ToolError
        Yosys is missing or failed.
    """
    with _uncollected():
        design = rtlil.convert(component, name=name, emit_src=False)
    text = run_yosys(
        merge_modules(design),
        [
            "read_rtlil source",
            "proc -nomux -norom",
            "memory_collect",
            "write_verilog -sv -norename result",
        ],
        seconds=_SECONDS,
    )
    text = text.replace('(* collision = "none" *)', "(* no_rw_check *)")
    # Of all attributes, only those that place memories mean anything to the reader.
    text = re.sub(r"^ *\(\* (?!ram_style|rom_style|no_rw_check).*\*\)\n", "", text, flags=re.MULTILINE)
    # The first line names the compiler that built this Yosys, which differs between machines.
    _, _, text = text.partition("\n")
    # A signal of no bits is written as [-1:0], which Verilog reads as two; nothing refers to it.
    text = re.sub(r"^  (wire|reg)( signed)? \[-1:0\] .*;\n", "", text, flags=re.MULTILINE)
    # An element of an array is named \a[1], which Yosys's ABC9 takes for bit 1 of a: write \a.1 instead.
    text = re.sub(r"\\\S+", lambda match: match[0].replace("[", ".").replace("]", ""), text)
    return _guard_checks(_fold_memories(text.lstrip("\n")))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep Python from looking for garbage: all of a design's objects live, and looking takes half the time."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


_CHECKS = re.compile(
    rf"^module \\\S+\.{CHECKS} \(.*?^endmodule\n|^  \\\S+\.{CHECKS}  {CHECKS} \(.*?^  \);\n",
    re.MULTILINE | re.DOTALL,
)
_HIDDEN = "`ifndef SYNTHESIS\n`ifndef __ICARUS__\n"
_CHECK = re.compile(r'if \(!.*\)\n +\$write\("(.*)"\);\n +(assert \(.*\);)')


def _guard_checks(text: str) -> str:
    """Hide the checks from synthesis, and name their assertions after what they say.

    A failed one is reported by its name. An ``else`` with a message of its own is more than Yosys reads. Icarus Verilog
    11 reads no assertions with names, so that it does not see the checks either.
    """

    def name(check: re.Match) -> str:
        label = re.sub(r"\W+", "_", check[1])
        return f"{label}: {check[2]}"

    return _CHECKS.sub(lambda found: f"{_HIDDEN}{_CHECK.sub(name, found[0])}`endif\n`endif\n", text)


_INITIAL = re.compile(
    r"^  initial begin\n((?:    \S+ ?\[\d+\] = \d+'[hd][0-9a-f]+;\n)+)  end\n", re.MULTILINE
)
_ENTRY = re.compile(r"    (\S+ ?)\[\d+\] = (\d+)'([hd])([0-9a-f]+);\n")
_BASES = {"h": 16, "d": 10}
"""Yosys writes words of 32 bits in decimal, all others in hexadecimal."""

_LITERAL_BITS = 512
"""Bits of a literal with words of a memory: much longer ones are slow in Yosys, as are single words."""


def _fold_memories(text: str) -> str:
    """Write what memories begin with as literals of many words, and zeros as a loop that synthesis does not see.

    Yosys needs longer for single words than for the rest of its work. No result depends on the zeros: reset clears the
    accumulators, and all else is written before it is read.
    """
    blocks = 0

    def fold(match: re.Match) -> str:
        nonlocal blocks
        blocks += 1
        entries = _ENTRY.findall(match[1])
        name, bits = entries[0][0], int(entries[0][1])
        words = [int(word, _BASES[base]) for _, _, base, word in entries]
        if any(words):
            return _literals(f"fill{blocks}", name, bits, words)
        return (
            "`ifndef SYNTHESIS\n"
            f"  initial begin : fill{blocks}\n"
            "    integer entry;\n"
            f"    for (entry = 0; entry < {len(words)}; entry = entry + 1) {name}[entry] = {bits}'h0;\n"
            "  end\n"
            "`endif\n"
        )

    return _INITIAL.sub(fold, text)


def _literals(fill: str, name: str, bits: int, words: list[int]) -> str:
    # Yosys is twice as fast with a block for each literal as with one for all, and with names outside of blocks.
    count = max(1, _LITERAL_BITS // bits)
    lines = [f"  integer {fill};\n"]
    for first in range(0, len(words), count):
        some = words[first : first + count]
        value, size = sum(word << bits * k for k, word in enumerate(some)), bits * len(some)
        lines += [
            f"  localparam [{size - 1}:0] {fill}_{first} = {size}'h{value:0{-(-size // 4)}x};\n",
            f"  initial for ({fill} = 0; {fill} < {len(some)}; {fill} = {fill} + 1) "
            f"{name}[{first} + {fill}] = {fill}_{first}[{bits} * {fill} +: {bits}];\n",
        ]
    return "".join(lines)


def _header(config: AcceleratorConfig, top: str, more: Iterable[str]) -> str:
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("amaranth", "pyosys"))
    lines = [
        f"{top}, emitted by Gatewright {__version__} ({versions}).",
        "",
        f"Configuration: {json.dumps(config.to_json())}",
        "",
        *more,
    ]
    lines += ["", "Error codes"]
    lines += _values(interface.ErrorCode)
    lines += ["", f"Ops ({ops.OP_BITS} bits in the program memory): fields of all, then those of each opcode"]
    lines += _fields(ops.HEADER_LAYOUT)
    for opcode in ops.Opcode:
        lines.append(f"  {opcode.name} = {opcode.value}")
        lines += _fields(ops.argument_layout(opcode), ops.HEADER_LAYOUT.size)
    header = "".join(f"// {line}".rstrip() + "\n" for line in lines)
    pragmas = "".join(f"/* verilator lint_off {name} */ // {why}\n" for name, why in _LINT_OFF.items())
    return f"{header}\n{pragmas}\n"


def _ports(component: wiring.Component) -> list[str]:
    clock = "" if "aclk" in component.signature.members else "besides clk and rst (synchronous, active high)"
    lines = [" ".join(f"Ports {clock}".split()) + "; fields of packed payloads below them:"]
    for path, member, _ in component.signature.flatten(component):
        direction = "input " if member.flow == wiring.In else "output"
        lines.append(f"  {direction} {_bits(0, Shape.cast(member.shape))} {'__'.join(map(str, path))}")
        if isinstance(member.shape, data.Layout):
            lines += _fields(member.shape)
    return lines


def _registers(baked: bool, mailbox: bool) -> list[str]:
    lines = ["", "Registers of the AXI4-Lite port: offset, access, name; fields below them"]
    for register in registers(baked, mailbox).values():
        lines.append(f"  0x{register.offset:03x} {register.access.value} {register.name}")
        lines += _fields(register.fields) if register.fields else []
    return lines


def _fields(layout: data.Layout, low: int = 0, indent: str = "    ") -> list[str]:
    """Describe the fields of a layout whose bit 0 is bit `low` of what holds it."""
    lines = []
    for name, field in layout:
        position = low + field.offset
        lines.append(f"{indent}{_bits(position, Shape.cast(field.shape))} {name}")
        if isinstance(field.shape, data.Layout):
            lines += _fields(field.shape, position, indent + "  ")
    return lines


def _bits(low: int, shape: Shape) -> str:
    place = f"[{low + shape.width - 1}:{low}]"
    return f"{place:9} {'signed' if shape.signed else 'unsigned':8}"


def _values(enumeration) -> list[str]:
    return [f"    {member.value} {member.name}" for member in enumeration]
