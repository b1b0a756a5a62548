"""The search beside quantising by hand, on models that were not trained here: a regression per step, and Silero VAD."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from gatewright.benchmarks.paired import difference, resampled
from gatewright.benchmarks.roads import silero_files
from gatewright.cosim.search.costs import Costs, spread
from gatewright.cosim.search.folder import StudyFolder
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
from gatewright.results import Row, read_rows, score_row
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress import suited
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

TRIALS, TUNE_EPOCHS, POINTS, RECORDINGS = 48, 2, 6, 4

LEAST = 4
"""Times fewer cycles and bits than 8 bits by hand, which a study aims at."""

SCOPE = Scope("matrix", {"rank": (None,)}, lanes=LANES)
"""Bits and density of each matrix; ranks are left out, as factors want more epochs than candidates get."""


def bench_studies(silero: Path | None, progress: Progress = silent) -> list[Row]:
    """Search both models, and quantise them by hand: scores, cycles per step and stored bits of all.

    Parameters
    ----------
    silero : path, optional
        As for `roads.bench_roads`; the current folder must be the same, as the metric finds the decoder there.
    progress : Progress

    Returns
    -------
    list of Row
        Of every model ``score`` by split, ``cycles_predicted_per_step`` and ``stored_bits``; of every point
        ``integers_compared`` and ``mismatches``, and ``quality_above_low`` and ``_high``: the 95 % interval of what its
        test score is better than that ``of`` a model by hand, over paired resamples.
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
    bundles = {name: each.bundle for name, each in made.items()}
    by_hand = {name: _costs(each, task) for name, each in bundles.items()}
    for name, costs in by_hand.items():
        yield from _rows({"study": study, "kind": "by hand", "model": name}, costs, task)
    whole = by_hand["8 bits"]
    settings = SearchSettings(
        trials=TRIALS,
        tune_epochs=TUNE_EPOCHS,
        target_cycles=whole.cycles / LEAST,
        target_bits=whole.stored_bits / LEAST,
    )
    with tempfile.TemporaryDirectory(prefix="gatewright-") as temporary:
        folder = Path(temporary) / "study"
        searched = search(
            model, task, folder, settings, SCOPE, CompressChoice(), points=POINTS, progress=told
        ).found
        front = read_rows(StudyFolder.open(folder).front)
        for name in searched.points:
            if name not in ("best", "uncompressed"):
                at = {"study": study, "kind": "found", "model": name}
                bundles[name] = point_of(folder, name)
                yield from _rows(at, _costs(bundles[name], task), task)
                compared = front.figure("point_integers_compared", model=name)
                differing = front.figure("point_mismatches", model=name)
                yield Row("integers_compared", "integers", compared, at)
                yield Row("mismatches", "integers", differing, at)
    yield from _differences(study, bundles, suited(task, model)[0])


def _differences(study: str, bundles: Mapping[str, Bundle], task: Task) -> Iterator[Row]:
    """Yield how much better every point's test score is than that of every model by hand."""
    quality = resampled(bundles, task.test, task.metric)
    for found, hand in product((name for name in bundles if name not in BY_HAND), BY_HAND):
        at = {"study": study, "kind": "found", "model": found, "of": hand, "split": "test"}
        for end, value in zip(("low", "high"), difference(quality[found], quality[hand]), strict=True):
            yield score_row(f"quality_above_{end}", task.metric, value, at, 0)


def _costs(bundle: Bundle, task: Task) -> Costs:
    config = choose_config([(bundle, POLICY)], HardwareChoice(lanes=LANES))
    recordings = spread(task.validation, RECORDINGS, SearchSettings.steps)
    return Costs.of(bundle, config, recordings, task.every_step)


def _rows(at: dict[str, str], costs: Costs, task: Task) -> Iterator[Row]:
    for split, value in costs.bundle.notes["scores"].items():
        yield score_row("score", task.metric, value, at | {"split": split}, 0)
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
