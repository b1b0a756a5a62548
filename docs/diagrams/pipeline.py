"""The pipeline of a word of weights, drawn from `gatewright.hw.rtl.stages`."""

from docs.diagrams.drawing import Drawing

from gatewright.hw.rtl import stages

MARKS = {
    "ADDRESS": "lanes address weight and index",
    "ALIGNED": "aligned activation goes to the lanes",
    "ROW": "row of the accumulator is known",
    "OPERANDS": "multiplier has its operands",
    "ADD": "product is added",
    "WRITE": "sum is written",
}
"""Stages that have a constant, and what happens in each."""

READS = {
    "weight and index": ("ADDRESS", "READ"),
    "accumulator": ("ROW", "SUM_READ"),
}
"""Reads of memories: the constant of the cycle that they begin in, and of the cycles that they take."""

_CELL, _LEFT, _TOP = 96, 150, 64


def pipeline() -> str:
    """Return the pipeline as SVG: cycles, reads of memories, and the constants of `stages`."""
    cycles = stages.WRITE + 1
    rows = len(READS) + len(MARKS)
    drawing = Drawing(_LEFT + cycles * _CELL + 20, _TOP + rows * 34 + 20, "Pipeline of a word of weights")
    drawing.text(16, 28, "cycle after a word is chosen", "title")
    for cycle in range(cycles):
        drawing.box(_LEFT + cycle * _CELL + 2, 38, _CELL - 4, 20, [str(cycle)])
    row = 0
    for name, (begin, length) in READS.items():
        first, count = getattr(stages, begin), getattr(stages, length)
        y = _TOP + row * 34
        drawing.text(16, y + 20, name, "muted")
        drawing.box(
            _LEFT + first * _CELL + 2, y + 3, count * _CELL - 4, 26, [f"read, {count} cycles"], "memory"
        )
        row += 1
    for name, text in MARKS.items():
        cycle, y = getattr(stages, name), _TOP + row * 34
        drawing.text(16, y + 20, name, "muted")
        x = _LEFT + cycle * _CELL
        drawing.box(x + 2, y + 3, _CELL - 4, 26, [f"{cycle}"], "unit")
        right = cycle < cycles / 2
        drawing.text(x + _CELL + 6 if right else x - 6, y + 20, text, "muted", "start" if right else "end")
        row += 1
    return drawing.svg()
