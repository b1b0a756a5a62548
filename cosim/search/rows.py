"""The rows of a study's trials, finished or half-finished."""

from collections.abc import Iterator, Sequence

from gatewright.cosim.search.evaluation import Evaluation, Infeasible
from gatewright.cosim.search.records import Record, best
from gatewright.results import Row, score_row
from gatewright.sw.metrics import Metric
from gatewright.sw.search.space import Candidate

CYCLES, MACS = "cycles per step", "multiply-accumulates per step"
"""Units."""


def trial_rows(
    records: Sequence[Record],
    separate: tuple[Candidate, Evaluation | Infeasible] | None,
    reason: str,
    metric: Metric,
    seed: int,
) -> list[Row]:
    """Give the rows of a study.

    Parameters
    ----------
    records : sequence of Record
        All finished trials.
    separate : tuple, optional
        The combination of the separate optima, and what it was found to be.
    reason : str
        Why the study stopped; empty while it runs.
    metric : Metric
        The task's.
    seed : int
    """
    rows: list[Row] = []
    for each in records:
        at = {"trial": each.trial, "round": each.round, "candidate": each.candidate}
        rows += _found_rows("trial", each.found, at, metric, seed)
    for round in range(max((each.round for each in records), default=0)):
        target = best([each for each in records if each.round <= round])
        if target is not None and isinstance(target.found, Evaluation):
            at = {"round": round, "candidate": target.candidate}
            rows.append(Row("round_target", "points", target.found.reward, at, seed))
    if separate is not None:
        candidate, found = separate
        rows += _found_rows("separate_optima", found, {"candidate": candidate}, metric, seed)
    if reason:
        rows.append(Row("stopped", "reason", reason, {}, seed))
    return rows


def _found_rows(
    name: str, found: Evaluation | Infeasible, at: dict, metric: Metric, seed: int
) -> Iterator[Row]:
    if isinstance(found, Infeasible):
        yield Row(f"{name}_infeasible", "reason", found.reason, at, seed)
        return
    yield score_row(f"{name}_score", metric, found.score, at, seed)
    for what, unit, value in (
        ("cycles_predicted", CYCLES, found.cycles_predicted),
        ("cycles_measured", CYCLES, found.cycles_measured),
        ("stored_bits", "bits", found.stored_bits),
        ("macs", MACS, found.macs),
        ("reward", "points", found.reward),
        ("seconds", "seconds", found.seconds),
        ("integers_compared", "integers", found.integers_compared),
    ):
        if value is not None:
            yield Row(f"{name}_{what}", unit, value, at, seed)
