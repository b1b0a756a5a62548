"""The whole path on spoken digits: the verbs that any user types, one after the other, in one run folder."""

import json
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from gatewright.cosim import toolchain
from gatewright.cosim.search.folder import StudyFolder
from gatewright.cosim.search.settings import SearchSettings
from gatewright.cosim.search.start import Scope
from gatewright.errors import RunFolderError
from gatewright.flow.build import build_into
from gatewright.flow.design import compile_models
from gatewright.flow.quantise import quantise_all
from gatewright.flow.report import Reported, report
from gatewright.flow.search import search
from gatewright.flow.settings import (
    BuildSettings,
    CompressChoice,
    Shape,
    TrainChoice,
    VerifySettings,
    WorkerSettings,
)
from gatewright.flow.study import is_study
from gatewright.flow.synth import synth
from gatewright.flow.train import train
from gatewright.flow.verify import verify
from gatewright.hw.compiler.choose import HardwareChoice
from gatewright.progress import Progress, silent
from gatewright.results import write_rows
from gatewright.run import RunFolder
from gatewright.sw.bundle import Bundle
from gatewright.sw.models import FloatModel
from gatewright.sw.tasks import DataSettings, load_task

DENSITIES = (1.0, 0.25, 0.125, 0.0625)
"""Shares of weights that the demo's models keep."""


@dataclass(frozen=True)
class DemoSettings:
    """What the demo does.

    Parameters
    ----------
    data : DataSettings
    training : TrainChoice
    shape : Shape
        Of all models, but for the density.
    densities : tuple of float
        One model for each.
    compression : CompressChoice
    hardware : HardwareChoice
    proof : VerifySettings
    trials, points : int
        Candidates of the search, 0 for none; and models of its front.
    """

    data: DataSettings = field(default_factory=lambda: DataSettings("digits"))
    training: TrainChoice = field(default_factory=TrainChoice)
    shape: Shape = field(default_factory=Shape)
    densities: tuple[float, ...] = DENSITIES
    compression: CompressChoice = field(default_factory=CompressChoice)
    hardware: HardwareChoice = field(default_factory=HardwareChoice)
    proof: VerifySettings = field(default_factory=VerifySettings)
    trials: int = 32
    points: int = 3


def demo(
    folder: str | Path,
    settings: DemoSettings | None = None,
    *,
    workers: WorkerSettings | None = None,
    command: str = "",
    overwrite: bool = False,
    progress: Progress = silent,
) -> Reported:
    """Train, quantise, build, synthesise, verify, search and report; what is done already is not done again.

    Raises
    ------
    RunFolderError
        The folder holds another run and `overwrite` is not set.
    GatewrightError
        As the verbs have it.
    """
    settings, workers = settings or DemoSettings(), workers or WorkerSettings()
    # What would stop a later step should not first cost the time of the earlier ones.
    toolchain.compiler()
    run, fresh = _begin(Path(folder), settings, command, overwrite)
    begin = time.perf_counter()
    task = load_task(settings.data)
    if not run.rows("train").is_file():
        trained = train(task, settings.training, progress=progress)
        trained.model.save(run.float_model())
        write_rows(run.rows("train"), trained.rows)
    shapes = {name_of(each): replace(settings.shape, density=each) for each in settings.densities}
    if not run.rows("quantise").is_file():
        made = quantise_all(
            FloatModel.load(run.float_model()),
            task,
            shapes,
            settings.compression,
            workers=workers,
            progress=progress,
        )
        for name, each in made.items():
            each.bundle.save(run.model(name))
        write_rows(run.rows("quantise"), [row for each in made.values() for row in each.rows])
    if not run.rows("build").is_file():
        models = {name: Bundle.load(run.model(name)) for name in shapes}
        design = compile_models(models, settings.hardware, BuildSettings(("dense", "sparse")))
        build_into(run, design, progress)
    if not run.rows("synth").is_file():
        synth(run.root, progress=progress)
    if not run.rows("verify").is_file():
        verify(run.root, task, settings.proof, workers=workers, command=command, progress=progress)
    if settings.trials:
        search(
            FloatModel.load(run.float_model()),
            settings.data,
            run.search,
            SearchSettings(
                trials=settings.trials,
                rounds=min(settings.trials, SearchSettings.rounds),
                seed=settings.training.seed,
            ),
            Scope(lanes=settings.shape.lanes, activation_bits=settings.shape.activation_bits),
            settings.compression,
            points=settings.points,
            workers=workers,
            command=command,
            progress=progress,
        )
    return report(run.root, seconds=round(time.perf_counter() - begin, 1) if fresh else None)


def name_of(density: float) -> str:
    """Name a model of the demo by the share of weights that it keeps."""
    return "dense" if density == 1 else f"kept-{100 * density:g}"


def _begin(root: Path, settings: DemoSettings, command: str, overwrite: bool) -> tuple[RunFolder, bool]:
    """Make the run's folder, or open one that was left; says whether it is new."""
    wanted = json.loads(json.dumps(asdict(settings)))
    if (root / "run.json").is_file() and not overwrite:
        run = RunFolder.open(root)
        if run.notes.get("settings") != wanted:
            raise RunFolderError(
                f"{root} holds a run with other settings; choose another name, or --overwrite"
            )
        return run, False
    task = load_task(settings.data)
    if overwrite and is_study(RunFolder(root).search):
        StudyFolder(RunFolder(root).search).remove()
    run = RunFolder.create(
        root,
        overwrite=overwrite,
        task=task.name,
        caveat=task.caveat,
        seed=settings.training.seed,
        command=command,
        settings=wanted,
    )
    return run, True
