"""From a board's files to its bitstream, with the tools that Python packages bring."""

from dataclasses import dataclass

from gatewright.errors import ToolError, shell_word
from gatewright.hw.boards.board import Board
from gatewright.hw.boards.files import BoardFiles
from gatewright.hw.fpga.nextpnr import run_nextpnr, run_tool
from gatewright.hw.fpga.place import Placement, instances, placement
from gatewright.hw.fpga.synthesis import netlist
from gatewright.progress import Progress, silent

_SECONDS = 3600


@dataclass(frozen=True)
class Bitstream:
    """A bitstream whose clock is met.

    Parameters
    ----------
    contents : bytes
    placement : Placement
        What it takes of the device, and the highest clock.
    megahertz : float
        The clock that it runs at.
    """

    contents: bytes
    placement: Placement
    megahertz: float


def bitstream(
    board: Board, files: BoardFiles, accelerator: str, *, seed: int = 1, progress: Progress = silent
) -> Bitstream:
    """Synthesise, place and route a board's top, and pack its bitstream.

    Takes minutes. It depends on the arguments and the versions of the tools alone.

    Parameters
    ----------
    board : Board
    files : BoardFiles
        What `board_files` returned for it.
    accelerator : str
        Verilog of the accelerator behind the board's line.
    seed : int
        Of the placer.
    progress : Progress
        Told about each step.

    Raises
    ------
    ToolError
        A tool is missing or failed, the device is too small, or the clock is missed: the text then says which one
        would be met.
    """
    fpga = board.fpga
    mapped = netlist(accelerator + files.verilog, progress, top=files.top, family=fpga.family)
    constraints, routed, packed = "board.lpf", "board.config", "board.bit"
    options = [*fpga.options, "--freq", f"{files.megahertz:.6f}", "--seed", str(seed)]
    options += ["--lpf", constraints, "--textcfg", routed]
    progress("bitstream", 0, 2, "place and route")
    found = run_nextpnr(
        fpga.family,
        {"netlist.json": mapped, constraints: files.constraints},
        options,
        seconds=_SECONDS,
        what=f"{board.name}, seed {seed}",
        kept=(routed,),
    )
    placed = placement(found["report.json"].decode(), fpga, seed, instances(mapped))
    _check_clock(board, files, placed)
    progress("bitstream", 1, 2, f"{placed.megahertz:.1f} MHz, pack")
    contents = run_tool(
        fpga.family,
        "run_ecppack",
        {routed: found[routed]},
        ["--compress", routed, packed],
        seconds=_SECONDS,
        what=board.name,
        kept=(packed,),
    )[packed]
    progress("bitstream", 2, 2, "")
    return Bitstream(contents, placed, files.megahertz)


def _check_clock(board: Board, files: BoardFiles, placed: Placement) -> None:
    if placed.megahertz < files.megahertz:
        met = int(placed.megahertz)
        raise ToolError(
            f"{board.name} misses its clock of {files.megahertz:g} MHz: {placed.megahertz:.1f} MHz would be met with "
            f"seed {placed.seed}; the slowest path: {placed.path_text()}. Build with `--board "
            f"{shell_word(board.name)} --clock {met}`, or try another placement with `--seed {placed.seed + 1}`"
        )
