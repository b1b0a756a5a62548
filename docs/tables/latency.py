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


def latency_text() -> str:
    """Say how much is lost at the most, and what cell lanes change that multiply-accumulates do not see."""
    source = rows("latency")
    lost, worst = (max(source.all(f"latency_{name}")) for name in ("lost", "worst"))
    one, more = (
        min(source.all("latency_point_cycles", cause=cause, lanes=32, scored_by="cycles"))
        for cause in ("drain of one cell lane", "low rank")
    )
    return (
        f"Most points are on both fronts, so that at most {100 * lost:.1f} % of a volume is lost; but at a single "
        f"score the fewest MACs may take {worst:.2f} times the fewest cycles. With eight cell lanes in place of one "
        f"the fastest low-rank candidate of 32 lanes takes {more:.0f} cycles per step, not {one:.0f}, at the same MACs."
        " In the figure a square covers a circle where both fronts have the same point."
    )


def latency_fronts() -> tuple[dict[str, dict[str, Front]], Metric]:
    """Return the fronts of each case by the cost that they were found by, and the metric of their scores."""
    source = rows("latency")
    return read_fronts(source), metric_of(source)
