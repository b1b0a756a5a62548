"""Labels of the accelerator's performance counters."""

from collections.abc import Collection

ACTIVITY = {"matrix": "matrix engine", "drain": "drain and cell unit"}
"""Counters of the cycles in which a unit works. Units overlap, so these are no parts of the total."""

WAITS = {
    "chain_wait": "matrix engine waits for a vector",
    "input_wait": "waiting for input",
    "output_wait": "waiting for output",
}
"""Counters of the cycles in which a unit waits."""

AHEAD = {"interlock": "next op not issued yet, as its data is in use"}
"""A counter that is no loss: ops issue in order, and the next one is looked at long before the data that it reads or
overwrites is free, while the units go on working. It is in tables, but not among what cycles are lost by."""

EVENTS = {
    "skipped": "column steps skipped as zero",
    "inputs": "elements of x",
    "zero_inputs": "elements of x that were zero",
}
"""Counters of events instead of cycles."""


def cycle_labels(names: Collection[str]) -> dict[str, str]:
    """Return the labels of counters of cycles, in the order of a table; unknown ones go last, by their own name."""
    known = ACTIVITY | WAITS | AHEAD
    return _among(known, names) | {name: name for name in names if name not in known | EVENTS}


def event_labels(names: Collection[str]) -> dict[str, str]:
    """Return the labels of counters of events, in the order of a table."""
    return _among(EVENTS, names)


def _among(labels: dict[str, str], names: Collection[str]) -> dict[str, str]:
    return {name: label for name, label in labels.items() if name in names}
