"""How good predictions are, in the metrics of tasks."""

import sys
from collections.abc import Iterable
from math import log, log10

from torch import Tensor
from torch.nn import functional

from gatewright.sw.metrics import IGNORED, Metric


def score(batches: Iterable[tuple[Tensor, Tensor]], metric: Metric) -> float:
    """Give the metric over all batches of (logits [..., classes], labels [...]); of equal logits the first counts.

    For the signal-to-noise ratio, batches are of (outputs, labels), both [..., outputs]; it is finite always.
    """
    if metric == "snr":
        return _signal_to_noise(batches)
    total, count = 0.0, 0
    for logits, labels in batches:
        logits, labels = logits.flatten(0, -2), labels.flatten()
        seen = counted(labels)
        if metric != "bits":
            total += 100.0 * float((logits.argmax(dim=1) == labels)[seen].sum())
        else:
            nats = functional.cross_entropy(logits.double(), labels, ignore_index=IGNORED, reduction="sum")
            total += float(nats) / log(2)
        count += int(seen.sum())
    return total / count


def counted(labels: Tensor) -> Tensor:
    """Tell which labels [...], or [..., outputs] if they are reals, count: not those behind a sequence's end."""
    return ~labels[..., 0].isnan() if labels.is_floating_point() else labels != IGNORED


def _signal_to_noise(batches: Iterable[tuple[Tensor, Tensor]]) -> float:
    signal = noise = sys.float_info.min
    for outputs, labels in batches:
        seen = counted(labels)
        wanted = labels[seen].double()
        signal += float(wanted.square().sum())
        noise += float((outputs[seen].double() - wanted).square().sum())
    return 10 * (log10(signal) - log10(noise))
