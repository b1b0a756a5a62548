"""The waves of one of the jobs that a proof simulates."""

from pathlib import Path

from gatewright.cosim import waves
from gatewright.flow.design import Design
from gatewright.flow.inputs import Data
from gatewright.flow.settings import VerifySettings
from gatewright.flow.verify import delivered, measurements
from gatewright.hw.fpga.verilog import TOP
from gatewright.progress import Progress, silent
from gatewright.run import RunFolder


def check_waves(
    folder: str | Path, job: int, data: Data | None = None, settings: VerifySettings | None = None
) -> None:
    """Refuse a job of which there are no waves, before any work is done; takes what `write_waves` does.

    Raises
    ------
    MismatchError, RunFolderError, DataError
        As for `verify`, or there is no such job; the text says which there are.
    """
    _, design = delivered(folder)
    _, measurement = next(measurements(design, data, settings or VerifySettings()))
    waves.check_job(measurement, job)


def write_waves(
    folder: str | Path,
    target: str | Path,
    job: int = 0,
    data: Data | None = None,
    settings: VerifySettings | None = None,
    *,
    progress: Progress = silent,
) -> str:
    """Write the waves of one job of the first model on the delivered Verilog, and layouts for GTKWave and Surfer.

    Parameters
    ----------
    folder : path
        Of a build.
    target : path
        Made by this if it is not there; gets ``waves.vcd`` and the layouts ``waves.gtkw`` and ``waves.sucl``.
    job : int
        Which of the jobs that `verify` simulates, from 0.
    data, settings : optional
        As `verify` takes them.
    progress : Progress

    Returns
    -------
    str
        What the bench says of the results.

    Raises
    ------
    RunFolderError
        There is no build in the folder.
    DataError
        The data do not suit the model, or there is no such job.
    MismatchError
        A result is wrong; the waves are there.
    ToolError
        A tool is missing or failed.
    """
    settings = settings or VerifySettings()
    run = RunFolder.open(Path(folder))
    design = Design.open(run.root)
    _, measurement = next(measurements(design, data, settings))
    return waves.write_waves(
        Path(target),
        (run.rtl / f"{TOP}.sv").read_text(),
        measurement,
        job,
        baked=design.baked is not None,
        progress=progress,
    )
