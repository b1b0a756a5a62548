"""Compression: a float model becomes a small integer one, to a specification or to a requirement."""

import copy
import dataclasses

from gatewright.errors import CapacityError, DataError
from gatewright.progress import Progress, silent
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress.factorise import factorise
from gatewright.sw.compress.pruning import prune, retrain
from gatewright.sw.compress.quantise import calibrate, quantise
from gatewright.sw.compress.rounds import Outcome, Requirement, Round
from gatewright.sw.compress.sample import sample_of
from gatewright.sw.compress.scaling import scaled_where_it_pays
from gatewright.sw.compress.simplify import simplify, weight_count
from gatewright.sw.compress.units import keep_units, kept_units
from gatewright.sw.compress.volume import Volume, quantise_to
from gatewright.sw.determinism import seeded
from gatewright.sw.integer import evaluate
from gatewright.sw.models import FloatModel
from gatewright.sw.network import LstmNetwork
from gatewright.sw.settings import CompressSettings, SimplifySettings
from gatewright.sw.spec import CompressionSpec, ProductSpec, uniform_spec
from gatewright.sw.tasks import Task, for_model

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
    """Drop hidden units of a float model, factorise and prune it, then train it in integers.

    What is another network than the float model, smaller or given to start from, is trained in float first, whether
    weights are pruned meanwhile or not.

    Parameters
    ----------
    task : Task
        Its train split trains; validation and test are measured only. Where it has no targets, the float model's own
        outputs are learned, and nothing else.
    float_model : FloatModel
        Start and teacher; left as it is.
    spec : CompressionSpec
        Hidden units of the layers; rank, density and bits of every product.
    settings : CompressSettings
    progress : Progress
    start : LstmNetwork, optional
        Starts in place of the model's own network: a smaller one that the model is to teach. Left as it is.

    Returns
    -------
    Bundle
        Its notes hold the task, the metric, the specification, the settings, the density that the layers' matrices
        really have, and the scores of the integer model. Where integers only got worse by training, they are as
        calibrated, see `quantise`.

    Raises
    ------
    ConfigError
        The specification does not suit the model.
    DataError
        The task has other outputs than the model.
    AccumulatorOverflowError
        Some input could overflow an accumulator.
    """
    task, float_model = suited(task, float_model)
    network = copy.deepcopy(float_model.network if start is None else start)
    with seeded(settings.seed):
        network = shaped(network, spec)
        if start is not None or _smaller(network, float_model.network, spec):
            prune(task, float_model, network, spec, settings, progress)
        bundle = quantise(task, float_model, network, spec, settings, progress)
    notes = bundle.notes | _notes(task, float_model, network, bundle, settings) | {"spec": spec.to_json()}
    return dataclasses.replace(bundle, notes=notes)


def compress_to(
    task: Task,
    float_model: FloatModel,
    requirement: Requirement,
    volume: Volume,
    settings: CompressSettings,
    how: SimplifySettings,
    progress: Progress = silent,
    *,
    scale: bool = True,
) -> Outcome:
    """Compress a float model to a score and a volume: simplify, retrain, and quantise only as far as needed.

    Simplifying ends where the score would fail, or where the image in 8 bits meets the volume. Weights get narrower
    only where it does not. A requirement that cannot be met is no error: the outcome says so and why.

    Parameters
    ----------
    task : Task
        Its train split trains, its validation split judges every round by the task's metric; test is measured at the
        end only. Where it has no targets, the float model's own outputs are learned and compared with.
    float_model : FloatModel
        Start and teacher; left as it is.
    requirement : Requirement
    volume : callable
        Measures the emitted image of a bundle; may raise a CapacityError where it is too large for any.
    settings : CompressSettings
        `prune_epochs` retrain the simplified model, `quantise_epochs` train each round of quantising.
    how : SimplifySettings
    progress : Progress
    scale : bool
        Whether raw features may be brought to one scale, where integers gain by it.

    Raises
    ------
    ConfigError
        The lanes do not suit the model.
    DataError
        The task has other outputs than the model.
    AccumulatorOverflowError
        Some input could overflow an accumulator.
    """
    task, float_model = suited(task, float_model)
    if scale:
        float_model = scaled_where_it_pays(float_model, task.train.sequences)
    sample = float_model.standardise(sample_of(task).sequences)

    def eight_bits(network: LstmNetwork) -> int | None:
        student = calibrate(network, sample, uniform_spec(network, lanes=how.lanes))
        try:
            return volume(student.bundle(float_model.mean, float_model.deviation, float_model.labels))
        except CapacityError:
            return None

    with seeded(settings.seed):
        network, rounds = simplify(task, float_model, requirement, eight_bits, settings, how, progress)
        retrained = copy.deepcopy(network)
        before = dataclasses.replace(float_model, network=network).score(task.validation, task.metric)
        after = retrain(task, float_model, retrained, settings, settings.prune_epochs, "retrain", progress)
        better = task.metric.meets(after, before)
        rounds.append(Round("retrain", "all weights", 0.0, 0, weight_count(retrained), after, None, better))
        if better:
            network = retrained
        model, quantising, reason = quantise_to(
            task, float_model, network, requirement, volume, settings, how, progress
        )
    rounds += quantising
    if not task.metric.meets(model.score, requirement.score):
        reason = f"the best score found is {model.score:.4g} {task.metric.unit}"
    notes = _notes(task, float_model, model.network, model.bundle, settings) | {
        "spec": model.spec.to_json(),
        "requirement": dataclasses.asdict(requirement),
        "simplify_settings": dataclasses.asdict(how) | {"units": list(how.units)},
        "volume": model.volume,
        "rounds": [dataclasses.asdict(each) for each in rounds],
        "reason": reason,
    }
    bundle = dataclasses.replace(model.bundle, notes=notes)
    left = {"simplified": {"from": float_model.notes, "weights": weight_count(network)}}
    simplified = dataclasses.replace(float_model, network=network.eval(), notes=left)
    return Outcome(requirement, bundle, simplified, model.volume, tuple(rounds), not reason, reason)


