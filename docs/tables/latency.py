"""What choosing by multiply-accumulates loses against choosing by cycles."""

from source import markdown, rows

from gatewright.reports.comparisons import Front, read_fronts
from gatewright.reports.metrics import Metric, metric_of
from gatewright.results import Rows

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
    """Say what both fronts share, what is lost at the most, and what cell lanes change that MACs do not see."""
    source = rows("latency")
    fronts = read_fronts(source).values()
    points = sum(len(front["cycles"]) for front in fronts)
    shared = sum(len({*front["cycles"]} & {*front["macs"]}) for front in fronts)
    lost, cause = max(source.lines("latency_lost", "cause"))
    worst = max(source.all("latency_worst"))
    one, macs_of_one = _fastest(source, "drain of one cell lane")
    more, macs_of_more = _fastest(source, "low rank")
    return (
        f"Of {points} points of the fronts by cycles, {shared} are on those by MACs too. MACs lose most with {cause}: "
        f"{100 * lost:.1f} % of the volume; and at a single score the fewest MACs may take {worst:.2f} times the "
        f"fewest cycles. With eight cell lanes the fastest low-rank candidate of 32 lanes takes {more:.0f} cycles per "
        f"step at {macs_of_more:,.0f} MACs, with one {one:.0f} at {macs_of_one:,.0f}. In the figure a square covers a "
        "circle where both fronts have the same point."
    )


def _fastest(source: Rows, cause: str) -> tuple[float, float]:
    """Return the fewest cycles of a cause on 32 lanes, and the multiply-accumulates of that candidate."""
    of = source.where(cause=cause, lanes=32, scored_by="cycles")
    return min(zip(of.all("latency_point_cycles"), of.all("latency_point_macs"), strict=True))


def latency_fronts() -> tuple[dict[str, dict[str, Front]], Metric]:
    """Return the fronts of each case by the cost that they were found by, and the metric of their scores."""
    source = rows("latency")
    return read_fronts(source), metric_of(source)
