"""What choosing by multiply-accumulates loses against choosing by cycles."""

from source import markdown, rows

from gatewright.reports.comparisons import Front, read_fronts
from gatewright.reports.metrics import Metric, metric_of

_AT = ("cause", "lanes", "cell_lanes", "candidates")


def latency_table() -> str:
    """Return what each case loses, the least first."""
    source = rows("latency")
    body = []
    for tau, cause, lanes, cell_lanes, candidates in source.lines("latency_correlation", *_AT):
        of = source.where(cause=cause, lanes=lanes, cell_lanes=cell_lanes)
        lost, worst = of.figure("latency_lost"), of.figure("latency_worst")
        told = cause, f"{lanes:.0f}", f"{cell_lanes:.0f}", f"{candidates:.0f}", f"{tau:.2f}"
        body.append((worst, (*told, f"{100 * lost:.1f} %", f"{worst:.2f} times")))
    header = (
        "cause",
        "lanes",
        "cell lanes",
        "candidates",
        "Kendall's τ-b of cycles and MACs",
        "volume that MACs lose",
        "at most, at an equal score, as many cycles",
    )
    return markdown(header, [line for _, line in sorted(body)])


def latency_fronts() -> tuple[dict[str, dict[str, Front]], Metric]:
    """Return the fronts of each case by the cost that they were found by, and the metric of their scores."""
    source = rows("latency")
    return read_fronts(source), metric_of(source)
