"""What a design takes of an FPGA, by module, and how that is known."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gatewright.quantities import COUNTED, RESOURCES
from gatewright.results import Row

LUT_SITES = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6}
"""4-input look-up tables that a cell takes: logic; a 2-bit adder; a 16x4 RAM (3 slices of 2 each)."""

Source = Literal["estimate", "synthesis"]


@dataclass(frozen=True)
class Counts:
    """What a design, or a module of one, takes of an ECP5.

    Parameters
    ----------
    multipliers : int
        18x18-bit multipliers (MULT18X18D).
    block_ram : int
        18-kbit block RAMs (DP16KD and, with one write and one read port, PDPW16KD).
    luts : int
        4-input look-up tables, those of adders (CCU2C) and LUT RAM (TRELLIS_DPR16X4) included.
    flip_flops : int
        Flip-flops (TRELLIS_FF), without the registers of block RAMs and multipliers.
    """

    multipliers: int
    block_ram: int
    luts: int
    flip_flops: int

    @classmethod
    def of_cells(cls, cells: Mapping[str, int]) -> "Counts":
        """Add up cells by primitive of the ECP5."""
        return cls(
            multipliers=cells.get("MULT18X18D", 0),
            block_ram=cells.get("DP16KD", 0) + cells.get("PDPW16KD", 0),
            luts=sum(sites * cells.get(name, 0) for name, sites in LUT_SITES.items()),
            flip_flops=cells.get("TRELLIS_FF", 0),
        )


@dataclass(frozen=True)
class Resources(Counts):
    """What a design takes of an ECP5, and what of it is whose.

    Parameters
    ----------
    source : "estimate" or "synthesis"
        From the configuration alone, or what Yosys made of the design, before placement.
    modules : dict of Counts
        By module; they add up to the whole.
    cells : dict of int
        Number of cells by primitive; empty in an estimate.
    """

    source: Source
    modules: dict[str, Counts]
    cells: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of_modules(
        cls, source: Source, modules: Mapping[str, Counts], cells: Mapping[str, int] | None = None
    ) -> "Resources":
        """Add up modules."""
        sums = {name: sum(getattr(each, name) for each in modules.values()) for name in COUNTED}
        return cls(**sums, source=source, modules=dict(modules), cells=dict(sorted((cells or {}).items())))

    def rows(self) -> list[Row]:
        """Give the sums as result rows, behind `cells` by type where they are known."""
        where = {"family": "ECP5", "source": self.source}
        rows = [Row("cells", "count", count, {"type": name, **where}) for name, count in self.cells.items()]
        return rows + [Row(name, "count", getattr(self, name), where) for name in COUNTED]

    def table(self) -> list[tuple[str, ...]]:
        """Give a table for people: a heading, the modules, the whole."""
        lines = [*self.modules.items(), ("all", self)]
        return [
            ("module", *RESOURCES.values()),
            *((name, *(str(getattr(each, what)) for what in COUNTED)) for name, each in lines),
        ]
