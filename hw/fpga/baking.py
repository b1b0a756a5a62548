"""Memories with contents from the start: for hardware that runs one model and has nobody to load it."""

import re

import numpy as np

from gatewright.errors import ToolError
from gatewright.hw.compiler.image import Compiled
from gatewright.hw.interface import LOAD, LOAD_ADDRESS, Region

_WORD_BITS = LOAD["data"].width

_PLACES = {
    Region.PROGRAM: (r"sequencer\.fetch", "memory"),
    Region.WEIGHT: (r"matrix\.lane(\d+)", "weight_memory"),
    Region.INDEX: (r"matrix\.lane(\d+)", "index_memory"),
    Region.BIAS: (r"drain\.reduction", "biases"),
    Region.COLUMN: (r"matrix\.front", "(offset|count)"),
}
"""Module and name of each memory on the load bus."""

_MODULE = re.compile(r"^module \\?([^\s(]+)", re.MULTILINE)
_FILL = re.compile(
    r"`ifndef SYNTHESIS\n  initial begin : fill\d+\n    integer entry;\n"
    r"    for \(entry = 0; entry < (\d+); entry = entry \+ 1\) (\\?(\w+?)(?:\$\d+)? ?)\[entry\] = (\d+)'h0+;\n"
    r"  end\n`endif\n"
)


def bake(verilog: str, compiled: Compiled) -> tuple[str, dict[str, str]]:
    """Let the memories of emitted Verilog begin with a model's image.

    They are read with ``$readmemh``, which Yosys, Vivado and Verilator all take, and which keeps the text short.

    Parameters
    ----------
    verilog : str
        Text as `emit` and `emit_axi` give it, for ``compiled.config``.
    compiled : Compiled

    Returns
    -------
    verilog : str
        The text that reads the files.
    files : dict of str
        Texts of the files by name.

    Raises
    ------
    ToolError
        The text lacks a memory that the image fills.
    """
    contents = _contents(compiled)
    files: dict[str, str] = {}
    modules = list(_MODULE.finditer(verilog))

    def module_at(position: int) -> str:
        return next(match[1] for match in reversed(modules) if match.start() < position)

    def fill(match: re.Match) -> str:
        depth, reference, name, bits = int(match[1]), match[2], match[3], int(match[4])
        key = _key(module_at(match.start()), name)
        if key is None or key not in contents:
            return match[0]
        values = contents.pop(key)
        digits = -(-bits // 4)
        file = f"{'_'.join(str(part) for part in key)}.mem".lower()
        lines = [f"{values.get(offset, 0):0{digits}x}" for offset in range(depth)]
        files[file] = "\n".join(lines) + "\n"
        return f'  initial $readmemh("{file}", {reference.strip()} );\n'

    text = _FILL.sub(fill, verilog)
    if contents:
        names = ", ".join(" ".join(str(part) for part in key) for key in contents)
        raise ToolError(f"the Verilog has no memory for: {names}")
    return text, files


def _key(module: str, memory: str) -> tuple[str, ...] | None:
    """Name what the load bus calls a memory: its region, and its lane where each lane has one."""
    for region, (place, name) in _PLACES.items():
        found = re.search(rf"\.{place}$", module)
        part = re.fullmatch(name, memory)
        if found and part:
            return (region.name, *found.groups(), *part.groups())
    return None


def _contents(compiled: Compiled) -> dict[tuple[str, ...], dict[int, int]]:
    """Give the words of each memory by offset; memories of several load words hold the lowest in their low bits."""
    contents: dict[tuple[str, ...], dict[int, int]] = {}
    for address, value in compiled.image.load_words().astype(np.int64).tolist():
        fields = LOAD_ADDRESS.from_bits(address)
        region, shift = Region(fields.region), 0
        key: tuple[str, ...] = (region.name,)
        if region in (Region.WEIGHT, Region.INDEX):
            key += (str(fields.lane),)
        elif region is Region.COLUMN:
            key += (("offset", "count")[fields.lane],)
        else:
            shift = _WORD_BITS * fields.lane
        words = contents.setdefault(key, {})
        words[fields.offset] = words.get(fields.offset, 0) | value << shift
    return contents
