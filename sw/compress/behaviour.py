"""How an integer model behaves on a split: what each layer loses, and which classes are taken for which."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from gatewright.results import Row
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress.diagnosis import signal_to_noise
from gatewright.sw.determinism import one_thread
from gatewright.sw.integer import integer_results, predict
from gatewright.sw.metrics import Metric, class_logits
from gatewright.sw.models import FloatModel
from gatewright.sw.network import quiet_projections
from gatewright.sw.scores import counted
from gatewright.sw.tasks import Split, Task

MOST_CLASSES = 64
"""Classes beyond which nobody reads a confusion matrix."""


def scored_rows(task: Task) -> Iterator[Row]:
    """Yield how many positions of the validation and the test split have a target: a score's uncertainty needs it."""
    for name in ("validation", "test"):
        split: Split = getattr(task, name)
        yield Row("scored", "positions", _positions(split), {"split": name})


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


def behaviour_rows(
    bundle: Bundle, model: FloatModel, split: Split, metric: Metric, name: str
) -> Iterator[Row]:
    """Yield ``layer_snr`` of each layer; and, of a classification, ``confusion`` for pairs of classes that occur."""
    seed = bundle.notes["seed"]
    for layer, ratio in layer_snr(bundle, model, split).items():
        yield Row("layer_snr", "dB", ratio, {"model": name, "layer": layer}, seed)
    classes = max(2, len(bundle.labels))
    if metric.kind != "classes" or metric.reference != "targets" or classes > MOST_CLASSES:
        return
    labels = bundle.labels if len(bundle.labels) > 1 else ("0", "1")
    for (target, predicted), count in sorted(confusion(bundle, split).items()):
        at = {"model": name, "target_class": labels[target], "predicted_class": labels[predicted]}
        yield Row("confusion", "positions", count, at, seed)


def _positions(split: Split) -> int:
    if split.targets is None:
        return 0
    targets = split.targets if isinstance(split.targets, list) else [split.targets]
    return sum(int(counted(torch.from_numpy(each)).sum()) for each in targets)
