"""Confusion matrices: which classes an integer model takes for which."""

from collections.abc import Mapping
from dataclasses import dataclass

from gatewright.results import Rows

Confusion = Mapping[tuple[str, str], float]
"""Positions by (class of the target, class that is predicted)."""


@dataclass(frozen=True)
class Line:
    """One class of targets.

    Parameters
    ----------
    name : str
    counts : list of float
        Positions by predicted class.
    """

    name: str
    counts: list[float]

    def shade(self, place: int) -> int:
        """Return how much of the class was predicted as another, in percent, for the cell's colour."""
        return round(100 * self.counts[place] / sum(self.counts)) if sum(self.counts) else 0


def read_confusion(rows: Rows) -> dict[tuple[str, str], float]:
    """Take the pairs of classes out of the rows of a model."""
    return {
        (target, predicted): count
        for count, target, predicted in rows.lines("confusion", "target_class", "predicted_class")
    }


def table_of(confusion: Confusion) -> list[Line]:
    """Return a line for each class, with as many counts, in the order of the classes' names, numbers by their value."""
    names = sorted({name for pair in confusion for name in pair}, key=_order)
    return [Line(name, [confusion.get((name, other), 0) for other in names]) for name in names]


def _order(name: str) -> tuple[int, float, str]:
    try:
        return 0, float(name), name
    except ValueError:
        return 1, 0.0, name
