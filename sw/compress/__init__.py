"""Compression: a float model becomes a small integer one, to a specification or to a requirement."""

import copy
import dataclasses

from gatewright.errors import DataError
from gatewright.progress import Progress, silent
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress.factorise import factorise
from gatewright.sw.compress.pruning import prune, retrain
from gatewright.sw.compress.quantise import quantise
from gatewright.sw.compress.rounds import Outcome, Requirement, Round
from gatewright.sw.compress.simplify import simplify, weight_count
from gatewright.sw.compress.volume import Volume, quantise_to
from gatewright.sw.determinism import seeded
from gatewright.sw.integer import evaluate
from gatewright.sw.models import FloatModel
from gatewright.sw.network import LstmNetwork
from gatewright.sw.settings import CompressSettings, SimplifySettings
from gatewright.sw.spec import CompressionSpec, ProductSpec, uniform_spec
from gatewright.sw.tasks import Task

__all__ = [
    "CompressSettings",
    "CompressionSpec",
    "Outcome",
    "ProductSpec",
    "Requirement",
    "Round",
    "SimplifySettings",
    "Volume",
    "compress",
    "compress_to",
    "uniform_spec",
]


def compress(
    task: Task,
    float_model: FloatModel,
    spec: CompressionSpec,
    settings: CompressSettings,
    progress: Progress = silent,
    *,
    start: LstmNetwork | None = None,
) -> Bundle:
    """Factorise and prune a float model, then train it in integers.

    Parameters
    ----------
    task : Task
        Its train split trains; validation and test are measured only.
    float_model : FloatModel
        Start and teacher; left as it is.
    spec : CompressionSpec
        Rank, density and bits of every product.
    settings : CompressSettings
    progress : Progress
    start : LstmNetwork, optional
        Starts in place of the model's own network: a smaller one that the model is to teach. Left as it is.

    Returns
    -------
    Bundle
        Its notes hold the task, the specification, the settings, the density that the layers' matrices really have,
        and the scores of the integer model.

    Raises
    ------
    ConfigError
        The specification does not suit the model.
    DataError
        The task is not the one that the model was trained on.
    AccumulatorOverflowError
        Some input could overflow an accumulator.
    """
    _check_task(task, float_model)
    network = copy.deepcopy(float_model.network if start is None else start)
    with seeded(settings.seed):
        network = factorise(network, spec)
        if any(product.density < 1 or product.rank is not None for product in spec.products.values()):
            prune(task, float_model, network, spec, settings, progress)
        bundle = quantise(task, float_model, network, spec, settings, progress)
    layers = [matrix for name, matrix in network.matrices().items() if name.startswith("layer")]
    kept = sum(int(matrix.count_nonzero()) for matrix in layers)
    notes = _notes(task, float_model, bundle, settings) | {
        "spec": spec.to_json(),
        "density": kept / sum(matrix.numel() for matrix in layers),
    }
    return dataclasses.replace(bundle, notes=notes)


def compress_to(
    task: Task,
    float_model: FloatModel,
    requirement: Requirement,
    volume: Volume,
    settings: CompressSettings,
    how: SimplifySettings,
    progress: Progress = silent,
) -> Outcome:
    """Compress a float model to a score and a volume: simplify, retrain, and quantise only as far as needed.

    A requirement that cannot be met is no error: the outcome says so and why.

    Parameters
    ----------
    task : Task
        Its train split trains, its validation split judges every round; test is measured at the end only.
    float_model : FloatModel
        Start and teacher; left as it is.
    requirement : Requirement
    volume : callable
        Measures the emitted image of a bundle.
    settings : CompressSettings
        `prune_epochs` retrain the simplified model, `quantise_epochs` train each round of quantising.
    how : SimplifySettings
    progress : Progress

    Raises
    ------
    ConfigError
        The lanes do not suit the model.
    DataError
        The task is not the one that the model was trained on.
    AccumulatorOverflowError
        Some input could overflow an accumulator.
    """
    _check_task(task, float_model)
    with seeded(settings.seed):
        network, rounds = simplify(task, float_model, requirement.score, settings, how, progress)
        retrained = copy.deepcopy(network)
        before = dataclasses.replace(float_model, network=network).score(task.validation, task.metric)
        after = retrain(task, float_model, retrained, settings, settings.prune_epochs, "retrain", progress)
        better = task.metric.meets(after, before)
        rounds.append(Round("retrain", "all weights", 0.0, 0, weight_count(retrained), after, None, better))
        model, quantising, reason = quantise_to(
            task, float_model, retrained if better else network, requirement, volume, settings, how, progress
        )
    rounds += quantising
    if not task.metric.meets(model.score, requirement.score):
        reason = f"the best score found is {model.score:.4g} {task.metric.unit}"
    notes = _notes(task, float_model, model.bundle, settings) | {
        "spec": model.spec.to_json(),
        "requirement": dataclasses.asdict(requirement),
        "simplify_settings": dataclasses.asdict(how) | {"units": list(how.units)},
        "volume": model.volume,
        "rounds": [dataclasses.asdict(each) for each in rounds],
        "reason": reason,
    }
    bundle = dataclasses.replace(model.bundle, notes=notes)
    return Outcome(bundle, model.volume, tuple(rounds), not reason, reason)


def _check_task(task: Task, float_model: FloatModel) -> None:
    outputs = float_model.network.result_size
    if task.input_size != float_model.network.input_size:
        raise DataError(
            f"{task.name} has {task.input_size} features, but the model takes {float_model.network.input_size}"
        )
    if task.train.targets is None:
        raise DataError(f"{task.name} has no targets: `taught_by` takes them from the float model")
    if task.labels != float_model.labels and len(task.labels) == outputs and not task.taught:
        raise DataError(
            f"the task {task.name} has the classes {', '.join(task.labels)}, but the model was trained on "
            f"{', '.join(float_model.labels)}: train on this task first"
        )
    if not task.suits(outputs):
        raise DataError(
            f"{task.name} has {task.output_size} {'classes' if task.classifies else 'values'}, but the model has "
            f"{outputs} outputs: train on this task first, or import the head that suits it"
        )


def _notes(task: Task, float_model: FloatModel, bundle: Bundle, settings: CompressSettings) -> dict:
    """Tell where a bundle comes from, and how good it is."""
    return {
        "task": task.name,
        "data": None if task.source is None else task.source.to_json(),
        "from": float_model.notes,
        "seed": settings.seed,
        "metric": task.metric.name,
        "unit": task.metric.unit,
        "more_is_better": task.metric.more_is_better,
        "every_step": task.every_step,
        "settings": dataclasses.asdict(settings),
        "train_settings": dataclasses.asdict(float_model.settings),
        "scores": {
            name: evaluate(bundle, split, task.metric)
            for name, split in (("validation", task.validation), ("test", task.test))
        },
    }