def shaped(network: LstmNetwork, spec: CompressionSpec) -> LstmNetwork:
    """Return a network with the hidden units and the ranks of a specification.

    Raises
    ------
    ConfigError
        The specification does not suit the network.
    """
    if spec.hidden:
        network = keep_units(network, kept_units(network, spec.hidden))
    return factorise(network, spec)


def _smaller(network: LstmNetwork, whole: LstmNetwork, spec: CompressionSpec) -> bool:
    """Tell whether a network has fewer hidden units than another, or a specification prunes or factorises it."""
    units, others = ([layer.hidden_size for layer in each.layers] for each in (network, whole))
    return units != others or any(
        product.density < 1 or product.rank is not None for product in spec.products.values()
    )


def suited(task: Task, float_model: FloatModel) -> tuple[Task, FloatModel]:
    """Return a task with targets, and a float model whose outputs have the task's names.

    The task is made one `for_model`. Outputs of an imported model are numbered; they take the names that the task has
    for them.

    Raises
    ------
    DataError
        The task has other features, or other outputs, than the model.
    ConfigError
        The task's metric could not fail for the model.
    """
    network, names = float_model.network, float_model.labels
    outputs = network.result_size
    if task.input_size != network.input_size:
        raise DataError(
            f"{task.name} has {task.input_size} features, but the model takes {network.input_size}"
        )
    task = for_model(task, float_model)
    if not task.suits(outputs):
        raise DataError(
            f"{task.name} has {task.output_size} {'classes' if task.classifies else 'values'}, but the model has "
            f"{outputs} outputs: train on this task first, or import the head that suits it"
        )
    task.metric.check(outputs)
    if len(names) != len(task.labels) or names == task.labels:
        return task, float_model
    if task.classifies and names != tuple(str(k) for k in range(outputs)):
        raise DataError(
            f"{task.name} has the classes {', '.join(task.labels)}, but the model was trained on {', '.join(names)}: "
            "train on this task first"
        )
    return task, dataclasses.replace(float_model, labels=task.labels)


def _notes(
    task: Task, float_model: FloatModel, network: LstmNetwork, bundle: Bundle, settings: CompressSettings
) -> dict:
    """Tell where a bundle comes from, how it was made of which network, and how good it is."""
    layers = [matrix for name, matrix in network.matrices().items() if name.startswith("layer")]
    kept = sum(int(matrix.count_nonzero()) for matrix in layers)
    return {
        "from": float_model.notes,
        "task": task.name,
        "data": None if task.source is None else task.source.to_json(),
        "metric": task.metric.name,
        "unit": task.metric.unit,
        "more_is_better": task.metric.more_is_better,
        "every_step": task.every_step,
        "scores": {
            name: evaluate(bundle, split, task.metric)
            for name, split in (("validation", task.validation), ("test", task.test))
        },
        "density": kept / sum(matrix.numel() for matrix in layers),
        "seed": settings.seed,
        "settings": dataclasses.asdict(settings),
        "train_settings": dataclasses.asdict(float_model.settings),
    }
