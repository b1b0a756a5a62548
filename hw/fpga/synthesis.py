"""Resource estimates: open synthesis for Lattice ECP5."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gatewright.hw.fpga.absorb import absorb, top_module
from gatewright.hw.fpga.carry import fold
from gatewright.hw.fpga.devices import ECP5, Family
from gatewright.hw.fpga.verilog import TOP
from gatewright.hw.fpga.yosys import run_yosys
from gatewright.progress import Progress, silent
from gatewright.results import Row

LUT_SITES = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6}
"""4-input look-up tables that a cell takes: logic; a 2-bit adder; a 16x4 RAM (3 slices of 2 each)."""


@dataclass(frozen=True)
class Resources:
    """What a design takes on an ECP5 by synthesis, before placement: an estimate.

    Parameters
    ----------
    cells : dict of int
        Number of cells by primitive of the ECP5.
    """

    cells: dict[str, int]

    @property
    def multipliers(self) -> int:
        """18x18-bit multipliers (MULT18X18D)."""
        return self.cells.get("MULT18X18D", 0)

    @property
    def block_ram(self) -> int:
        """18-kbit block RAMs (DP16KD and, with one write and one read port, PDPW16KD)."""
        return self.cells.get("DP16KD", 0) + self.cells.get("PDPW16KD", 0)

    @property
    def luts(self) -> int:
        """4-input look-up tables, those of adders (CCU2C) and LUT RAM (TRELLIS_DPR16X4) included."""
        return sum(sites * self.cells.get(name, 0) for name, sites in LUT_SITES.items())

    @property
    def flip_flops(self) -> int:
        """Flip-flops (TRELLIS_FF), without the registers of block RAMs and multipliers."""
        return self.cells.get("TRELLIS_FF", 0)

    def rows(self) -> list[Row]:
        """Give the estimate as result rows: `cells` by type, then the four sums."""
        family = {"family": "ECP5", "source": "synthesis"}
        rows = [Row("cells", "count", count, {"type": name, **family}) for name, count in self.cells.items()]
        for name in ("multipliers", "block_ram", "luts", "flip_flops"):
            rows.append(Row(name, "count", getattr(self, name), family))
        return rows


def synthesise(
    verilog: str, progress: Progress = silent, *, top: str = TOP, seconds: float = 3600
) -> Resources:
    """Synthesise Verilog for ECP5 with Yosys and count cells.

    Parameters
    ----------
    verilog : str
        Text as `emit` gives it.
    progress : Progress
        Called after each stage of synthesis.
    top : str
        Name of the top module.
    seconds : float
        Time limit.

    Raises
    ------
    ToolError
        Yosys is missing, failed, or ran out of time.
    """
    cells = top_module(json.loads(netlist(verilog, progress, top=top, seconds=seconds)))["cells"]
    # $scopeinfo remembers flattened modules; it is no cell.
    counts = Counter(cell["type"] for cell in cells.values() if cell["type"] != "$scopeinfo")
    return Resources(dict(sorted(counts.items())))


def netlist(
    verilog: str,
    progress: Progress = silent,
    *,
    top: str = TOP,
    family: Family = ECP5,
    files: Sequence[Path] = (),
    seconds: float = 3600,
) -> str:
    """Synthesise Verilog for a family with Yosys, and give the netlist as JSON for nextpnr.

    Parameters
    ----------
    verilog : str
        Text as `emit` gives it.
    progress : Progress
        Called after each of Yosys's commands.
    top : str
        Name of the top module.
    family : Family
    files : sequence of Path
        Contents of memories that the text reads.
    seconds : float
        Time limit.

    Raises
    ------
    ToolError
        Yosys is missing, failed, or ran out of time.
    """
    text = mapped(verilog, progress, top=top, family=family, files=files, seconds=seconds)
    return fold(absorb(text)) if family is ECP5 else text


def mapped(
    verilog: str,
    progress: Progress = silent,
    *,
    top: str = TOP,
    family: Family = ECP5,
    files: Sequence[Path] = (),
    seconds: float = 3600,
) -> str:
    """Do what `netlist` does, but leave all registers outside block RAMs and multipliers, as Yosys does."""
    synthesis = [command.format(top=top) for command in family.synthesis]
    commands = ["read_verilog -sv source", *synthesis, "write_json result"]

    def report(count: int) -> None:
        progress("synthesis", count, len(commands), commands[count - 1])

    return run_yosys(verilog, commands, files=files, seconds=seconds, done=report)
