"""How an integer model behaves on a split: what each layer loses, and which classes are taken for which."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from gatewright.errors import BundleError
from gatewright.results import Row
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress.diagnosis import signal_to_noise
from gatewright.sw.determinism import one_thread
from gatewright.sw.integer import integer_results, predict
from gatewright.sw.metrics import class_logits
from gatewright.sw.models import FloatModel
from gatewright.sw.network import quiet_projections
from gatewright.sw.scores import counted
from gatewright.sw.tasks import Split, Task

SCORED = ("validation", "test")
"""Splits that scores are told of."""

MOST_CLASSES = 64
"""Classes beyond which nobody reads a confusion matrix."""


def scored_rows(task: Task) -> Iterator[Row]:
    """Yield how many positions of the validation and the test split have a target: a score's uncertainty needs it."""
    for name in SCORED:
        yield Row("scored", "positions", _positions(getattr(task, name)), {"split": name})


@one_thread()
@torch.no_grad()
def layer_snr(bundle: Bundle, model: FloatModel, split: Split) -> dict[str, float]:
    """Compute the signal-to-noise ratio of each layer's outputs in dB, against those of the float model.

    Layers from which units were dropped have no counterpart, and are left out.
    """
    found = {}
    vectors = [x[:, None] for x in model.standardise(split.sequences)]
    model.network.eval()
    for k, layer in enumerate(model.network.layers):
        with quiet_projections():
            vectors = [layer(x) for x in vectors]
        until = replace(bundle, layers=bundle.layers[: k + 1], head=None, labels=())
        if until.layers[-1].output_size != layer.output_size:
            continue
        exact = np.concatenate([x.numpy().ravel() for x in vectors]).astype(np.float64)
        ours = np.concatenate([each.ravel() for each in integer_results(until, split.sequences)])
        (ratio,) = signal_to_noise(exact[:, None], ours.astype(np.float64)[:, None])
        found[f"layer{k}"] = float(ratio)
    return found


def confusion(bundle: Bundle, split: Split) -> Counter[tuple[int, int]]:
    """Count the positions of a split by (class of the target, class that the integer model predicts)."""
    found: Counter[tuple[int, int]] = Counter()
    for outputs, targets in predict(bundle, split):
        seen = counted(targets)
        predicted = class_logits(outputs[seen].numpy()).argmax(axis=1)
        found.update(zip(targets[seen].tolist(), predicted.tolist(), strict=True))
    return found


def with_behaviour(bundle: Bundle, model: FloatModel, task: Task) -> Bundle:
    """Return a bundle whose notes say how it behaves on the test split of a task, and how much was scored."""
    found: dict[str, Any] = {
        "scored": {name: _positions(getattr(task, name)) for name in SCORED},
        "layer_snr": layer_snr(bundle, model, task.test),
    }
    metric, classes = task.metric, max(2, len(bundle.labels))
    if metric.kind == "classes" and metric.reference == "targets" and classes <= MOST_CLASSES:
        labels = bundle.labels if len(bundle.labels) > 1 else ("0", "1")
        found["confusion"] = [
            [labels[target], labels[predicted], count]
            for (target, predicted), count in sorted(confusion(bundle, task.test).items())
        ]
    return replace(bundle, notes=bundle.notes | {"behaviour": found})


def behaviour_rows(bundle: Bundle, name: str) -> Iterator[Row]:
    """Yield the rows of what `with_behaviour` noted, for a model of a name; nothing of a bundle without such notes.

    Raises
    ------
    BundleError
        The notes are malformed.
    """
    noted, seed = bundle.notes.get("behaviour"), bundle.notes.get("seed")
    if noted is None:
        return
    try:
        for split, count in noted["scored"].items():
            yield Row("scored", "positions", count, {"split": split}, seed)
        for layer, ratio in noted["layer_snr"].items():
            yield Row("layer_snr", "dB", ratio, {"model": name, "layer": layer}, seed)
        for target, predicted, count in noted.get("confusion", ()):
            at = {"model": name, "target_class": target, "predicted_class": predicted}
            yield Row("confusion", "positions", count, at, seed)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BundleError(f"the notes of {name} on how it behaves are malformed ({error!r})") from error


def _positions(split: Split) -> int:
    if split.targets is None:
        return 0
    targets = split.targets if isinstance(split.targets, list) else [split.targets]
    return sum(int(counted(torch.from_numpy(each)).sum()) for each in targets)
