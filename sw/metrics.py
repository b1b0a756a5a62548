"""The metrics that tasks are judged by."""

from typing import Literal

Metric = Literal["accuracy", "bits", "agreement", "snr"]
"""Percent of predictions that are correct, or the mean of ``-log2 p(label)``.

Where another model gives the labels: percent of predictions that agree with its own, or the signal-to-noise ratio of
outputs, its own taken as the signal.
"""

UNITS = {"accuracy": "percent", "bits": "bits", "agreement": "percent", "snr": "dB"}
"""The unit of each metric."""

IGNORED = -1
"""The label of a step behind a sequence's end."""


def quality(value: float, metric: Metric) -> float:
    """Give the metric so that more is better: fewer bits are."""
    return -value if metric == "bits" else value
