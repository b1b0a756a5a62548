"""Predict cycles, time and resources of models, or of a build, without any simulation."""

from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from gatewright.clock import Clock
from gatewright.errors import ConfigError
from gatewright.flow.design import STEPS, Design, compile_models
from gatewright.flow.settings import BuildSettings
from gatewright.hw.compiler.choose import HardwareChoice
from gatewright.hw.estimate import Estimate
from gatewright.results import Rows, read_rows
from gatewright.run import RunFolder


def estimate(
    source: Any,
    choice: HardwareChoice | None = None,
    settings: BuildSettings | None = None,
    *,
    name: str | None = None,
    steps: int = STEPS,
    megahertz: float | None = None,
) -> Estimate:
    """Estimate an integer model on an accelerator, or a model of a build on the build's own.

    Parameters
    ----------
    source : path, Bundle, or a result that has one
        An integer model, or the folder of a build.
    choice : HardwareChoice, optional
        Which accelerator, for a model. For a build only its `device` counts, as what utilisation is of.
    settings : BuildSettings, optional
        For a model. For a build only `every_step` counts: its models are compiled anew where it is not None.
    name : str, optional
        Which model of several; the first if left out.
    steps : int
        Steps of the sequence.
    megahertz : float, optional
        The clock to ask for. Unless given: for a build, the median that placement met where `synth` placed it, or what
        the build asked for; for a model, that of `settings`.

    Raises
    ------
    ConfigError
        A choice was made that the folder of a build has settled already.
    RunFolderError, BundleError, CapacityError
        As `Design.open` and `compile_models` have them.
    """
    choice, settings = choice or HardwareChoice(), settings or BuildSettings()
    if isinstance(source, str | Path) and Path(source).is_dir():
        if choice.config or choice.lanes or choice.cell_lanes:
            raise ConfigError(
                f"{source} is a build, whose accelerator is settled: leave out --lanes, --cell-lanes and "
                "--accelerator, or name a model file"
            )
        design = Design.open(source)
        clock, placed_on = _clock_of(Path(source), design)
        if settings.every_step is not None:
            design = _resent(design, settings.every_step)
        device = choice.device or placed_on
    else:
        design = compile_models(source, choice, settings)
        clock, device = Clock(settings.megahertz), choice.device
    if megahertz is not None:
        clock = Clock(megahertz)
    return design.estimate(steps, name=name, clock=clock, device=device)


def _clock_of(folder: Path, design: Design) -> tuple[Clock, str | None]:
    """Return the clock of a build, and the device on which it was met; None where it was not placed."""
    path = RunFolder(folder).rows("synth")
    placed = read_rows(path).where("placed_frequency") if path.exists() else Rows()
    if not len(placed):
        return Clock(design.settings.megahertz), None
    device = placed.distinct("device")[0]
    met = placed.all("placed_frequency", device=device)
    seeds = f"median of {len(met)} seeds" if len(met) > 1 else "one seed"
    return Clock(median(met), f"met on {device} (placed and routed, {seeds})"), device


def _resent(design: Design, every_step: bool) -> Design:
    """Compile the models of a design again, to send results in every step or in the last."""
    models = []
    for each in design.models:
        (again,) = compile_models(
            {each.name: each.bundle},
            HardwareChoice(config=design.config),
            replace(design.settings, storage=(each.storage,), every_step=every_step, bake=None),
        ).models
        models.append(again)
    return replace(design, models=tuple(models))
