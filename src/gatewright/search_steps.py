"""The command that searches: a study in a run folder, its final front on the RTL, and its report."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gatewright.cosim import toolchain
from gatewright.cosim.search.costs import Costs, spread
from gatewright.cosim.search.folder import Plan, StudyFolder
from gatewright.cosim.search.front import finish
from gatewright.cosim.search.hardware import candidate_config, check_device, space_config
from gatewright.cosim.search.settings import SearchSettings
from gatewright.cosim.search.study import INTERRUPTED, Outcome, run_study
from gatewright.errors import RunFolderError
from gatewright.hw.fpga.devices import device as device_of
from gatewright.model_steps import task_of
from gatewright.progress import Progress
from gatewright.reports.study_report import write_study_report
from gatewright.run import RunFolder
from gatewright.sw.compress.quantise import calibrate
from gatewright.sw.compress.sample import sample_of
from gatewright.sw.models import FloatModel
from gatewright.sw.search.settings import SuperSettings
from gatewright.sw.search.space import Granularity, SearchSpace, Value
from gatewright.sw.settings import CompressSettings
from gatewright.sw.spec import CompressionSpec
from gatewright.sw.tasks import Task

TIMES = 10
"""Times faster and smaller than the uncompressed 8-bit model: the target unless told otherwise."""


@dataclass(frozen=True)
class Scope:
    """What a study searches.

    Parameters
    ----------
    granularity : "network" or "matrix"
    lanes : int
        Of the accelerator, where they are not searched.
    activation_bits : int
        Width of inputs and hidden values: 8 or 16 bits.
    hardware : dict of tuples
        Candidate values of the accelerator's parallelism, by `space.HARDWARE`; empty to search none.
    device : str, optional
        The FPGA that the accelerator must fit.
    storage : str, optional
        Optuna's storage by URL; None for a journal in the study's folder.

    Raises
    ------
    ConfigError
        There is no such device.
    """

    granularity: Granularity = "network"
    lanes: int = CompressionSpec.lanes
    activation_bits: int = CompressionSpec.activation_bits
    hardware: Mapping[str, tuple[Value, ...]] | None = None
    device: str | None = None
    storage: str | None = None

    def __post_init__(self):
        if self.device is not None:
            device_of(self.device)


@dataclass(frozen=True)
class Found:
    """What came of a search.

    Parameters
    ----------
    outcome : Outcome
    report : Path
    """

    outcome: Outcome
    report: Path

    @property
    def interrupted(self) -> bool:
        """Whether it goes on when it is run again."""
        return self.outcome.reason == INTERRUPTED


def search(
    root: Path,
    settings: SearchSettings,
    scope: Scope,
    given: dict[str, Any],
    *,
    study: Path | None,
    points: int,
    uniform: bool,
    processes: int,
    dask: str | None,
    command: str,
    overwrite: bool,
    progress: Progress,
) -> Found:
    """Search ranks, widths and densities for the run's model, or go on with a study that was left.

    Parameters
    ----------
    root : Path
        The run folder, with a trained model.
    settings : SearchSettings
        Targets that are left out become a tenth of the uncompressed 8-bit model's.
    scope : Scope
    given : dict
        Fields of `CompressSettings` that are not to be the task's own: how candidates are trained.
    study : Path, optional
        The study's folder; ``search`` in the run folder if left out.
    points : int
        Most points of the final front.
    uniform : bool
        Whether models set by hand are trained and measured beside it.
    processes, dask
        Who evaluates, see `executors.workers`.
    command : str
        What a reader of the report repeats it with.
    overwrite : bool
        Begin anew; else a study with the same settings goes on.
    progress : Progress

    Raises
    ------
    RunFolderError
        There is no trained model, or the study was made with other settings.
    ConfigError
        A setting is not legal, or the accelerator does not fit the device.
    ToolError
        A tool is missing or failed, or predicted and measured cycles differ.
    """
    run = RunFolder.open(root)
    run.need("train")
    toolchain.compiler()
    where = study or run.search
    if overwrite and (where / "settings.json").is_file():
        shutil.rmtree(where)
    if not where.exists():
        plan = _plan(run, settings, scope, given, command)
        StudyFolder.create(where, plan, FloatModel.load(run.float_model))
    folder = StudyFolder.open(where)
    _check_same(folder, run, settings, scope, given)
    outcome = run_study(where, processes=processes, dask=dask, progress=progress)
    if outcome.reason != INTERRUPTED:
        finish(
            where,
            points=points,
            settings=folder.plan.tune,
            uniform=uniform,
            processes=processes,
            dask=dask,
            progress=progress,
        )
    return Found(outcome, write_study_report(where))


def _plan(
    run: RunFolder, settings: SearchSettings, scope: Scope, given: dict[str, Any], command: str
) -> Plan:
    task, dense = task_of(run), FloatModel.load(run.float_model)
    space = _space(dense, scope)
    config = None if scope.hardware else space_config(task, dense, space)
    if config is not None and scope.device is not None:
        check_device(config, device_of(scope.device))
    plan = Plan(
        task=_task_name(run),
        task_seed=run.settings["seed"],
        space=space,
        search=settings,
        sandwich=replace(SuperSettings(), seed=settings.seed),
        tune=_tuning(task, settings, given),
        config=config,
        device=scope.device,
        storage=scope.storage,
        name=f"gatewright-{run.root.resolve().name}",
        command=command,
    )
    cycles, bits = _uncompressed(task, dense, plan)
    search = replace(
        settings,
        target_cycles=settings.target_cycles or cycles / TIMES,
        target_bits=settings.target_bits or bits / TIMES,
    )
    return replace(plan, search=search)


def _uncompressed(task: Task, dense: FloatModel, plan: Plan) -> tuple[float, int]:
    """Give cycles per step and stored bits of the whole model in 8 bits."""
    spec = plan.space.spec(plan.space.largest)
    sample = dense.standardise(sample_of(task).sequences)
    bundle = calibrate(dense.network, sample, spec).bundle(dense.mean, dense.deviation, dense.labels)
    config = plan.config or candidate_config(bundle, plan.space, plan.space.largest)
    recordings = spread(task.validation, plan.search.recordings)
    costs = Costs.of(bundle, config, recordings, task.validation.every_step)
    return costs.cycles, costs.stored_bits


def _space(dense: FloatModel, scope: Scope) -> SearchSpace:
    return SearchSpace.of(
        dense.network,
        scope.granularity,
        lanes=scope.lanes,
        activation_bits=scope.activation_bits,
        hardware=scope.hardware,
    )


def _task_name(run: RunFolder) -> str:
    """Give the task as any process can load it, wherever it runs."""
    name = run.settings["task"]
    return str(Path(name).resolve()) if Path(name).suffix else name


def _tuning(task: Task, settings: SearchSettings, given: dict[str, Any]) -> CompressSettings:
    return replace(task.compression, seed=settings.seed, **given)


def _check_same(
    folder: StudyFolder, run: RunFolder, settings: SearchSettings, scope: Scope, given: dict[str, Any]
) -> None:
    """Refuse to go on with a study of something else; targets that are left out are those that it has."""
    plan, dense = folder.plan, FloatModel.load(run.float_model)
    search = replace(
        settings,
        target_cycles=settings.target_cycles or plan.search.target_cycles,
        target_bits=settings.target_bits or plan.search.target_bits,
    )
    tuning = _tuning(task_of(run), settings, given)
    asked = (search, _space(dense, scope), scope.device, scope.storage, tuning)
    if asked != (plan.search, plan.space, plan.device, plan.storage, plan.tune):
        raise RunFolderError(
            f"{folder.root} holds a study with other settings; --overwrite begins anew, --study NAME keeps both"
        )
    if dense.history != FloatModel.load(folder.float_model).history:
        raise RunFolderError(f"{folder.root} holds a study of another model; --overwrite begins anew")
