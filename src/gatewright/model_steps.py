"""The commands that take a model as it is: import it, quantise it on samples, simplify it to a requirement."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

from gatewright.errors import RunFolderError
from gatewright.hw.compiler import Mode, compile_bundle, smallest_config
from gatewright.hw.config import AcceleratorConfig
from gatewright.progress import Progress
from gatewright.results import Row, write_rows
from gatewright.run import RunFolder
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress import (
    CompressSettings,
    Requirement,
    SimplifySettings,
    compress_to,
    uniform_spec,
)
from gatewright.sw.compress.posttraining import adapt
from gatewright.sw.importers import Imported
from gatewright.sw.importers import import_model as import_file
from gatewright.sw.metrics import UNITS
from gatewright.sw.models import FloatModel
from gatewright.sw.tasks import Task, load_task
from gatewright.sw.tasks.files import load_samples


def modes(density: float) -> tuple[Mode, ...]:
    """Give the modes that a density is compiled for: an unpruned model has nothing to skip."""
    return ("dense",) if density == 1 else ("dense", "sparse")


def task_of(run: RunFolder) -> Task:
    """Load the task of a run."""
    return load_task(run.settings["task"], seed=run.settings["seed"])


def import_model(
    path: Path, output: Path, *, lstm: str | None, head: str | None, double: bool, overwrite: bool
) -> Imported:
    """Import a user's model and write it as a float checkpoint."""
    _check_output(output, overwrite)
    imported = import_file(path, lstm=lstm, head=head, double=double)
    imported.model.save(output)
    return imported


def quantise(
    path: Path,
    samples: Path,
    output: Path,
    density: float,
    shape: dict[str, Any],
    settings: CompressSettings,
    *,
    overwrite: bool,
    progress: Progress,
) -> list[Row]:
    """Compress a float checkpoint on sample inputs alone; `shape` has the other arguments of `uniform_spec`."""
    _check_output(output, overwrite)
    model = FloatModel.load(path)
    spec = uniform_spec(model.network, density, **shape)
    adapted = adapt(model, load_samples(samples), spec, settings, progress)
    bits = stored_bits(adapted.bundle, spec.lanes)
    adapted.bundle.save(output)
    return [*adapted.rows, Row("stored_bits", "bits", bits, {"density": density}, settings.seed)]


def simplify(
    root: Path,
    score: float,
    volume: int,
    seed: int,
    how: SimplifySettings,
    *,
    overwrite: bool,
    progress: Progress,
) -> list[Row]:
    """Compress the run's model to a score and a volume; leaves the best bundle and the record of every round."""
    requirement = Requirement(score, volume)
    run = RunFolder.open(root)
    run.need("train")
    task = task_of(run)
    settings = replace(task.compression, seed=seed)
    model = FloatModel.load(run.float_model)
    run.start("simplify", overwrite=overwrite)
    outcome = compress_to(
        task, model, requirement, lambda bundle: stored_bits(bundle, how.lanes), settings, how, progress
    )
    outcome.bundle.save(run.simplified)
    unit = UNITS[task.metric]
    rows = [
        Row("round_score", unit, each.score, {"round": number} | _told(asdict(each)), seed)
        for number, each in enumerate(outcome.rounds, 1)
    ]
    rows += [
        Row(f"simplified_{task.metric}", unit, outcome.bundle.notes[f"{name}_{task.metric}"], {"split": name})
        for name in ("validation", "test")
    ]
    rows.append(Row("stored_bits", "bits", outcome.volume, asdict(requirement)))
    rows.append(Row("requirement_met", "yes or no", int(outcome.met), {"reason": outcome.reason}))
    write_rows(run.rows("simplify"), rows)
    return rows


def stored_bits(bundle: Bundle, lanes: int) -> int:
    """Give the bits of a bundle's image on the smallest accelerator of `lanes` lanes, in the mode that needs fewer."""
    return min(_stored_bits(bundle, mode, lanes) for mode in get_args(Mode))


def _check_output(output: Path, overwrite: bool) -> None:
    if output.exists() and not overwrite:
        raise RunFolderError(f"{output} exists; --overwrite replaces it")


def _stored_bits(bundle: Bundle, mode: Mode, lanes: int) -> int:
    cell_lanes = min(AcceleratorConfig.cell_lanes, lanes // 4)
    config = smallest_config([(bundle, mode)], lanes=lanes, cell_lanes=cell_lanes)
    compiled = compile_bundle(bundle, config, mode=mode, hidden_results="none" if bundle.head else "last")
    return sum(compiled.image.stored_bits(config).values())


def _told(values: dict) -> dict:
    return {name: value for name, value in values.items() if name != "score" and value is not None}
