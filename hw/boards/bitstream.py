"""From a board's files to its bitstream, with the tools that Python packages bring."""

from dataclasses import dataclass

from gatewright.errors import ToolError, shell_word
from gatewright.hw.boards.board import Board
from gatewright.hw.boards.files import BoardFiles
from gatewright.hw.fpga.devices import ECP5
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
    suffix : str
        Of its file, as loaders know it.
    placement : Placement
        What it takes of the device, and the highest clock.
    megahertz : float
        The clock that it runs at.
    """

    contents: bytes
    suffix: str
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
        Verilog of the accelerator behind a serial line.
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
    ecp5 = fpga.family is ECP5
    mapped = netlist(accelerator + files.verilog, progress, top=files.top, family=fpga.family)
    constraints, routed = f"board{files.constraints_suffix}", "board.config" if ecp5 else "board.asc"
    options = [*fpga.options, "--freq", f"{files.megahertz:.6f}", "--seed", str(seed)]
    options += (
        ["--lpf", constraints, "--textcfg", routed] if ecp5 else ["--pcf", constraints, "--asc", routed]
    )
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
    tool, packed = ("run_ecppack", "board.bit") if ecp5 else ("run_icepack", "board.bin")
    arguments = [*(("--compress",) if ecp5 else ()), routed, packed]
    contents = run_tool(
        fpga.family,
        tool,
        {routed: found[routed]},
        arguments,
        seconds=_SECONDS,
        what=board.name,
        kept=(packed,),
    )[packed]
    progress("bitstream", 2, 2, "")
    return Bitstream(contents, packed.removeprefix("board"), placed, files.megahertz)


def _check_clock(board: Board, files: BoardFiles, placed: Placement) -> None:
    if placed.megahertz < files.megahertz:
        met = int(placed.megahertz)
        raise ToolError(
            f"{board.name} misses its clock of {files.megahertz:g} MHz: {placed.megahertz:.1f} MHz would be met with "
            f"seed {placed.seed}; the slowest path: {placed.path_text()}. Build with `--board "
            f"{shell_word(board.name)} --clock {met}`, or try another placement with `--seed {placed.seed + 1}`"
        )
