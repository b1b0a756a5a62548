"""How good predictions are, in the metrics of tasks."""

from collections.abc import Iterable

import numpy as np
from torch import Tensor

from gatewright.sw.metrics import IGNORED, Metric


def score(batches: Iterable[tuple[Tensor, Tensor]], metric: Metric) -> float:
    """Return the metric over all positions of all batches of (outputs [..., outputs], targets) that count."""
    outputs, targets = [], []
    for found, wanted in batches:
        seen = counted(wanted)
        outputs.append(found[seen].double().numpy())
        targets.append((wanted[seen].double() if wanted.is_floating_point() else wanted[seen]).numpy())
    return metric(np.concatenate(outputs), np.concatenate(targets))


def counted(targets: Tensor) -> Tensor:
    """Tell which targets [...], or [..., outputs] if they are values, count: not those behind a sequence's end."""
    return ~targets[..., 0].isnan() if targets.is_floating_point() else targets != IGNORED
