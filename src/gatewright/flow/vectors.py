"""The sequences of a proof as files, for simulators of others."""

from pathlib import Path

from gatewright.cosim.measurement import Measurement
from gatewright.cosim.vectors import Vectors
from gatewright.errors import ConfigError, shell_word
from gatewright.flow.design import Design
from gatewright.flow.inputs import Data, as_task
from gatewright.flow.settings import VerifySettings
from gatewright.flow.verify import Jobs, data_of, skip_of
from gatewright.hw.fpga.verilog import TOP
from gatewright.run import RunFolder
from gatewright.sw.tasks import Split


def check_vectors(target: Path) -> None:
    """Refuse a folder for vectors that holds something, before any work is done.

    Raises
    ------
    ConfigError
        The text says what to type.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(f"{shell_word(target)} is there and not empty; give --vectors another name")


def write_vectors(
    folder: str | Path,
    target: str | Path,
    data: Data | None = None,
    settings: VerifySettings | None = None,
) -> list[Path]:
    """Write the sequences that a proof simulates, with what must come out, and a self-checking bench.

    Parameters
    ----------
    folder : path
        Of a build.
    target : path
        Made by this; gets a folder for each model and way of storing it.
    data, settings : optional
        As `verify` takes them.

    Returns
    -------
    list of Path
        The folders; the README in each says what to type.

    Raises
    ------
    ConfigError
        The target holds something.
    RunFolderError
        There is no build in the folder.
    DataError
        The data do not suit the models.
    """
    target, settings = Path(target), settings or VerifySettings()
    check_vectors(target)
    run = RunFolder.open(Path(folder))
    design = Design.open(run.root)
    split: Split = getattr(as_task(data_of(design) if data is None else data), settings.split)
    written = []
    for model in design.models:
        jobs = Jobs.of(model.bundle, split, split.spread(settings.recordings))
        measurement = Measurement(model.compiled, jobs.inputs, skip_of(model, settings), jobs.fresh)
        name = f"{model.name}.{model.storage}"
        Vectors(measurement, baked=design.baked is not None).write(target / name, run.rtl / f"{TOP}.sv", name)
        written.append(target / name)
    return written
