"""Make the bitstream of a build's board."""

from pathlib import Path

from gatewright.custody import Delivery
from gatewright.errors import ConfigError, MismatchError, shell_word
from gatewright.flow.design import Design
from gatewright.hw.boards.bitstream import Bitstream
from gatewright.hw.boards.bitstream import bitstream as make
from gatewright.hw.boards.folder import read_board_folder
from gatewright.hw.fpga.driven import BOARD_TOP
from gatewright.progress import Progress, silent
from gatewright.results import write_rows
from gatewright.storage import whole_file


def bitstream(folder: str | Path, *, seed: int = 1, progress: Progress = silent) -> tuple[Path, Bitstream]:
    """Make a bitstream from the files of a build that was made for a board.

    It is written beside the board's other files, with rows that say what it takes and how fast it runs.

    Parameters
    ----------
    folder : path
        Holds the build.
    seed : int
        Of the placer.
    progress : Progress

    Returns
    -------
    path, Bitstream
        The file that was written, and what it is.

    Raises
    ------
    ConfigError
        The build is for no board.
    MismatchError
        A file is no longer the one that was delivered.
    ToolError
        A tool is missing or failed, the device is too small, or the clock is missed.
    """
    root = Path(folder)
    place = Design.open(root).board_folder(root)
    if place is None:
        raise ConfigError(
            f"{root} is for no board; "
            f"`gatewright build MODEL --board NAME -o {shell_word(root)} --overwrite` makes it for one"
        )
    if changed := Delivery.load(root).changed(root):
        raise MismatchError(f"{root}: {', '.join(changed)} changed since the build; build again")
    board, files = read_board_folder(place)
    accelerator = (root / "rtl" / f"{BOARD_TOP}.sv").read_text(encoding="utf-8")
    made = make(board, files, accelerator, seed=seed, progress=progress)
    path = place / f"{files.top}.bit"
    with whole_file(path) as partial:
        partial.write_bytes(made.contents)
    write_rows(place / "rows.json", made.placement.rows())
    return path, made
