"""Comparisons read back from rows: what discretising costs, and fronts found by cycles or by a proxy."""

from dataclasses import dataclass, field
from statistics import median

from gatewright.results import Rows


@dataclass(frozen=True)
class Spread:
    """The same figure for several seeds."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """Middle value."""
        return median(self.values)

    @property
    def low(self) -> float:
        """Least value."""
        return min(self.values)

    @property
    def high(self) -> float:
        """Largest value."""
        return max(self.values)


@dataclass(frozen=True)
class Discretisation:
    """Losses by discretisation, all by (kept, of) and whether the entropy losses were on.

    Parameters
    ----------
    losses : dict of Spread
        Score of the super network minus that behind discretisation, without retraining.
    before, after : dict of Spread
        Those two scores.
    progress : dict of list of (epoch, value)
        By (entropy, kept, of, what): the entropy of operations or of edges, or the score; means over the seeds.
    baselines : dict of dict of Spread
        Losses where the components are kept in another way, by that way; none in older rows.
    """

    losses: dict[tuple[int, int, bool], Spread]
    before: dict[tuple[int, int, bool], Spread]
    after: dict[tuple[int, int, bool], Spread]
    progress: dict[tuple[bool, int, int, str], list[tuple[float, float]]]
    baselines: dict[str, dict[tuple[int, int, bool], Spread]] = field(default_factory=dict)


Front = list[tuple[float, float]]
"""Cycles and scores of its points, from few to many cycles."""


def read_fronts(rows: Rows) -> dict[str, dict[str, Front]]:
    """Give the fronts of each case, with its accelerator, by the cost that they were found by."""
    score, cycles = "latency_point_score", "latency_point_cycles"
    fronts: dict[str, dict[str, Front]] = {}
    points = rows.collect([score, cycles], "cause", "lanes", "cell_lanes", "scored_by", "point")
    for (cause, lanes, cell_lanes, cost, _), values in points.items():
        name = f"{cause}: {lanes:g} lanes, {cell_lanes:g} cell lane{'s' if cell_lanes > 1 else ''}"
        fronts.setdefault(name, {}).setdefault(cost, []).append((values[cycles], values[score]))
    return {
        name: {cost: sorted(front) for cost, front in by_cost.items()} for name, by_cost in fronts.items()
    }


def read_discretisation(rows: Rows) -> Discretisation:
    """Take the losses by discretisation, and how the entropies fell, out of rows."""
    progress: dict[tuple[bool, int, int, str], dict[float, list[float]]] = {}
    for value, entropy, kept, of, what, epoch in rows.lines(
        "entropy_progress", "entropy", "kept", "components", "what", "epoch"
    ):
        progress.setdefault((entropy, int(kept), int(of), what), {}).setdefault(epoch, []).append(value)
    return Discretisation(
        _spreads(rows, "discretisation_loss"),
        _spreads(rows, "super_score"),
        _spreads(rows, "discretised_score"),
        {
            key: [(epoch, sum(values) / len(values)) for epoch, values in sorted(curve.items())]
            for key, curve in progress.items()
        },
        {
            how: _spreads(rows.where("baseline_loss", how=how), "baseline_loss")
            for how in rows.where("baseline_loss").distinct("how")
        },
    )


def _spreads(rows: Rows, name: str) -> dict[tuple[int, int, bool], Spread]:
    found: dict[tuple[int, int, bool], list[float]] = {}
    for value, kept, of, entropy in rows.lines(name, "kept", "components", "entropy"):
        found.setdefault((int(kept), int(of), entropy), []).append(value)
    return {key: Spread(tuple(values)) for key, values in sorted(found.items())}
