"""The search beside quantising by hand, on models that were not trained here: a regression per step, and Silero VAD."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from gatewright.benchmarks.roads import silero_files
from gatewright.cosim.search.costs import Costs, spread
from gatewright.cosim.search.settings import SearchSettings
from gatewright.cosim.search.start import Scope
from gatewright.flow.inputs import as_task
from gatewright.flow.quantise import quantise_all
from gatewright.flow.search import search
from gatewright.flow.settings import CompressChoice, Shape, TrainChoice, WorkerSettings
from gatewright.flow.study import point_of
from gatewright.flow.train import train
from gatewright.hw.compiler.choose import HardwareChoice, choose_config
from gatewright.progress import Progress, silent, within
from gatewright.results import Row, score_row
from gatewright.sw.bundle import Bundle
from gatewright.sw.importers import import_model
from gatewright.sw.mode import POLICY
from gatewright.sw.models import FloatModel
from gatewright.sw.tasks import Task

LANES = 16
"""Of the accelerator, for the search and for what is set by hand."""

BY_HAND = {
    "8 bits": Shape(lanes=LANES),
    "4 bits": Shape(bits=4, lanes=LANES),
    "8 bits, half": Shape(density=0.5, lanes=LANES),
    "4 bits, half": Shape(bits=4, density=0.5, lanes=LANES),
    "8 bits, quarter": Shape(density=0.25, lanes=LANES),
}
"""What a user would set by hand, each trained as `quantise` trains it unless told otherwise."""

TRIALS, POINTS, RECORDINGS = 48, 6, 4


def bench_studies(silero: Path | None, progress: Progress = silent) -> list[Row]:
    """Search both models, and quantise them by hand: scores, cycles per step and stored bits of all.

    Parameters
    ----------
    silero : path, optional
        As for `roads.bench_roads`; the current folder must be the same, as the metric finds the decoder there.
    progress : Progress
    """
    model, speech = silero_files(silero)
    float_model, task = _regression(progress)
    rows = list(_compared("regression", float_model, task, progress))
    vad = import_model(model).model
    vad = replace(vad, settings=replace(vad.settings, batch=8))
    rows += _compared("silero", vad, as_task(str(speech), metric="decisions:agreement"), progress)
    return rows


def _compared(study: str, model: FloatModel, task: Task, progress: Progress) -> Iterator[Row]:
    told = within(progress, study)
    made = quantise_all(model, task, BY_HAND, workers=WorkerSettings(), progress=told)
    for name, each in made.items():
        yield from _rows(study, "by hand", name, each.bundle, task)
    with tempfile.TemporaryDirectory(prefix="gatewright-") as temporary:
        folder = Path(temporary) / "study"
        settings = SearchSettings(trials=TRIALS)
        found = search(
            model,
            task,
            folder,
            settings,
            Scope("matrix", lanes=LANES),
            CompressChoice(),
            points=POINTS,
            progress=told,
        ).found
        for name in found.points:
            if name not in ("best", "uncompressed"):
                yield from _rows(study, "found", name, point_of(folder, name), task)


def _rows(study: str, kind: str, name: str, bundle: Bundle, task: Task) -> Iterator[Row]:
    at = {"study": study, "kind": kind, "model": name}
    for split, value in bundle.notes["scores"].items():
        yield score_row("score", task.metric, value, at | {"split": split}, 0)
    config = choose_config([(bundle, POLICY)], HardwareChoice(lanes=LANES))
    costs = Costs.of(
        bundle, config, spread(task.validation, RECORDINGS, SearchSettings.steps), task.every_step
    )
    yield Row("cycles_predicted_per_step", "cycles", costs.cycles, at)
    yield Row("stored_bits", "bits", costs.stored_bits, at)


def _regression(progress: Progress) -> tuple[FloatModel, Task]:
    """Train two layers that smooth and delay a noisy signal: one value per step."""
    rng = np.random.default_rng(0)
    signal = np.cumsum(rng.normal(size=(240, 60, 2)) * 0.2, axis=1)
    noisy = signal + 0.3 * rng.normal(size=signal.shape)
    wanted: Sequence[np.ndarray] = [
        np.stack([np.convolve(each[:, k], np.ones(6) / 6)[:60] for k in range(2)], axis=1).sum(1)
        for each in signal
    ]
    task = as_task({"X": noisy.astype(np.float32), "y": np.array(wanted)[..., None].astype(np.float32)})
    return train(task, TrainChoice(hidden=32, layers=2, epochs=40), progress=progress).model, task
