"""How the search stands against strong opponents, what methods miss of a known space, and whether narrowing helps."""

from statistics import mean, median

from source import markdown, rows, rows_of_part

from gatewright.benchmarks import SEEDS
from gatewright.benchmarks.opponents.rows import QUICK, TEST, ratios
from gatewright.benchmarks.opponents.scale import Scale
from gatewright.reports.metrics import metric_of
from gatewright.results import Rows

FEWEST = 3
"""Seeds from which an interval says something."""


def opponents_table(task: str) -> str:
    """Return each method's volume, and by how many times the default method's is larger, the best method first.

    Beside it stands the volume by the quick scores that methods search by: what the search finds, before training.
    """
    source = rows_of_part(f"opponents-{task}")
    volumes = {
        method: {row.seed: row.value for row in source.where("hypervolume", method=method, split=TEST)}
        for method in source.distinct("method")
    }
    intervals, body = ratios(volumes), []
    for method, found in volumes.items():
        ratio = intervals.get(method)
        told = f"{ratio.mean:.2f}" if ratio else "–"
        if ratio and len(found) >= FEWEST:
            told = f"{told} ({ratio.low:.2f} to {ratio.high:.2f})"
        candidates, seconds = (
            mean(source.all(name, method=method)) for name in ("candidates", "method_seconds")
        )
        quick = source.all("hypervolume", method=method, split=QUICK)
        searched = f"{mean(quick):#.4g}" if quick else "–"
        body.append((mean(found.values()), method, told, searched, f"{candidates:.0f}", f"{seconds:,.0f}"))
    header = (
        "method",
        "volume",
        "default method's, times as large",
        "volume by quick scores",
        "candidates",
        "seconds",
    )
    ordered = sorted(body, key=lambda line: -line[0])
    return markdown(header, [(method, f"{volume:#.4g}", *rest) for volume, method, *rest in ordered])


def opponents_text(task: str, scale: Scale) -> str:
    """Say what float models score, which points count, what any choice could reach, and how the grid's points stand."""
    source = rows_of_part(f"opponents-{task}")
    measured = {row.seed for row in source.where("pooled_hypervolume")}
    first = source.where("float_score")[0].parameters
    named = {"split": TEST, "metric": first["metric"], "better": first["better"]}
    plain, longer = (mean(source.all(name, **named)) for name in ("float_score", "longer_float_score"))
    pooled = mean(source.all("pooled_hypervolume"))
    best = max(mean(source.all("hypervolume", method=each, split=TEST)) for each in source.distinct("method"))
    bound = (
        f"The points of all methods together reach {pooled:#.4g}, {pooled / best:.2f} times the best method's volume: "
        "no choice among the trained models reaches more."
    )
    gains = {of: source.all("grid_gain", of=of) for of in ("cycles", "stored bits")}
    told = (
        f"Float models: {plain:.4g} on the test split, {longer:.4g} with the epochs of compression too. "
        f"{_counted(source, scale)} {bound}"
    )
    if missing := [seed for seed in SEEDS if seed not in measured]:
        told = f"{told} Not measured: seeds {', '.join(map(str, missing))} of {len(SEEDS)}."
    if not all(gains.values()):
        return f"{told} No point of ours scores as well as the recommended one of the grid by hand."
    taken = " and ".join(f"{median(values):.2f} times the {of}" for of, values in gains.items())
    return (
        f"{told} The grid by hand takes, at an equal score, {taken} (median; of {len(measured)} seeds, "
        f"{len(gains['cycles'])} gave points of ours that score as well)."
    )


def _counted(source: Rows, scale: Scale) -> str:
    """Say how many of the trained points score well enough for a volume."""
    points = source.where("opponent_point_score", split=TEST)
    metric = metric_of(points)
    best = {row.seed: metric.quality(row.value) for row in source.where("longer_float_score", split=TEST)}
    near = sum(best[row.seed] - metric.quality(row.value) <= scale.below for row in points)
    unit = "points" if metric.unit == "percent" else metric.unit
    told = (
        f"At most {scale.points} points of a method are trained in full; {near} of all {len(points)} come within "
        f"{scale.below:g} {unit} of the longer float model, and only those have volume."
    )
    quick = source.all("hypervolume", split=QUICK)
    if blind := sum(volume == 0 for volume in quick):
        told = f"{told} By quick scores {blind} of {len(quick)} fronts have none: there they say little."
    return told


def regret_table() -> str:
    """Return what methods miss of the true hypervolume, the least first."""
    source = rows("regret")
    body = []
    for method in source.distinct("method"):
        shares = source.all("regret", method=method)
        body.append((median(shares), method, f"{100 * min(shares):.1f} to {100 * max(shares):.1f} %"))
    ((trials, candidates),) = {
        (row.parameters["trials"], row.parameters["candidates"]) for row in source.where("regret")
    }
    header = (f"method, {trials} of {candidates:,} candidates", "regret, median", "range")
    return markdown(header, [(name, f"{100 * middle:.1f} %", span) for middle, name, span in sorted(body)])


def narrowing_text() -> str:
    """Say how the volumes of whole ranges stand beside those of ranges that narrow."""
    source = rows("narrowing")
    whole, narrowed = (
        source.all("hypervolume", method=method, split=TEST) for method in ("whole ranges", "narrowed ranges")
    )
    ratio, low, high = (source.figure(f"hypervolume_ratio{end}") for end in ("", "_low", "_high"))
    return (
        f"Whole ranges reach {mean(whole):.1f}, narrowed ones {mean(narrowed):.1f}: whole ones {ratio:.2f} times as "
        f"much ({low:.2f} to {high:.2f}, {len(whole)} seeds)."
    )
