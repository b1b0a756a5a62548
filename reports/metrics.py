"""The metric that a run is judged by, as its rows tell it."""

from collections.abc import Iterable
from dataclasses import dataclass

from gatewright.results import Row


@dataclass(frozen=True)
class Metric:
    """What scores are measured by.

    Parameters
    ----------
    name : str
        As rows and commands spell it.
    unit : str
        Of its values; may be empty.
    more_is_better : bool
    """

    name: str
    unit: str
    more_is_better: bool

    @property
    def title(self) -> str:
        """The name for readers: of a user's own ``module:name`` the name alone."""
        return self.name.rpartition(":")[2]

    @property
    def digits(self) -> int:
        """Decimals that its values are shown with."""
        return 2 if self.unit in ("percent", "dB") else 4

    def quality(self, score: float) -> float:
        """Return a score so that more is better."""
        return score if self.more_is_better else -score

    def show(self, score: float | None, *, unit: bool = True) -> str:
        """Return a score as people read it, with its unit; a dash where there is none."""
        if score is None:
            return "–"
        text = f"{score:,.{self.digits}f}"
        return (
            f"{text}\N{NO-BREAK SPACE}{'%' if self.unit == 'percent' else self.unit}"
            if unit and self.unit
            else text
        )


UNKNOWN = Metric("score", "", True)
"""Of rows that hold no scores."""


def metric_of(rows: Iterable[Row]) -> Metric:
    """Return the metric of the first row that is a score; `UNKNOWN` if none is."""
    for row in rows:
        if "better" in row.parameters:
            return Metric(str(row.parameters.get("metric")), row.unit, row.parameters["better"] == "more")
    return UNKNOWN


def score_label(metric: Metric, split: str) -> str:
    """Name an axis of scores."""
    unit = f", {metric.unit}" if metric.unit and metric.unit != metric.title else ""
    return f"{split} {metric.title}{unit}{'' if metric.more_is_better else ', less is better'}"
