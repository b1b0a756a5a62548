"""Tables of the README: what searching finds, and how methods compare."""

from statistics import median

from source import fits, markdown, rows, value

from gatewright.cosim.search.pareto import pareto
from gatewright.results import Row


def _points(source: list[Row], kind: str) -> list[int]:
    return sorted(
        {row.parameters["point"] for row in source if fits(row, "point_cycles_measured", {"kind": kind})}
    )


def _point(source: list[Row], number: int) -> tuple[float, float, float, float]:
    """Give validation and test accuracy, cycles per step and stored bits of a point."""
    return (
        value(source, "point_accuracy", point=number, split="validation"),
        value(source, "point_accuracy", point=number, split="test"),
        value(source, "point_cycles_measured", point=number),
        value(source, "point_stored_bits", point=number),
    )


def front_table() -> str:
    """Give what no other of the search's final points beats, beside the uncompressed model."""
    source = rows("search-front")
    (whole,) = _points(source, "uncompressed")
    reference = _point(source, whole)
    found = [_point(source, number) for number in _points(source, "found")]
    kept = pareto([(-validation, cycles, bits) for validation, _, cycles, bits in found])
    front = sorted((found[k] for k in kept), key=lambda point: point[2])
    body = [
        (
            name,
            f"{validation:.2f} %",
            f"{test:.2f} %",
            f"{cycles:,.1f}",
            f"{reference[2] / cycles:.2f}",
            f"{bits:,.0f}",
            f"{reference[3] / bits:.2f}",
        )
        for name, points in (("uncompressed, 8 bits", [reference]), ("found", front))
        for validation, test, cycles, bits in points
    ]
    header = (
        "model",
        "validation",
        "test",
        "cycles per step",
        "times as fast",
        "stored bits",
        "times smaller",
    )
    return markdown(header, body)


def hardware_table() -> str:
    """Give the final front of a search that chose the accelerator's parallelism as well."""
    source = rows("hardware-front")
    body = []
    for number in _points(source, "found"):
        candidate = next(row.parameters["candidate"] for row in source if row.parameters["point"] == number)
        validation, test, cycles, bits = _point(source, number)
        rank = candidate["network.rank"]
        body.append(
            (
                f"{candidate['hardware.lanes']}",
                f"{candidate['hardware.cell_lanes']}",
                "full" if rank is None else f"{rank}",
                f"{validation:.2f} %",
                f"{test:.2f} %",
                f"{cycles:,.1f}",
                f"{bits:,.0f}",
            )
        )
    header = ("lanes", "cell lanes", "rank", "validation", "test", "cycles per step", "stored bits")
    return markdown(header, body)


def uniform_text() -> str:
    """Tell how many of the models set by hand the front dominates on the validation split."""
    source = rows("search-front")
    found = [_point(source, number) for number in _points(source, "found")]
    uniform = [_point(source, number) for number in _points(source, "uniform")]
    beaten = sum(any(f[0] >= u[0] and f[2] <= u[2] and f[3] <= u[3] for f in found) for u in uniform)
    compared, differing = (
        sum(int(row.value) for row in source if row.name == name)
        for name in ("point_integers_compared", "point_mismatches")
    )
    return (
        f"{beaten} of {len(uniform)} models set by hand (one rank and width for all) are no better than some point of "
        f"the front in accuracy, cycles or bits. {compared:,} integers compared on the RTL, {differing} mismatches; "
        "predicted and measured cycles are equal."
    )


def methods_table() -> str:
    """Give the best reward that each method reaches at equal budget."""
    source = rows("methods")
    body = []
    for method in dict.fromkeys(row.parameters["method"] for row in source):
        rewards, seconds = (
            [float(row.value) for row in source if row.name == name and row.parameters["method"] == method]
            for name in ("method_reward", "method_seconds")
        )
        body.append(
            (
                method,
                f"{median(rewards):.2f}",
                f"{min(rewards):.2f} to {max(rewards):.2f}",
                f"{median(seconds):.0f}",
            )
        )
    body.sort(key=lambda line: -float(line[1]))
    return markdown(
        ("method", "reward, median of 5 seeds", "range", "seconds of evaluation and training"), body
    )


def spaces_table() -> str:
    """Give the hypervolume of each space, by task."""
    source = rows("spaces")
    tasks = list(dict.fromkeys(row.parameters["task"] for row in source))
    body = []
    for space in dict.fromkeys(row.parameters["space"] for row in source):
        cells = []
        for task in tasks:
            volumes = [
                float(row.value) for row in source if fits(row, "hypervolume", {"space": space, "task": task})
            ]
            cells.append(f"{median(volumes):.3g} ({min(volumes):.3g} to {max(volumes):.3g})")
        body.append((space, *cells))
    return markdown(("chosen", *(f"{task}: hypervolume" for task in tasks)), body)


def proxies_table() -> str:
    """Give what a front is worth that was found by multiply-accumulates."""
    source = rows("proxies")
    body = [
        (
            scored,
            f"{value(source, 'proxy_hypervolume', scored_by=scored):.1f}",
            f"{100 * value(source, 'proxy_dominated', scored_by=scored):.0f} %",
        )
        for scored in ("cycles", "macs")
    ]
    return markdown(
        ("scored by", "hypervolume, measured cycles", "points that the other front dominates"), body
    )


def discretisation_table() -> str:
    """Give what discretising costs with and without entropy losses."""
    source = rows("discretisation")
    body = []
    for kept in dict.fromkeys(row.parameters["kept"] for row in source):
        of = next(row.parameters["of"] for row in source if row.parameters["kept"] == kept)
        losses = [
            median(
                float(row.value)
                for row in source
                if fits(row, "discretisation_loss", {"kept": kept, "entropy": entropy})
            )
            for entropy in (False, True)
        ]
        body.append((f"{kept} of {of}", *(f"{loss:.2f} points" for loss in losses)))
    return markdown(("components kept", "without entropy losses", "with"), body)


def thresholds_table() -> str:
    """Give the sparsities from which the sparse mode pays."""
    body = [
        (row.parameters["of"], row.parameters["shape"], row.parameters["by"], f"{100 * row.value:.0f} %")
        for row in rows("thresholds")
        if row.name == "threshold"
    ]
    return markdown(("zeros of", "model", "pays in", "from"), body)
