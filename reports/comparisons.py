"""Comparisons of ways to search, read back from rows: methods, spaces, proxies, losses by discretisation."""

from dataclasses import dataclass, field
from itertools import permutations
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
class Method:
    """What one method reached.

    Parameters
    ----------
    progress : dict of Spread
        Best reward so far by number of trials, in order.
    rewards : dict of float
        Final reward by seed.
    """

    progress: dict[int, Spread]
    rewards: dict[int | None, float]

    @property
    def final(self) -> Spread | None:
        """Final rewards of all seeds."""
        return Spread(tuple(self.rewards.values())) if self.rewards else None


@dataclass(frozen=True)
class Duels:
    """How often a method's final reward was above, below and equal to another's with the same seed."""

    wins: int
    losses: int
    ties: int


@dataclass(frozen=True)
class ProxyPoint:
    """A point of a front: the score, and measured cycles per step."""

    score: float
    cycles: float


@dataclass(frozen=True)
class Proxy:
    """The front that was found by a cost, in measured cycles.

    Parameters
    ----------
    points : list of ProxyPoint
        From few to many cycles.
    hypervolume : float or None
        That it dominates.
    dominated : float or None
        Share of its points that another cost's front dominates.
    """

    points: list[ProxyPoint]
    hypervolume: float | None
    dominated: float | None


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


def read_methods(rows: Rows) -> dict[str, Method]:
    """Take the methods' results out of rows."""
    progress: dict[str, dict[int, list[float]]] = {}
    for value, method, trials in rows.lines("method_progress", "method", "trials"):
        progress.setdefault(method, {}).setdefault(int(trials), []).append(value)
    rewards: dict[str, dict[int | None, float]] = {}
    for value, method, seed in rows.lines("method_reward", "method", "seed"):
        rewards.setdefault(method, {})[seed] = value
    return {
        name: Method(
            {count: Spread(tuple(values)) for count, values in sorted(progress.get(name, {}).items())},
            rewards.get(name, {}),
        )
        for name in dict.fromkeys([*progress, *rewards])
    }


def duels(methods: dict[str, Method]) -> dict[str, Duels]:
    """Hold every method against every other, seed by seed."""
    found = {name: [0, 0, 0] for name in methods}
    for (name, one), (_, other) in permutations(methods.items(), 2):
        for seed in one.rewards.keys() & other.rewards.keys():
            difference = one.rewards[seed] - other.rewards[seed]
            found[name][0 if difference > 0 else 1 if difference < 0 else 2] += 1
    return {name: Duels(*counts) for name, counts in found.items()}


def read_spaces(rows: Rows) -> dict[str, dict[str, Spread]]:
    """Give the hypervolumes of all seeds by task and space."""
    found: dict[str, dict[str, list[float]]] = {}
    for value, task, space in rows.lines("hypervolume", "task", "space"):
        found.setdefault(task, {}).setdefault(space, []).append(value)
    return {
        task: {space: Spread(tuple(values)) for space, values in spaces.items()}
        for task, spaces in found.items()
    }


def read_proxies(rows: Rows) -> dict[str, Proxy]:
    """Give the front that was found by each cost."""
    score, cycles = "proxy_point_score", "proxy_point_cycles"
    fronts: dict[str, list[ProxyPoint]] = {}
    for (cost, _), values in rows.collect([score, cycles], "scored_by", "point").items():
        if len(values) == 2:
            fronts.setdefault(cost, []).append(ProxyPoint(values[score], values[cycles]))
    whole = rows.collect(["proxy_hypervolume", "proxy_dominated"], "scored_by")
    return {
        cost: Proxy(
            sorted(points, key=lambda point: point.cycles),
            whole.get((cost,), {}).get("proxy_hypervolume"),
            whole.get((cost,), {}).get("proxy_dominated"),
        )
        for cost, points in fronts.items()
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
