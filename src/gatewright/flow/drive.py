"""Run sequences on a board, and hold what comes back against the golden model."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gatewright.cosim.board.prove import Driven, drive
from gatewright.cosim.board.simulated import Line, SimulatedBoard
from gatewright.errors import ConfigError
from gatewright.flow.design import Design
from gatewright.flow.inputs import Data, as_task
from gatewright.flow.settings import DriveSettings
from gatewright.flow.verify import Jobs
from gatewright.host.serial_line import SerialLine
from gatewright.hw.boards.board import BAUD
from gatewright.hw.boards.folder import read_board_folder
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
        The board's serial port; without one, the board is simulated.
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
        A board is to be simulated, and the build is for none.
    RunFolderError
        There is no build in the folder.
    """
    settings = settings or DriveSettings()
    design = Design.open(folder)
    task = as_task(data)
    if port is not None:
        with SerialLine(port, baud=settings.baud or _baud(design, Path(folder))) as line:
            return _drive(design, task, line, settings)
    path = Path(folder) / "rtl" / f"{BOARD_TOP}.sv"
    if design.settings.board is None:
        raise ConfigError(f"{folder} is for no board: build it with --board NAME, or give the --port of one")
    changed, lost = settings.damage, settings.damage / 5
    text = path.read_text(encoding="utf-8")
    with SimulatedBoard(text, seed=settings.seed, changed=changed, lost=lost, progress=progress) as board:
        with SerialLine(board.port, patience=_PATIENCE, attempts=_ATTEMPTS) as line:
            found = _drive(design, task, line, settings)
        return replace(found, line=board.line())


def _baud(design: Design, folder: Path) -> int:
    """Return the bits per second of the board that a build is for."""
    if design.settings.board is None:
        return BAUD
    board, _ = read_board_folder(folder / Path(design.settings.board).stem)
    return board.baud


def _drive(design: Design, task: Task, line: SerialLine, settings: DriveSettings) -> Drove:
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
