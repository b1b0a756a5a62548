"""Quantise any float model on any task: the one way from a model and data to a bundle and what it is worth."""

import copy
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from gatewright.progress import Progress, silent
from gatewright.results import Row
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress import compress, shaped, suited
from gatewright.sw.compress.behaviour import behaviour_rows, with_behaviour
from gatewright.sw.compress.diagnosis import (
    narrow_features,
    signal_to_noise,
    spread_matrices,
    told_features,
)
from gatewright.sw.compress.figures import score_rows, shape_rows
from gatewright.sw.compress.pruning import prune_at_once
from gatewright.sw.compress.quantise import CALIBRATED, calibrate
from gatewright.sw.compress.scaling import scaled_where_it_pays
from gatewright.sw.determinism import seeded
from gatewright.sw.integer import integer_results
from gatewright.sw.models import FloatModel
from gatewright.sw.network import LstmNetwork
from gatewright.sw.scores import counted
from gatewright.sw.settings import CompressSettings
from gatewright.sw.spec import CompressionSpec
from gatewright.sw.tasks import Split, Task

Fits = Callable[[Bundle], None]
"""Raises an error if a bundle of these shapes, widths and patterns is too large for the hardware in mind."""

COARSE = 1.25
"""Times the weights asked for that a pattern may keep before that is worth a remark."""


@dataclass(frozen=True)
class Quantised:
    """A model in integers.

    Parameters
    ----------
    bundle : Bundle
    rows : list of Row
        ``score`` in the task's metric on validation and test; ``snr`` of every output, and of all together, against the
        float model on test, ``layer_snr`` of every layer, and ``confusion`` of classes; ``scored``, the positions that
        the scores are of; ``rank`` and ``bits`` of every product, and ``weight_density`` of every matrix.
    warnings : tuple of str
        What the integers cannot hold, and training that was in vain, by name and with a remedy.
    """

    bundle: Bundle
    rows: list[Row]
    warnings: tuple[str, ...]


def settings_for(task: Task, spec: CompressionSpec) -> CompressSettings:
    """Return how a model is compressed unless told otherwise: the task's own settings.

    Where the float model teaches and nothing is dropped, pruned or factorised, integers are calibrated only: there is
    little to win back, and the samples may be few.
    """
    products = spec.products.values()
    reshaped = spec.hidden or any(each.density < 1 or each.rank is not None for each in products)
    if task.taught and not reshaped:
        return dataclasses.replace(task.compression, quantise_epochs=0)
    return task.compression


def quantise_model(
    model: FloatModel,
    task: Task,
    spec: CompressionSpec,
    settings: CompressSettings | None = None,
    *,
    name: str = "model",
    scale: bool = True,
    fits: Fits | None = None,
    progress: Progress = silent,
) -> Quantised:
    """Compress a float model to a specification, and tell what it is worth and what integers cannot hold.

    Parameters
    ----------
    model : FloatModel
        Start and teacher; left as it is.
    task : Task
        Without targets, the float model's own outputs are what is learned and measured.
    spec : CompressionSpec
        Rank, density and bits of every product.
    settings : CompressSettings, optional
        `settings_for` the task and the specification, if left out.
    name : str
        The model's name in rows.
    scale : bool
        Whether raw features may be brought to one scale, where integers gain by it.
    fits : callable, optional
        Asked before anything is trained, with a bundle of the shapes, widths and patterns that the model will have.
    progress : Progress

    Raises
    ------
    ConfigError
        The specification does not suit the model.
    DataError
        The task does not suit the model.
    AccumulatorOverflowError
        Some input could overflow an accumulator.
    DivergenceError
        Training diverged.
    """
    settings = settings or settings_for(task, spec)
    task, model = suited(task, model)
    sequences = task.train.sequences
    student = model
    if scale:
        widths = {"bits": spec.of("layer0.input").bits, "activation_bits": spec.activation_bits}
        student = scaled_where_it_pays(model, sequences, **widths)
    with seeded(settings.seed):
        network = shaped(student.network, spec)
        pruned = prune_at_once(copy.deepcopy(network), spec)
        untrained = _untrained(student, task, pruned, spec)
    if fits is not None:
        fits(untrained)
    narrow = narrow_features(untrained, sequences)
    warnings = [told_features(narrow, scaled=scale)] if narrow else []
    warnings += map(str, spread_matrices(student, network, spec, sequences))
    warnings += _coarse(pruned, spec)
    bundle = with_behaviour(compress(task, student, spec, settings, progress), model, task)
    warnings += _in_vain(bundle)
    rows = [
        *score_rows(bundle, name),
        *_snr_rows(bundle, model, task.test, name),
        *behaviour_rows(bundle, name),
        *shape_rows(bundle, name),
    ]
    return Quantised(bundle, rows, tuple(warnings))


