"""What a model takes on an accelerator, as a report in the style of high-level synthesis.

Every op is a loop with initiation interval 1: trip counts, depth of the pipeline, latency, and how much of it other
loops hide. Cycles come from the exact cycle model, resources from `gatewright.hw.area`.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gatewright.hw.area.estimate import estimate_resources
from gatewright.hw.area.resources import Resources
from gatewright.hw.compiler.image import Compiled
from gatewright.hw.compiler.modes import Modes
from gatewright.hw.cycles.ideal import column_cycles
from gatewright.hw.cycles.latencies import depth
from gatewright.hw.cycles.model import OpTime, Prediction, column_words, predict
from gatewright.hw.ops import Op, Opcode
from gatewright.hw.skipping import WHOLE, Skip

UNITS = {
    Opcode.INPUT: "input",
    Opcode.MATVEC: "matrix",
    Opcode.CELL: "drain",
    Opcode.REDUCE: "drain",
    Opcode.OUTPUT: "output",
}
"""The unit that executes each op."""

_STEPS = 24
"""Steps of the job whose middle stands for the steady state, in which buffers alternate from step to step."""

_MIDDLE = _STEPS // 2

INITIATION_INTERVAL = 1
"""Cycles from one trip of a loop to the next."""


@dataclass(frozen=True)
class Loop:
    """One op in the steady state, or in the step in which it runs.

    Parameters
    ----------
    op : int
        Its place in the program.
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


@dataclass(frozen=True)
class Estimate:
    """The report.

    Parameters
    ----------
    loops : list of Loop
        In program order, without ops that never run.
    cycles_per_step : float
        In the steady state: a multiple of one half.
    first_overhead, last_overhead : float
        Cycles that the job takes beyond `cycles_per_step` for each step, until its last step begins and from there on.
    steps, cycles : int
        A job of this many steps from a fresh state, and its cycles.
    busy : float
        Share of these cycles that lanes which never idle would take for the job's products with true non-zero weights.
    resources : Resources
    modes : Modes
        Forms of the matrices, and when zero activations are skipped.
    """

    loops: list[Loop]
    cycles_per_step: float
    first_overhead: float
    last_overhead: float
    steps: int
    cycles: int
    busy: float
    resources: Resources
    modes: Modes

    def to_json(self) -> dict:
        """Give the report as plain JSON values."""
        return dataclasses.asdict(self)

    def text(self) -> str:
        """Give the report as plain text."""
        names = ("op", "opcode", "when", "trips", "columns", "II", "depth", "start", "latency", "overlap")
        rows = [
            (
                loop.op,
                loop.opcode,
                loop.when,
                loop.trips,
                loop.columns or "-",
                loop.interval,
                loop.depth,
                loop.start,
                loop.latency,
                f"{loop.overlap:.0%}",
            )
            for loop in self.loops
        ]
        lines = _table([names, *rows])
        lines += [
            "",
            f"cycles per step (steady state)  {self.cycles_per_step:g}",
            f"beyond that, first and last     {self.first_overhead:g}, {self.last_overhead:g}",
            f"cycles of {self.steps} steps".ljust(32) + f"{self.cycles}",
            f"busy on true non-zeros          {self.busy:.1%}",
            *_told(self.modes),
            "",
            *_table(self.resources.table(), left=1),
        ]
        return "\n".join(lines)


def estimate(compiled: Compiled, steps: int = 50) -> Estimate:
    """Estimate a compiled model, for a job of a number of steps whose zeros are not skipped.

    Raises
    ------
    DataError
        There are no steps.
    """
    prediction = predict(compiled, _STEPS, timeline=True)
    begins = _begins(prediction)
    per_step = _steady(begins)
    last = prediction.cycles - begins[-1] - per_step
    job = predict(compiled, steps, timeline=True)
    ideal = {place: float(each.sum()) for place, each in column_cycles(compiled).items()}
    return Estimate(
        loops=_loops(compiled, prediction.timeline, begins),
        cycles_per_step=per_step,
        first_overhead=prediction.cycles - _STEPS * per_step - last,
        last_overhead=last,
        steps=steps,
        cycles=job.cycles,
        busy=sum(ideal.get(each.op, 0) for each in job.timeline) / job.cycles,
        resources=estimate_resources(compiled.config),
        modes=compiled.modes,
    )


def cycles_per_step(compiled: Compiled) -> float:
    """Return the cycles of one step in the steady state, as `estimate` does, without the rest of the report."""
    return _steady(_begins(predict(compiled, _STEPS, timeline=True)))


def _begins(prediction: Prediction) -> list[int]:
    """Return the issue of each step's first op."""
    return [next(each.issue for each in prediction.timeline if each.step == step) for step in range(_STEPS)]


def _steady(begins: Sequence[int]) -> float:
    return (begins[_MIDDLE + 2] - begins[_MIDDLE]) / 2


def _loops(compiled: Compiled, timeline: Sequence[OpTime], begins: Sequence[int]) -> list[Loop]:
    loops = []
    for number, op in enumerate(compiled.image.program):
        runs = [each for each in timeline if each.op == number]
        if not runs:
            continue
        shown = min(runs, key=lambda each: abs(each.step - _MIDDLE))
        unit = UNITS[op.opcode]
        others = [
            (each.first, each.last)
            for each in timeline
            if each.first and UNITS[compiled.image.program[each.op].opcode] != unit
        ]
        loops.append(
            Loop(
                op=number,
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


def _told(modes: Modes) -> list[str]:
    """Say how matrices are stored and when zeros are skipped."""
    when = {
        Skip.NEVER: "never",
        Skip.ALWAYS: "always",
        Skip.AUTO: f"after a job with {modes.input_threshold / WHOLE:.1%} zeros or more",
    }
    return [
        f"stored without zeros            {', '.join(sorted(modes.sparse)) or 'no matrix'}",
        f"zero activations skipped        {when[modes.skip]}",
    ]


def _table(rows: Sequence[Sequence], left: int = 0) -> list[str]:
    """Align columns: the first `left` of them to the left, the others to the right."""
    texts = [[str(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]

    def line(row: Sequence[str]) -> str:
        cells = enumerate(zip(row, widths, strict=True))
        return "  ".join(text.ljust(width) if k < left else text.rjust(width) for k, (text, width) in cells)

    return [line(row).rstrip() for row in texts]
