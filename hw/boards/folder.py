"""The folder of a board in a build: written by `build`, read by `bitstream`."""

import json
from dataclasses import asdict, replace
from pathlib import Path

from gatewright.errors import RunFolderError
from gatewright.hw.boards.board import Board
from gatewright.hw.boards.files import BoardFiles, board_files, highest_sck
from gatewright.hw.bridge.line import LineKind
from gatewright.hw.fpga.driven import BOARD_TOP
from gatewright.limits import whole
from gatewright.texts import read_object, read_text

_MANIFEST = "board.json"
_CONSTRAINTS = "board.lpf"

_README = """\
# {title}

`gatewright bitstream FOLDER`, with the folder above this one, makes the bitstream from `rtl/{core}.sv`, `{top}.v` and
`{constraints}`. It takes minutes, needs no more than `pip install gatewright`, and fails if the clock of
{clock:g} MHz is missed.

Load it with `{load} {bitstream}`, and run the model with

    gatewright run FOLDER --port PORT --input DATA

{line} {notes}
"""

_LINES = {
    LineKind.UART: "The serial line has {baud} baud (exactly {exact:.0f}), 8 data bits, no parity, one stop bit.",
    LineKind.SPI: "The line is SPI in mode 0, 8 bits, most significant bit first, with {sck:g} MHz of sck; {most:g} "
    "MHz is what the clock bears.",
}


def board_folder(board: Board, megahertz: float) -> dict[str, str]:
    """Return the texts of a board's folder by their paths in the build.

    Raises
    ------
    ConfigError
        The PLL makes no such clock, or one that is wrong for the rate of the board's line.
    """
    files = board_files(board, megahertz)
    line = _LINES[board.line].format(
        baud=board.baud, exact=files.baud, sck=board.sck_megahertz, most=highest_sck(files.megahertz)
    )
    readme = _README.format(
        title=board.title,
        core=BOARD_TOP,
        top=files.top,
        constraints=_CONSTRAINTS,
        clock=files.megahertz,
        line=line,
        bitstream=f"{files.top}.bit",
        load=board.load,
        notes=board.notes,
    )
    manifest = {"board": asdict(board), "megahertz": megahertz}
    texts = {
        f"{files.top}.v": files.verilog,
        _CONSTRAINTS: files.constraints,
        _MANIFEST: json.dumps(manifest, indent=1) + "\n",
        "README.md": readme,
    }
    return {f"{board.name}/{name}": text for name, text in texts.items()}


def read_board_folder(folder: Path) -> tuple[Board, BoardFiles]:
    """Read what `board_folder` wrote, with Verilog and constraints as they are in the folder.

    Raises
    ------
    RunFolderError
        A file is missing or malformed.
    """
    what = "the folder of a board"
    values = read_object(folder / _MANIFEST, what, RunFolderError)
    with whole(folder / _MANIFEST, what, RunFolderError):
        board = Board(**values["board"])
        files = board_files(board, float(values["megahertz"]))
    return board, replace(
        files,
        verilog=read_text(folder / f"{files.top}.v", what, RunFolderError),
        constraints=read_text(folder / _CONSTRAINTS, what, RunFolderError),
    )
