"""Which module of the accelerator a cell of its flat netlist belongs to."""

import json
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from gatewright.hw.fpga.absorb import top_module

Cell = dict[str, Any]

MODULES = {
    "lanes": r"matrix\.lane\d+",
    "columns": r"matrix\.front",
    "matrix": r"matrix",
    "activations": r"activations",
    "reduction": r"drain\.reduction",
    "cell unit": r"drain\.cells",
    "drain": r"drain",
    "sequencer": r"sequencer",
    "counters": r"counters",
    "balance": r"balance",
}
"""Modules of the accelerator by their instances, the first that fits."""

PORTS = "ports"
"""The rest: input, output, loader."""

_MODULE = re.compile(r"^module \\?(\S+?)[ (]", re.MULTILINE)
_LINE = re.compile(r"source:(\d+)\.")
_MEMORIES = ("DP16KD", "PDPW16KD", "TRELLIS_DPR16X4")
"""Cells that are named after their memory."""


def cells_by_module(netlist: str, verilog: str) -> dict[str, Counter[str]]:
    """Count the cells of each module by type.

    A register, an adder, a multiplier is of the module whose text it comes from; a memory of the one that holds it.
    Logic goes with what it leads to: with the first cell that reads it.

    Parameters
    ----------
    netlist : str
        Flat and mapped to primitives, as `synthesis.netlist` gives it.
    verilog : str
        What it was made from. Of modules that are written once for several instances, the name counts.
    """
    cells: dict[str, Cell] = top_module(json.loads(netlist))["cells"]
    read_by = defaultdict(list)
    for name, cell in cells.items():
        for net in _nets(cell, "input"):
            read_by[net].append(name)
    module_at = _modules_of_lines(verilog)
    owners: dict[str, str] = {}

    def owner(name: str) -> str:
        path: list[str] = []
        while name and name not in owners:
            path.append(name)
            cell = cells[name]
            if line := _LINE.search(cell["attributes"].get("src", "")):
                owners[name] = module_at(int(line[1]))
            elif cell["type"] in _MEMORIES:
                owners[name] = _module(name)
            else:
                readers = (each for net in _nets(cell, "output") for each in read_by[net])
                name = next((each for each in readers if each not in path), "")
        found = owners.get(name, PORTS)
        owners.update(dict.fromkeys(path, found))
        return found

    found: dict[str, Counter[str]] = {name: Counter() for name in (*MODULES, PORTS)}
    for name, cell in cells.items():
        # $scopeinfo remembers flattened modules; it is no cell.
        if cell["type"] != "$scopeinfo":
            found[owner(name)][cell["type"]] += 1
    return found


def _module(instance: str) -> str:
    """Return the module that an instance, its names from the top down with dots between them, belongs to."""
    inside = instance.removeprefix("accelerator.")
    return next((name for name, begin in MODULES.items() if re.match(rf"{begin}(?![a-z_])", inside)), PORTS)


def _modules_of_lines(verilog: str) -> Callable[[int], str]:
    """Give a function of a line's number, counted from 1."""
    starts, names = [], []
    for match in _MODULE.finditer(verilog):
        starts.append(verilog.count("\n", 0, match.start()) + 1)
        names.append(_module(match[1].partition(".")[2]))
    return lambda line: names[bisect_right(starts, line) - 1]


def _nets(cell: Cell, direction: str) -> Iterator[int]:
    """Yield the nets at the ports of a direction; constants are no nets."""
    for port, bits in cell["connections"].items():
        if cell["port_directions"][port] == direction:
            yield from (bit for bit in bits if isinstance(bit, int))