def _coarse(pruned: LstmNetwork, spec: CompressionSpec) -> Iterator[str]:
    """Yield a warning if matrices with few words keep many more weights, by their patterns, than were asked for."""
    told = []
    for name, matrix in pruned.matrices().items():
        asked, kept = spec.of(name).density, float((matrix != 0).double().mean())
        if kept > COARSE * asked:
            told.append(f"{name} {100 * kept:.0f} %, not {100 * asked:.3g} %")
    if told:
        word = f"a word of all {spec.lanes} lanes"
        if spec.columns == "equal":
            why = f"Every column keeps {word} at least: take fewer lanes, or columns by contribution"
        else:
            why = f"What stays or goes is {word}: take fewer lanes"
        yield f"more weights stay than were asked for: {'; '.join(told)}. {why}"


def _in_vain(bundle: Bundle) -> Iterator[str]:
    """Yield a warning if training in integers was in vain."""
    if CALIBRATED in bundle.notes:
        before, after = bundle.notes[CALIBRATED]
        unit, rate = bundle.notes["unit"], bundle.notes["settings"]["quantise_rate"]
        yield (
            f"training in integers took the validation score from {before:.4g} to {after:.4g} {unit}, so the model is "
            f"as calibrated; try a smaller quantise_rate than {rate:g}"
        )


def _snr_rows(bundle: Bundle, model: FloatModel, split: Split, name: str) -> Iterator[Row]:
    """Yield the signal-to-noise ratio of every output that is not zero throughout, and of all together."""
    exact, ours = (
        np.concatenate(_where_it_counts(results, split)).astype(np.float64)
        for results in (model.results(split.sequences), integer_results(bundle, split.sequences))
    )
    outputs = bundle.labels or range(exact.shape[1])
    for output, ratio, signal in zip(outputs, signal_to_noise(exact, ours), exact.T, strict=True):
        if signal.any():
            yield Row("snr", "dB", float(ratio), {"model": name, "output": output}, bundle.notes["seed"])
    (ratio,) = signal_to_noise(exact.reshape(-1, 1), ours.reshape(-1, 1))
    yield Row("snr", "dB", float(ratio), {"model": name, "output": "all"}, bundle.notes["seed"])


def _where_it_counts(results: Sequence[np.ndarray], split: Split) -> list[np.ndarray]:
    """Pick the steps of results [steps, outputs] that have a target of their own, or else each sequence's last."""
    if not isinstance(split.targets, list):
        return [each[-1:] for each in results]
    counting = [counted(torch.from_numpy(targets)).numpy() for targets in split.targets]
    return [each[steps] for each, steps in zip(results, counting, strict=True)]


@torch.no_grad()
def _untrained(model: FloatModel, task: Task, pruned: LstmNetwork, spec: CompressionSpec) -> Bundle:
    """Return a bundle of the shapes, widths and patterns that training will end with."""
    inputs = model.standardise(task.train.sequences)
    return calibrate(pruned, inputs, spec).bundle(model.mean, model.deviation, model.labels)
