"""Ops as loops with initiation interval 1, as reports of high-level synthesis show them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gatewright.hw.compiler.image import Compiled
from gatewright.hw.cycles.latencies import depth
from gatewright.hw.cycles.model import OpTime, column_words
from gatewright.hw.ops import Op, Opcode

UNITS = {
    Opcode.INPUT: "input",
    Opcode.MATVEC: "matrix",
    Opcode.CELL: "drain",
    Opcode.REDUCE: "drain",
    Opcode.OUTPUT: "output",
}
"""The unit that executes each op."""

INITIATION_INTERVAL = 1
"""Cycles from one trip of a loop to the next."""


@dataclass(frozen=True)
class Loop:
    """One op in the steady state, or in the step in which it runs.

    Parameters
    ----------
    op : int
        Its place in the program.
    name : str
        What it works on: ``layer0.recurrent``, ``head``; empty in files of older releases.
    opcode, when, unit : str
    trips : int
        Iterations: elements; words of all column steps; groups; or values.
    columns : int
        Column steps of a ``MATVEC``; 0 for other ops.
    depth : int
        Pipeline latency: cycles from the issue to the first result, if the op waits for nothing.
    start : int
        Cycle of its issue, from the issue of its step's first op on.
    latency : int
        Cycles from the issue to the end of its work, waits included; 0 without work.
    overlap : float
        Share of the cycles from its first to its last work in which other units are at work, 0 to 1.
    """

    op: int
    name: str
    opcode: str
    when: str
    unit: str
    trips: int
    columns: int
    depth: int
    start: int
    latency: int
    overlap: float
    interval: int = INITIATION_INTERVAL


def loops_of(
    compiled: Compiled, timeline: Sequence[OpTime], begins: Sequence[int], middle: int
) -> list[Loop]:
    """Return the ops that ever run, in program order.

    Parameters
    ----------
    compiled : Compiled
    timeline : sequence of OpTime
        A job of some steps.
    begins : sequence of int
        The issue of each step's first op.
    middle : int
        The step that stands for the steady state; an op that does not run there is shown as in the step next to it.
    """
    loops = []
    for number, op in enumerate(compiled.image.program):
        runs = [each for each in timeline if each.op == number]
        if not runs:
            continue
        shown = min(runs, key=lambda each: abs(each.step - middle))
        unit = UNITS[op.opcode]
        others = [
            (each.first, each.last)
            for each in timeline
            if each.first and UNITS[compiled.image.program[each.op].opcode] != unit
        ]
        loops.append(
            Loop(
                op=number,
                name=op.name,
                opcode=op.opcode.name,
                when=op.when.name,
                unit=unit,
                trips=_trips(op, compiled),
                columns=op.arguments.get("columns", 0),
                depth=depth(op, compiled.config),
                start=shown.issue - begins[shown.step],
                latency=shown.last - shown.issue if shown.first else 0,
                overlap=_overlap(shown, others),
            )
        )
    return loops


def _trips(op: Op, compiled: Compiled) -> int:
    if op.opcode == Opcode.MATVEC:
        return int(column_words(op.arguments, compiled.image).sum())
    return op.arguments["groups" if op.opcode == Opcode.CELL else "count"]


def _overlap(shown: OpTime, others: Iterable[tuple[int, int]]) -> float:
    """Give the share of an op's cycles that lie in any of some spans."""
    if not shown.first:
        return 0.0
    covered, end = 0, shown.first - 1
    for first, last in sorted(others):
        first, last = max(first, end + 1), min(last, shown.last)
        if first <= last:
            covered += last - first + 1
            end = last
    return covered / (shown.last - shown.first + 1)
