"""Compression of a model without its training data: the dense model itself teaches, on sample inputs."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from gatewright.errors import DataError
from gatewright.progress import Progress, silent
from gatewright.results import Row
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress import compress
from gatewright.sw.integer import run_integer
from gatewright.sw.metrics import UNITS
from gatewright.sw.models import FloatModel
from gatewright.sw.settings import CompressSettings
from gatewright.sw.spec import CompressionSpec
from gatewright.sw.tasks import Split, Task

HELD_OUT = 0.2
"""Share of the samples, whole sequences, that only measures."""

Decide = Callable[[np.ndarray], np.ndarray]
"""Gives the decisions [steps] that the host takes on the last layer's outputs [steps, outputs] of one sequence."""


@dataclass(frozen=True)
class Adapted:
    """A model that was compressed on samples alone.

    Parameters
    ----------
    bundle : Bundle
    rows : list of Row
        Agreement with the dense model on held-out samples: ``agreement`` of classes in percent of all steps, or ``snr``
        of the outputs in dB without a head; ``decision_agreement`` in percent where decisions were asked for.
    """

    bundle: Bundle
    rows: list[Row]


def adapt(
    model: FloatModel,
    sequences: Sequence[np.ndarray],
    spec: CompressionSpec,
    settings: CompressSettings,
    progress: Progress = silent,
    *,
    decide: Decide | None = None,
) -> Adapted:
    """Compress a model whose training data are not at hand.

    Formats are calibrated on most of the samples, and the compressed model is trained on them to give what the dense
    one gives; the others measure how far it does. That is agreement, not accuracy: nobody knows what is right.

    Parameters
    ----------
    model : FloatModel
        The dense model; left as it is. Its settings say how samples are disturbed in training, and how many go in a
        batch.
    sequences : sequence of arrays [steps, inputs]
        Raw inputs as they occur in use.
    spec : CompressionSpec
        Rank, density and bits of every product.
    settings : CompressSettings
        Its share of distillation is taken as 1, as there are no labels. With no epochs of quantising, and a
        specification without ranks and densities, the model is calibrated and not trained.
    progress : Progress
    decide : callable, optional
        Decisions on the outputs, whose agreement is reported too.

    Raises
    ------
    DataError
        There are fewer than two sequences, one has a wrong shape or values that are not finite, or training diverged.
    ConfigError
        The specification does not suit the model.
    AccumulatorOverflowError
        Some input could overflow an accumulator.
    """
    train, held = _split(model, sequences, settings.seed)
    task = Task(
        "samples",
        model.labels,
        train,
        held,
        held,
        metric="snr" if model.network.head is None else "agreement",
    )
    taught = dataclasses.replace(settings, distillation=1.0)
    bundle = compress(task, model, spec, taught, progress)
    at = {"held_out": len(held), "samples": len(sequences), "steps": sum(map(len, held.sequences))}
    rows = [Row(task.metric, UNITS[task.metric], bundle.notes[f"test_{task.metric}"], at, settings.seed)]
    if decide is not None:
        agreement = decision_agreement(
            decide, integer_outputs(bundle, held.sequences), model.outputs(held.sequences)
        )
        rows.append(Row("decision_agreement", "percent", agreement, at, settings.seed))
    return Adapted(bundle, rows)


def integer_outputs(bundle: Bundle, sequences: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Give the integer model's outputs [steps, outputs], as reals, for raw sequences, each from a fresh state."""
    outputs, _ = run_integer(bundle, [bundle.quantise_input(s) for s in sequences])
    return [bundle.layers[-1].output_format.real(y) for y in outputs]


def decision_agreement(decide: Decide, ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray]) -> float:
    """Give the percent of steps in which two models' outputs lead to the same decision."""
    equal = [decide(a) == decide(b) for a, b in zip(ours, theirs, strict=True)]
    return 100.0 * float(np.concatenate(equal).mean())


def _split(model: FloatModel, sequences: Sequence[np.ndarray], seed: int) -> tuple[Split, Split]:
    """Give what trains and what measures, with the dense model's classes, or outputs, of every step as labels."""
    if len(sequences) < 2:
        raise DataError(
            f"{len(sequences)} sample sequences: at least 2 are needed, one to train on and one to measure with; "
            "cut a long recording into pieces"
        )
    for k, sequence in enumerate(sequences):
        if not len(sequence) or not np.isfinite(sequence).all():
            raise DataError(f"sample sequence {k} must have at least 1 step and hold finite values only")
    outputs = [torch.from_numpy(y) for y in model.outputs(sequences)]
    if model.network.head is None:
        labels = [y.numpy() for y in outputs]
    else:
        with torch.no_grad():
            labels = [model.network.logits(y).argmax(dim=1).numpy() for y in outputs]
    order = np.random.default_rng(seed).permutation(len(sequences)).tolist()
    held = max(1, round(HELD_OUT * len(sequences)))
    measure, train = (
        Split([np.asarray(sequences[k]) for k in part], [labels[k] for k in part])
        for part in (order[:held], order[held:])
    )
    return train, measure
