"""What Yosys makes of memories on an ECP5: block RAM or look-up tables used as RAM."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.cycles.latencies import timing
from gatewright.hw.memories import Style, memories
from gatewright.hw.rtl.column_layout import CREDITS, column_layout
from gatewright.hw.rtl.io import BUFFER
from gatewright.hw.rtl.sigma import TABLE, chords
from gatewright.sw.bundle import GATES
from gatewright.sw.numbers import ACCUMULATOR

_BLOCK_MODES = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))
"""Widths and depths of a DP16KD or PDPW16KD."""

_BYTE_BITS = 9
"""What a write enable of a block RAM covers, in the modes that are at least as wide."""

_LUT_RAM = 4, 16
"""Width and depth of a TRELLIS_DPR16X4."""

_LUT_RAM_COST, _BLOCK_COST = 4, 128
"""Costs by which Yosys chooses, of each cell."""


@dataclass(frozen=True)
class Memory:
    """A memory with one port to write and one to read; what is read where it is written is not defined.

    A single word is no memory to Yosys, but registers.

    Parameters
    ----------
    bits, depth, parts : int
        `depth` words of `parts` of `bits` each, with a write enable for each part.
    style : "block", "distributed", "cheaper" or "huge"
        "cheaper": Yosys maps it to what costs least. A 16 x 4 cell of LUT RAM costs 4, and with r cells one above the
        other each output bit, and each part's write enable, ``(r - 1) / 2``. A block RAM costs 128. An ECP5 has
        nothing "huge", and takes what is cheaper.
    """

    bits: int
    depth: int
    parts: int = 1
    style: Style = "block"

    @property
    def block_rams(self) -> int:
        """18-kbit block RAMs (DP16KD, PDPW16KD); 0 for LUT RAM."""
        if self.depth == 1:
            return 0
        needed = min(self._blocks(width) * -(-self.depth // depth) for width, depth in _BLOCK_MODES)
        cheaper = self.style in ("cheaper", "huge") and self._lut_ram_cost > _BLOCK_COST * needed
        return needed if self.style == "block" or cheaper else 0

    @property
    def rows(self) -> int:
        """Cells of LUT RAM one above the other; 0 for block RAM."""
        return 0 if self.block_rams or self.depth == 1 else -(-self.depth // _LUT_RAM[1])

    @property
    def lut_ram_cells(self) -> int:
        """Cells of LUT RAM (TRELLIS_DPR16X4); 0 for block RAM."""
        return self.rows * self.parts * -(-self.bits // _LUT_RAM[0])

    @property
    def flip_flops(self) -> int:
        """Flip-flops that hold a single word."""
        return self.bits * self.parts if self.depth == 1 else 0

    def _blocks(self, width: int) -> int:
        """Give the block RAMs of this width side by side."""
        if self.parts == 1:
            return -(-self.bits // width)
        if width < _BYTE_BITS:
            return self.parts * -(-self.bits // width)
        return -(-self.parts * -(-self.bits // _BYTE_BITS) * _BYTE_BITS // width)

    @property
    def _lut_ram_cost(self) -> float:
        width, depth = _LUT_RAM
        rows = -(-self.depth // depth)
        cells = self.parts * -(-self.bits // width) * rows
        return _LUT_RAM_COST * cells + self.parts * (self.bits + 1) * (rows - 1) / 2


def mapped(config: AcceleratorConfig) -> Iterator[tuple[str, int, Memory]]:
    """Yield what memories of each form hold, their number and their form."""
    for kind in memories(config):
        if kind.depth:
            for bits, count in Counter(kind.widths).items():
                yield kind.name, count // kind.parts, Memory(bits, kind.depth, kind.parts, kind.style)
    tables = 1 if config.serial_cell else (len(GATES) + 1) * config.cell_lanes
    yield "chord", tables, Memory(TABLE.size, len(chords()))
    yield "selected column", 1, Memory(column_layout(config).size, CREDITS, style="distributed")
    yield "sum", 1, Memory(ACCUMULATOR.bits, timing(config).room, style="distributed")
    yield "output", 1, Memory(config.activation_bits + 1, BUFFER, style="distributed")
