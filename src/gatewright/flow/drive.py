"""Run sequences on a board, and hold what comes back against the golden model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gatewright.cosim.board.prove import Driven, drive
from gatewright.flow.design import Design
from gatewright.flow.inputs import Data, as_task
from gatewright.flow.settings import DriveSettings
from gatewright.flow.verify import Jobs
from gatewright.host.serial_line import SerialLine
from gatewright.hw.boards.board import BAUD


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
        Names of the outputs, where the data have some.
    repeats : int
        Requests that were sent again.
    """

    driven: Driven
    outputs: list[np.ndarray]
    labels: tuple[str, ...]
    repeats: int


def drive_board(
    folder: str | Path, port: str, data: Data, settings: DriveSettings | None = None, **others: Any
) -> Drove:
    """Load a model of a build into a board and run sequences on it.

    Parameters
    ----------
    folder : path
        The build whose bitstream the board has.
    port : str
        The board's serial port.
    data : as `as_task` takes it
    settings : DriveSettings, optional
    **others
        Of `SerialLine`: ``patience`` and ``attempts``.

    Raises
    ------
    DeviceError
        The port cannot be opened, the board does not answer, or it is not the one of this build.
    DataError
        The data do not suit the model.
    RunFolderError
        There is no build in the folder.
    """
    settings = settings or DriveSettings()
    design = Design.open(folder)
    model = design.model(settings.model)
    task = as_task(data)
    split = getattr(task, settings.split)
    jobs = Jobs.of(model.bundle, split, split.spread(settings.recordings))
    with SerialLine(port, baud=settings.baud or BAUD, **others) as line:
        driven = drive(
            line,
            model.compiled,
            jobs.inputs,
            jobs.fresh,
            skip=model.compiled.modes.skip,
            baked=design.baked is not None,
        )
        repeats = line.repeats
    outputs = [
        model.outputs(results, len(x)) for results, x in zip(driven.results, jobs.inputs, strict=False)
    ]
    return Drove(driven, outputs, task.labels, repeats)
