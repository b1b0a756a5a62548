"""Resources of an accelerator from its configuration: multipliers and block RAM exact for ECP5, the rest estimated."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.demand import demand
from gatewright.hw.fpga.synthesis import LUT_SITES
from gatewright.hw.memories import memories, memory_bits
from gatewright.sw.numbers import ACCUMULATOR

_TABLES = 5
"""Tables of each cell lane, always block RAM: of σ for i, f and o, of tanh for g and c."""

_BLOCK_MODES = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))
"""Widths and depths of a DP16KD or PDPW16KD."""

_BYTE_BITS = 9
"""What a write enable of a block RAM covers, in the modes that are at least as wide."""

_LUT_FIT = 3556, 9.77, 1.61, 202.7, 1283.9
"""Look-up tables: constant, and for each lane times bit of an activation, table of the accumulators, lane times bank,
and cell lane."""

_FLIP_FLOP_FIT = 1603, 54.3, 6.39, 1146.1
"""Flip-flops: constant, and for each lane times bank, lane times bit of an operand, and cell lane."""

_LUT_RAM = 4, 16
"""Width and depth of a TRELLIS_DPR16X4."""

_LUT_RAM_COST, _BLOCK_COST, _COLLISION_COST = 4, 128, 12
"""Costs by which Yosys chooses: of each cell, and of reading the old value that is being overwritten."""


class _Memory(NamedTuple):
    """A memory that Yosys is free to map.

    Parameters
    ----------
    bits, depth, parts : int
        `depth` words of `parts` of `bits` each, with a write enable for each part.
    collides : bool
        It may be read while it is written.
    """

    bits: int
    depth: int
    parts: int = 1
    collides: bool = False

    @property
    def block_rams(self) -> int:
        """18-kbit block RAMs, 0 for LUT RAM."""
        needed = min(self._blocks(width) * -(-self.depth // depth) for width, depth in _BLOCK_MODES)
        cost = _BLOCK_COST * needed + _COLLISION_COST * self.collides
        return needed if self._lut_ram_cost > cost else 0

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
        # A bit of a multiplexer at the output, or of an enable at the input, costs one half.
        return _LUT_RAM_COST * cells + self.parts * (self.bits + 1) * (rows - 1) / 2


def _memories(config: AcceleratorConfig) -> Iterator[tuple[int, _Memory]]:
    """Give the memories that Yosys is free to map, and how many there are of each."""
    for kind in memories(config):
        if kind.depth and not kind.lut_ram:
            for width, count in Counter(kind.widths).items():
                yield count // kind.parts, _Memory(width, kind.depth, kind.parts)


def block_rams(config: AcceleratorConfig) -> int:
    """Give the 18-kbit block RAMs (DP16KD, PDPW16KD) that ``synth_ecp5`` uses.

    Yosys maps a memory to what costs least. A 16 x 4 cell of LUT RAM costs 4, and with r cells one above the other each
    output bit, and each part's write enable, ``(r - 1) / 2``. A block RAM costs 128, and 12 once where reading may meet
    writing.
    """
    tables = _TABLES * config.cell_lanes
    return tables + sum(count * memory.block_rams for count, memory in _memories(config))


@dataclass(frozen=True)
class ResourceEstimate:
    """What an accelerator takes.

    Parameters
    ----------
    multipliers : int
        18x18-bit multipliers (MULT18X18D), exact for ``synth_ecp5``.
    block_ram : int
        18-kbit block RAMs (DP16KD, PDPW16KD), exact for ``synth_ecp5``.
    luts, flip_flops : int
        4-input look-up tables, those of adders and LUT RAM included, and flip-flops (TRELLIS_FF): estimates.
    memory_bits : dict of int
        Capacity of each kind of memory, for families with other memories.
    """

    multipliers: int
    block_ram: int
    luts: int
    flip_flops: int
    memory_bits: dict[str, int]

    def lines(self) -> list[tuple[str, str]]:
        """Give names and values for people."""
        return [
            ("multipliers", f"{self.multipliers}"),
            ("18-kbit block RAMs", f"{self.block_ram}"),
            ("look-up tables (estimate)", f"{self.luts}"),
            ("flip-flops (estimate)", f"{self.flip_flops}"),
            ("memory bits", f"{sum(self.memory_bits.values())}"),
        ]


def estimate_resources(config: AcceleratorConfig) -> ResourceEstimate:
    """Give what an accelerator takes, without synthesis.

    Look-up tables and flip-flops are linear fits to ``synth_ecp5`` of 16 configurations with 4 to 32 lanes and 1 to 4
    cell lanes, of 8 and 16 bits. There they are off by 5.1 % and 9 % at most.
    """
    lanes, accumulators = config.lanes, _accumulator_luts(config)
    return ResourceEstimate(
        multipliers=demand(config).multipliers,
        block_ram=block_rams(config),
        luts=_sum(
            _LUT_FIT, lanes * config.activation_bits, accumulators, lanes * config.banks, config.cell_lanes
        ),
        flip_flops=_sum(_FLIP_FLOP_FIT, lanes * config.banks, lanes * config.operand_bits, config.cell_lanes),
        memory_bits=memory_bits(config),
    )


def _accumulator_luts(config: AcceleratorConfig) -> int:
    """Give the look-up tables that the accumulators take as LUT RAM."""
    width, depth = _LUT_RAM
    cells = ACCUMULATOR.bits // width * -(-(config.accumulator_rows // config.banks) // depth)
    return LUT_SITES["TRELLIS_DPR16X4"] * cells * 2 * config.banks * config.lanes


def _sum(fit: tuple[float, ...], *terms: int) -> int:
    constant, *factors = fit
    return round(constant + sum(a * b for a, b in zip(factors, terms, strict=True)))
