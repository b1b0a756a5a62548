"""The sequences of a proof as files, for simulators of others."""

from pathlib import Path

from gatewright.cosim.vectors import Vectors
from gatewright.errors import ConfigError, shell_word
from gatewright.flow.design import Design
from gatewright.flow.inputs import Data
from gatewright.flow.settings import VerifySettings
from gatewright.flow.verify import measurements
from gatewright.hw.fpga.verilog import TOP
from gatewright.run import RunFolder


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
    written = []
    for model, measurement in measurements(design, data, settings):
        name = f"{model.name}.{model.storage}"
        vectors = Vectors(measurement, baked=design.baked is not None)
        vectors.write(target / name, run.rtl / f"{TOP}.sv", name)
        written.append(target / name)
    return written
