"""Run sequences on a board, and hold what comes back against the golden model."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gatewright.cosim.board.prove import Driven, drive
from gatewright.cosim.board.simulated import SIMULATED, Line
from gatewright.errors import ConfigError
from gatewright.flow.design import Design
from gatewright.flow.inputs import Data, as_task
from gatewright.flow.settings import DriveSettings
from gatewright.flow.verify import Jobs
from gatewright.host.frame_line import FrameLine
from gatewright.host.serial_line import SerialLine
from gatewright.host.spi_line import SpidevLine
from gatewright.hw.boards.board import BAUD, Board
from gatewright.hw.boards.folder import read_board_folder
from gatewright.hw.bridge.line import LineKind
from gatewright.hw.fpga.driven import BOARD_TOP
from gatewright.progress import Progress, silent
from gatewright.results import Row
from gatewright.sw.tasks import Task

_PATIENCE, _ATTEMPTS = 0.2, 1000
"""Of the line to a simulated board, whose time passes as slowly as the machine is busy."""


@dataclass(frozen=True)
class Drove:
    """What a board computed.

    Parameters
    ----------
    driven : Driven
        Integers, as they came, and how they compare.
    outputs : list of float array [steps or 1, outputs]
        The same as real numbers: of each job, in order.
    labels : tuple of str
        Names of the outputs; none without a head.
    repeats : int
        Requests that were sent again.
    line : Line, optional
        What went over the line of a simulated board.
    """

    driven: Driven
    outputs: list[np.ndarray]
    labels: tuple[str, ...]
    repeats: int
    line: Line | None

    def rows(self, settings: DriveSettings) -> Iterator[Row]:
        """Yield how much ran with some settings, how it compares, and what a simulated line did to it."""
        at = {"split": settings.split, "damage": settings.damage}
        counts = {
            "recordings": ("recordings", len(self.outputs)),
            "integers_compared": ("integers", self.driven.compared),
            "mismatches": ("integers", self.driven.mismatches),
            "requests_repeated": ("requests", self.repeats),
        }
        if self.line is not None:
            counts["line_bytes"] = ("bytes", self.line.bytes)
            counts["line_bytes_changed"] = ("bytes", self.line.changed)
            counts["line_bytes_lost"] = ("bytes", self.line.lost)
        for name, (unit, value) in counts.items():
            yield Row(name, unit, value, at, settings.seed)


def drive_board(
    folder: str | Path,
    port: str | None,
    data: Data,
    settings: DriveSettings | None = None,
    *,
    progress: Progress = silent,
) -> Drove:
    """Load a model of a build into a board and run sequences on it.

    Parameters
    ----------
    folder : path
        The build whose bitstream the board has.
    port : str, optional
        The board's serial port, or its SPI device; without one, the board is simulated.
    data : as `as_task` takes it
    settings : DriveSettings, optional
    progress : Progress
        Told about the build of a simulated board.

    Raises
    ------
    DeviceError
        The port cannot be opened, the board does not answer, or it is not the one of this build.
    DataError
        The data do not suit the model.
    ConfigError
        A board is to be simulated, and the build is for none, or a baud rate was given for SPI.
    RunFolderError
        There is no build in the folder.
    """
    settings = settings or DriveSettings()
    design = Design.open(folder)
    task = as_task(data)
    place = design.board_folder(Path(folder))
    board = None if place is None else read_board_folder(place)[0]
    if board is not None and board.line is not LineKind.UART and settings.baud is not None:
        raise ConfigError(f"{board.name} is at the end of {board.line.name}, which has no --baud")
    if port is not None:
        with _line(port, board, settings.baud) as line:
            return _drive(design, task, line, settings)
    if board is None:
        raise ConfigError(f"{folder} is for no board: build it with --board NAME, or give the --port of one")
    text = (Path(folder) / "rtl" / f"{BOARD_TOP}.sv").read_text(encoding="utf-8")
    changed, lost, seed = settings.damage, settings.damage / 5, settings.seed
    kind = SIMULATED[board.line]
    with kind(text, seed=seed, changed=changed, lost=lost, progress=progress) as simulated:
        with simulated.connect(patience=_PATIENCE, attempts=_ATTEMPTS) as line:
            found = _drive(design, task, line, settings)
        return replace(found, line=simulated.line())


def _line(port: str, board: Board | None, baud: int | None) -> FrameLine:
    """Open the line to a board; a build for none is taken for one behind a UART."""
    if board is not None and board.line is LineKind.SPI:
        return SpidevLine(port, megahertz=board.sck_megahertz)
    return SerialLine(port, baud=baud or (BAUD if board is None else board.baud))


def _drive(design: Design, task: Task, line: FrameLine, settings: DriveSettings) -> Drove:
    model = design.model(settings.model)
    split = getattr(task, settings.split)
    jobs = Jobs.of(model.bundle, split, split.spread(settings.recordings))
    driven = drive(
        line,
        model.compiled,
        jobs.inputs,
        jobs.fresh,
        skip=model.compiled.modes.skip,
        baked=design.baked is not None,
    )
    outputs = [
        model.outputs(results, len(x)) for results, x in zip(driven.results, jobs.inputs, strict=False)
    ]
    return Drove(driven, outputs, model.bundle.labels, line.repeats, None)
