"""What a reader of waves looks at first: signals with names of their own, and layouts that group them."""

import io
import re
from collections.abc import Iterator
from typing import NamedTuple

from amaranth.hdl import Shape
from amaranth.lib import data
from vcd.gtkw import GTKWSave, make_translation_filter

from gatewright.cosim.vectors import BENCH_TOP
from gatewright.errors import ToolError
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.verilog import TOP
from gatewright.hw.interface import JOB, RESULT, element
from gatewright.hw.ops import HEADER, Opcode

VIEW = "gatewright_view"
"""Module with the signals; the bench instantiates it."""

_SCOPE = f"{BENCH_TOP}.view"
_NONE = "-"
_NAME_CHARACTERS = max(len(opcode.name) for opcode in Opcode)
_TEMPORARY = re.compile(r"^  (?:wire|reg) .*\\\$\S+ .*;$(?:\n  (?:wire|reg) .*\\\$\S+ .*;$)*", re.MULTILINE)
_UNITS = ("input", "matrix", "drain", "output")


class Wave(NamedTuple):
    """A signal of a layout: its path, how it is shown, and whether its values are those of `Opcode`."""

    path: str
    format: str = "dec"
    opcode: bool = False


def groups() -> dict[str, list[Wave]]:
    """Return the signals that the layouts show, by group."""

    def handshake(port: str) -> list[Wave]:
        return [Wave(f"{BENCH_TOP}.{port}_{name}", "bin") for name in ("valid", "ready")]

    def view(*names: str, shown: str = "dec") -> list[Wave]:
        return [Wave(f"{_SCOPE}.{name}", shown) for name in names]

    return {
        "clock": [Wave(f"{BENCH_TOP}.{name}", "bin") for name in ("clk", "rst")],
        "job": [
            *handshake("job"),
            *view(*(f"job_{name}" for name, _ in JOB)),
            *view("busy", shown="bin"),
            *view("error"),
        ],
        "input stream": [*handshake("i"), *view("x", shown="signed"), *view("x_last", shown="bin")],
        "result stream": [
            *view("result_valid", shown="bin"),
            *view("result", shown="signed"),
            *view("result_last", shown="bin"),
        ],
        "sequencer": [
            *view("step"),
            Wave(f"{_SCOPE}.op", "dec", opcode=True),
            *view("op_name", shown="ascii"),
            *view("held_back", shown="bin"),
        ],
        "units": view(*(f"{unit}_busy" for unit in _UNITS), "multiplying", shown="bin"),
    }


def view_module(verilog: str, config: AcceleratorConfig) -> str:
    """Return the text of the module `VIEW` for the delivered text of the plain top.

    Raises
    ------
    ToolError
        The text has no such units.
    """
    instance = {
        name: f"{BENCH_TOP}.accelerator.{_instance(verilog, name)} " for name in (*_UNITS, "sequencer")
    }
    sequencer = instance["sequencer"]
    lines = [
        f"wire [{HEADER['opcode'] - 1}:0] opcode = {sequencer}.op[{HEADER['opcode'] - 1}:0];",
        "wire issued = " + " | ".join(f"{sequencer}.{unit}__valid" for unit in _UNITS) + ";",
        f"wire [{HEADER['opcode'] - 1}:0] op = issued ? opcode : 0;",
        f"reg [{8 * _NAME_CHARACTERS - 1}:0] op_name;",
        "always @* case (op)",
        *(f'    {opcode.value}: op_name = "{opcode.name}";' for opcode in Opcode),
        f'    default: op_name = "{_NONE}";',
        "endcase",
        f"wire [{JOB['steps'].width - 1}:0] step = {sequencer}.number;",
        f"wire held_back = {sequencer}.interlock;",
        *(f"wire {unit}_busy = ~{instance[unit]}.idle;" for unit in _UNITS),
        f"wire multiplying = {instance['matrix']}.multiplying;",
        *_port("job_payload", JOB, {name: f"job_{name}" for name, _ in JOB}),
        *_port("i_payload", element(config.activation_bits), {"data": "x", "last": "x_last"}),
        *_port("o_payload", RESULT, {"data": "result", "last": "result_last"}),
        f"wire result_valid = {BENCH_TOP}.o_valid;",
        f"wire busy = {BENCH_TOP}.busy;",
        f"wire [`ERROR_BITS-1:0] error = {BENCH_TOP}.error;",
    ]
    body = "".join(f"    {line}\n" for line in lines)
    return f'`include "sizes.svh"\nmodule {VIEW};\n{body}endmodule\n'


def without_temporaries(verilog: str) -> str:
    """Add comments that tell Verilator not to trace signals without a name, which some readers of waves refuse."""
    return _TEMPORARY.sub(r"/* verilator tracing_off */\n\g<0>\n/* verilator tracing_on */", verilog)


def _instance(verilog: str, name: str) -> str:
    """Return the name of a unit's instance in the top, which may have a number behind it."""
    found = re.search(rf"^  \\{TOP}\.{name}(?:\$\d+)?\s+(\\?{name}(?:\$\d+)?)\s+\(", verilog, re.MULTILINE)
    if found is None:
        raise ToolError(f"the Verilog has no unit {name!r} to show")
    return found[1]


def _port(payload: str, layout: data.StructLayout, names: dict[str, str]) -> Iterator[str]:
    """Yield a declaration for each field of a port of the bench."""
    for field, name in names.items():
        shape, low = Shape.cast(layout[field].shape), layout[field].offset
        kind = "wire signed" if shape.signed else "wire"
        bits = f"{BENCH_TOP}.{payload}[{low + shape.width - 1}:{low}]"
        yield f"{kind} [{shape.width - 1}:0] {name} = {bits};"


def gtkwave_layout(waves: str, filter_file: str) -> str:
    """Return a save file of GTKWave: groups, with the names of ops from a filter file beside it."""
    text = io.StringIO()
    save = GTKWSave(text)
    save.dumpfile(waves, abspath=False)
    save.treeopen(_SCOPE)
    for name, signals in groups().items():
        with save.group(name):
            for wave in signals:
                names = filter_file if wave.opcode else None
                save.trace(wave.path, datafmt=wave.format, translate_filter_file=names)
    return text.getvalue()


def op_names() -> str:
    """Return the filter file that names ops in GTKWave."""
    named = [(0, _NONE), *((opcode.value, opcode.name) for opcode in Opcode)]
    return make_translation_filter(named, "dec") + "\n"


def surfer_layout() -> str:
    """Return a command file of Surfer with the same groups; it shows the names of ops as ASCII."""
    formats = {"dec": "Unsigned", "signed": "Signed", "ascii": "ASCII"}
    lines = []
    for name, signals in groups().items():
        lines.append(f'divider_add "{name}"')
        for wave in signals:
            lines.append(f"variable_add {wave.path}")
            if wave.format in formats:
                lines.append(f"item_set_format {formats[wave.format]}")
    return "\n".join([*lines, "zoom_fit"]) + "\n"
