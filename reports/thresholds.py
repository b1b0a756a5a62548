"""Sweeps of sparsity in both modes, and the thresholds that were solved from them, read back from rows."""

from dataclasses import dataclass

from gatewright.results import Rows


@dataclass(frozen=True)
class Sweep:
    """What both modes cost over the share of zeros in weights or inputs of one shape.

    Parameters
    ----------
    of : str
        ``weights`` or ``inputs``.
    cost : str
        ``cycles`` per step, or stored ``bits``.
    shape : str
    curves : dict of list of (sparsity, cost)
        By mode, in order.
    threshold : float or None
        The share from which the sparse mode costs no more.
    """

    of: str
    cost: str
    shape: str
    curves: dict[str, list[tuple[float, float]]]
    threshold: float | None


@dataclass(frozen=True)
class Thresholds:
    """All sweeps, and the thresholds by (of, by, shape), where `by` may be both costs together."""

    sweeps: list[Sweep]
    solved: dict[tuple[str, str, str], float]


def read_thresholds(rows: Rows) -> Thresholds:
    """Take sweeps and thresholds out of rows."""
    solved = {
        key: values["threshold"] for key, values in rows.collect(["threshold"], "of", "by", "shape").items()
    }
    found: dict[tuple[str, str, str], dict[str, list[tuple[float, float]]]] = {}
    for cost in ("cycles", "bits"):
        name = f"sweep_{cost}"
        for key, values in rows.collect([name], "of", "shape", "mode", "sparsity").items():
            of, shape, mode, sparsity = key
            found.setdefault((of, cost, shape), {}).setdefault(mode, []).append((sparsity, values[name]))
    sweeps = [
        Sweep(*key, {mode: sorted(curve) for mode, curve in curves.items()}, solved.get(key))
        for key, curves in found.items()
    ]
    return Thresholds(sweeps, solved)
