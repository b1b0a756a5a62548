"""What readers can point at in the figures of a study."""

from gatewright.reports.candidates import FOUND, UNCOMPRESSED, Point, Trial
from gatewright.reports.marks import Mark
from gatewright.reports.study import Study
from gatewright.reports.study_figures import LOOKS, rounds


def fronts_marks(study: Study) -> dict[str, list[Mark]]:
    """Return the marks of `study_figures.fronts_figure`."""
    marks: dict[str, list[Mark]] = {}
    for panel, cost in (("cycles", lambda each: each.measured), ("bits", lambda each: each.stored_bits)):
        for turn, (_, _, trials) in enumerate(rounds(study.trials)):
            marks[f"{panel}-trials-{turn}"] = [trial_mark(study, trial) for trial in trials]
        for kind in LOOKS:
            if points := sorted(study.of_kind(kind), key=cost):
                marks[f"{panel}-{kind}"] = [point_mark(study, point) for point in points]
    return marks


def parallel_marks(study: Study) -> dict[str, list[Mark]]:
    """Return the marks of `parallel.parallel_figure`: a line for each trial and each point."""
    lines = {f"trial-{trial.number}": [trial_mark(study, trial)] for trial in study.trials}
    return lines | {f"point-{point.name}": [point_mark(study, point)] for point in study.of_kind(FOUND)}


def point_mark(study: Study, point: Point) -> Mark:
    """Return what a finished point tells."""
    name = "uncompressed" if point.kind == UNCOMPRESSED else f"{LOOKS[point.kind]['label']} {point.name}"
    return _mark(
        study, name, point.kind, point.validation, point.measured, point.stored_bits, point.candidate
    )


def trial_mark(study: Study, trial: Trial) -> Mark:
    """Return what a trial tells."""
    name = f"trial {trial.number}"
    return _mark(study, name, "trial", trial.score, trial.cycles, trial.stored_bits, trial.candidate)


def _mark(
    study: Study, name: str, kind: str, score: float, cycles: float, bits: float, candidate: dict
) -> Mark:
    chosen = "; ".join(f"{key} {'whole' if value is None else value}" for key, value in candidate.items())
    title = f"{name}: {study.metric.title} {study.metric.show(score)}, {cycles:,.1f} cycles per step, {bits:,.0f} bits"
    values: dict[str, float | str] = {
        "kind": kind,
        "score": study.metric.quality(score),
        "cycles": cycles,
        "bits": bits,
    }
    return Mark(f"{title} ({chosen})" if chosen else title, values)
