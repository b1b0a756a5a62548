"""Open synthesis: netlists, and what a design takes of a Lattice ECP5."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from gatewright.hw.area.modules import cells_by_module
from gatewright.hw.area.resources import Counts, Resources
from gatewright.hw.fpga.absorb import absorb
from gatewright.hw.fpga.carry import fold
from gatewright.hw.fpga.devices import ECP5, Family
from gatewright.hw.fpga.verilog import TOP
from gatewright.hw.fpga.yosys import run_yosys
from gatewright.progress import Progress, silent


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
    by_module = cells_by_module(netlist(verilog, progress, top=top, seconds=seconds), verilog)
    modules = {name: Counts.of_cells(cells) for name, cells in by_module.items() if cells}
    return Resources.of_modules("synthesis", modules, sum(by_module.values(), Counter()))


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
