"""The rows of a comparison: volumes, points, paired ratios, and points against the grid by hand."""

from collections.abc import Iterator, Mapping
from typing import Any

from gatewright.benchmarks.opponents.arena import OURS
from gatewright.benchmarks.opponents.intervals import Interval, paired_ratio
from gatewright.benchmarks.opponents.parts import Part
from gatewright.benchmarks.opponents.scale import Scale
from gatewright.results import Row, score_row
from gatewright.sw.tasks import Task

GRID = "grid by hand"
QUICK, TEST = "validation part", "test"
"""What volumes are of: candidates as they are cut out of the super network, and points that were trained in full."""

Found = Mapping[tuple[int, str], Part]
"""Parts by seed and method."""


def rows_of(
    task: Task,
    scale: Scale,
    notes: Mapping[int, Mapping[str, Any]],
    found: Found,
    pooled: Mapping[int, float],
) -> list[Row]:
    """Return the rows of one task.

    Parameters
    ----------
    task : Task
    scale : Scale
    notes : mapping
        `Problem.notes` by seed.
    found : mapping of Part
    pooled : mapping of float
        The hypervolume of all methods' points together, by seed.

    Returns
    -------
    list of Row
        ``float_score`` and ``longer_float_score``; of every part ``hypervolume`` (``split`` says of what),
        ``candidates``, ``method_seconds`` and its points; ``pooled_hypervolume``; ``hypervolume_ratio`` of the default
        method to each other one with the ends of its interval; and for each seed ``grid_gain`` in cycles and in bits.
    """
    rows: list[Row] = []
    for seed, told in notes.items():
        for name in ("float_score", "longer_float_score"):
            rows += [
                score_row(name, task.metric, value, {"task": task.name, "split": split}, seed)
                for split, value in told[name].items()
            ]
    for (seed, method), part in found.items():
        rows += _part_rows(task, seed, {"task": task.name, "method": method}, part)
    unit = _unit(task)
    for seed, volume in pooled.items():
        rows.append(Row("pooled_hypervolume", unit, volume, {"task": task.name, "split": TEST}, seed))
    volumes: dict[str, dict[int, float]] = {}
    for (seed, method), part in found.items():
        volumes.setdefault(method, {})[seed] = part.volume
    for method, interval in ratios(volumes).items():
        rows += _ratio_rows({"task": task.name, "method": method, "seeds": [*notes], "split": TEST}, interval)
    if {OURS, GRID} <= volumes.keys():
        for seed in notes:
            rows += _gains(task, seed, found[seed, OURS], found[seed, GRID], scale.equal)
    return rows


def ratios(volumes: Mapping[str, Mapping[int, float]]) -> dict[str, Interval]:
    """Return by how many times the default method's volumes are larger than each other method's, paired over the seeds.

    Parameters
    ----------
    volumes : mapping of mapping of float
        By method and seed.

    Returns
    -------
    dict of Interval
        By method; without those that have no `paired_ratio`.
    """
    ours, found = volumes.get(OURS, {}), {}
    for method, others in volumes.items():
        seeds = [seed for seed in ours if seed in others]
        interval = paired_ratio([ours[seed] for seed in seeds], [others[seed] for seed in seeds])
        if method != OURS and interval is not None:
            found[method] = interval
    return found


def _unit(task: Task) -> str:
    return f"{task.metric.unit} octaves²"


def _part_rows(task: Task, seed: int, at: dict, part: Part) -> Iterator[Row]:
    unit = _unit(task)
    yield Row("hypervolume", unit, part.volume, at | {"split": TEST}, seed)
    if part.quick_volume is not None:
        yield Row("hypervolume", unit, part.quick_volume, at | {"split": QUICK}, seed)
    yield Row("candidates", "candidates", part.candidates, at, seed)
    yield Row("method_seconds", "seconds", part.seconds + part.training_seconds, at, seed)
    for number, point in enumerate(part.points):
        here = at | {"point": number}
        yield score_row("opponent_point_score", task.metric, point["score"], here | {"split": TEST}, seed)
        yield Row("opponent_point_cycles", "cycles per step", point["cycles"], here, seed)
        yield Row("opponent_point_stored_bits", "bits", point["stored_bits"], here, seed)


def _ratio_rows(at: dict, interval: Interval) -> Iterator[Row]:
    for name, value in zip(Interval._fields, interval, strict=True):
        suffix = "" if name == "mean" else f"_{name}"
        yield Row(f"hypervolume_ratio{suffix}", "times", value, at)


def _gains(task: Task, seed: int, ours: Part, grid: Part, equal: float) -> Iterator[Row]:
    """Hold the grid's recommended point against a point of ours that scores as well.

    Of several that do, the one with the largest gain, in the smaller of the two.
    """
    if not grid.points:
        return
    point = grid.points[0]
    as_good = [each for each in ours.points if each["quality"] >= point["quality"] - equal]
    gains = [[point[what] / each[what] for what in ("cycles", "stored_bits")] for each in as_good]
    if gains:
        for of, value in zip(("cycles", "stored bits"), max(gains, key=min), strict=True):
            yield Row("grid_gain", "times", value, {"task": task.name, "of": of}, seed)
