"""The metrics that tasks are judged by."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from gatewright.reports.table import Table


@dataclass(frozen=True)
class Metric:
    """The metric that the task is judged by."""

    name: str
    unit: str
    sign: int

    def quality(self, score: float) -> float:
        """Give a score so that more is better."""
        return self.sign * score


METRICS = {
    "accuracy": Metric("accuracy", "percent", 1),
    "agreement": Metric("agreement", "percent", 1),
    "snr": Metric("snr", "dB", 1),
    "bits": Metric("bits", "bits", -1),
}
"""The metrics of tasks, by name."""


def metric_of(tables: Iterable[Table], owners: Collection[str]) -> Metric:
    """Tell the task's metric by the names of the rows: those of an owner and a metric; accuracy if there are none."""
    names = {row.name for table in tables for row in table.rows}
    for name, metric in METRICS.items():
        if any(f"{owner}_{name}" in names for owner in owners):
            return metric
    return METRICS["accuracy"]


def score_label(metric: Metric, split: str) -> str:
    """Name an axis of scores."""
    return f"{split} {metric.name}, " + (metric.unit if metric.sign > 0 else "fewer is better")
