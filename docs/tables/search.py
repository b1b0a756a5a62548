"""What searching finds, and how methods compare."""

from statistics import median

from source import markdown, rows

from gatewright.benchmarks.studies import LEAST
from gatewright.cosim.search.pareto import pareto
from gatewright.results import Rows


def _points(source: Rows, kind: str) -> list:
    return source.where("point_cycles_measured", kind=kind).distinct("model")


def _point(source: Rows, name) -> tuple[float, float, float, float]:
    """Return validation and test accuracy, cycles per step and stored bits of a point."""
    return (
        source.figure("point_score", model=name, split="validation"),
        source.figure("point_score", model=name, split="test"),
        source.figure("point_cycles_measured", model=name),
        source.figure("point_stored_bits", model=name),
    )


def front_table() -> str:
    """Return what no other of the search's final points beats, beside the uncompressed model."""
    source = rows("search-front")
    (whole,) = _points(source, "uncompressed")
    reference = _point(source, whole)
    found = [_point(source, name) for name in _points(source, "found")]
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
    """Return the final front of a search that chose the accelerator's parallelism as well."""
    source = rows("hardware-front")
    body = []
    for name in _points(source, "found"):
        candidate = source.where(model=name)[0].parameters["candidate"]
        validation, test, cycles, bits = _point(source, name)
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


def studies_table(study: str) -> str:
    """Return the models that a search found beside those that were quantised by hand."""
    source = rows("studies").where(study=study)
    body = []
    for kind in ("by hand", "found"):
        for model in source.where(kind=kind).distinct("model"):
            of = source.where(kind=kind, model=model)
            scores = [of.figure("score", split=split) for split in ("validation", "test")]
            cycles, bits = of.figure("cycles_predicted_per_step"), of.figure("stored_bits")
            body.append((kind, model, *(f"{each:.4g}" for each in scores), f"{cycles:,.1f}", f"{bits:,}"))
    metric = source.where("score")[0].parameters["metric"]
    return markdown(
        ("", "model", f"validation {metric}", f"test {metric}", "cycles per step", "stored bits"), body
    )


def studies_text(study: str) -> str:
    """Say how the points that a search found stand beside the models set by hand, and what was proven of them."""
    source = rows("studies").where(study=study)
    found = source.where(kind="found")
    sign = 1 if source.where("score")[0].parameters["better"] == "more" else -1
    taken = {name: found.figure("cycles_predicted_per_step", model=name) for name in found.distinct("model")}
    strict, tied = [], []
    for model in source.where(kind="by hand").distinct("model"):
        of = source.where(kind="by hand", model=model)
        wanted, cycles = of.figure("score", split="test"), of.figure("cycles_predicted_per_step")
        above = {name: sign * (found.figure("score", model=name, split="test") - wanted) for name in taken}
        most = {name: found.figure("quality_above_high", model=name, of=model) for name in taken}
        for told, margins in ((strict, above), (tied, most)):
            equal = [taken[name] for name, margin in margins.items() if margin >= 0]
            told.append(
                f"{model}, {cycles / min(equal):.2g} times" if equal else f"{model}, no point as good"
            )
    compared, differing = sum(found.all("integers_compared")), sum(found.all("mismatches"))
    return (
        f"The search aimed at 1/{LEAST} of the cycles and bits of 8 bits by hand. Fewer cycles than each model by hand "
        f"takes, at no worse a test score: {'; '.join(strict)}. At one that is no worse, or that the 95 % interval of "
        f"the difference does not tell apart: {'; '.join(tied)}. The RTL of the points: {compared:,.0f} integers "
        f"compared, {differing:.0f} mismatches."
    )


def uniform_text() -> str:
    """Say how many of the models set by hand the front dominates on the validation split."""
    source = rows("search-front")
    found = [_point(source, name) for name in _points(source, "found")]
    uniform = [_point(source, name) for name in _points(source, "uniform")]
    beaten = sum(any(f[0] >= u[0] and f[2] <= u[2] and f[3] <= u[3] for f in found) for u in uniform)
    compared, differing = (sum(source.all(name)) for name in ("point_integers_compared", "point_mismatches"))
    return (
        f"{beaten} of {len(uniform)} models set by hand (one rank and width for all) are no better than some point of "
        f"the front in accuracy, cycles or bits. {compared:,} integers compared on the RTL, {differing} mismatches; "
        "predicted and measured cycles are equal."
    )


def discretisation_table() -> str:
    """Return what discretising costs with and without entropy losses."""
    source = rows("discretisation")
    baselines = source.where("baseline_loss").distinct("how")
    body = []
    for kept in source.distinct("kept"):
        (components,) = source.where("discretisation_loss", kept=kept).distinct("components")
        losses = [
            median(source.all("discretisation_loss", kept=kept, entropy=entropy)) for entropy in (False, True)
        ]
        losses += [
            median(source.all("baseline_loss", kept=kept, entropy=False, how=how)) for how in baselines
        ]
        body.append((f"{kept} of {components}", *(f"{loss:.2f} points" for loss in losses)))
    header = (
        "components kept",
        "without entropy losses",
        "with",
        *(f"without, by {how}" for how in baselines),
    )
    return markdown(header, body)
