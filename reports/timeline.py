"""The timeline of a step: which op each unit works on, and where the next step begins under it."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gatewright.reports.candidates import Point, Span
from gatewright.reports.style import INK, MUTED, PARTS, SURFACE, new_figure, note

_UNITS = {"input": PARTS[2], "matrix": PARTS[0], "drain": PARTS[1], "output": PARTS[3]}
_CHARACTER = 0.0125
"""Width of a character of a label, as a share of the axis."""


def timeline_figure(point: Point) -> Figure:
    """One steady step of a point, from the issue of its first op: when each unit works on which op.

    The step after it is pale; a line says where its first op is issued.
    """
    own = [span for span in point.spans if not span.later]
    after = [span for span in point.spans if span.later]
    units = list(dict.fromkeys(span.unit for span in sorted(own, key=lambda span: span.first)))
    begin = min([0, *(span.first for span in own)])
    end = max(span.last for span in own) + 1
    figure = new_figure(1.1 + 0.68 * len(units))
    axes = figure.add_subplot()
    for spans, alpha in ((after, 0.25), (own, 1.0)):
        for span in spans:
            if span.unit in units and span.first < end:
                width = min(span.last + 1, end) - span.first
                colour = _UNITS.get(span.unit, PARTS[4])
                axes.barh(
                    units.index(span.unit),
                    width,
                    0.5,
                    span.first,
                    color=colour,
                    alpha=alpha,
                    edgecolor=SURFACE,
                    linewidth=1,
                )
    for unit in units:
        _label(axes, units.index(unit), [span for span in own if span.unit == unit], begin, end)
    if issues := [span.issue for span in after if span.issue is not None]:
        axes.axvline(min(issues), color=MUTED, linewidth=1.2, linestyle=(0, (5, 3)), zorder=0)
        text = f"next step from {min(issues):,.0f}"
        note(axes, min(issues), -0.62, text, (-3, 0), ha="right", va="center", color=MUTED, size=9)
    axes.set_yticks(range(len(units)), units, color=INK)
    axes.set_ylim(len(units) - 0.45, -0.75)
    axes.set_xlim(begin, end)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(f"clock cycles from the beginning of a step, point {point.name}; pale: the next step")
    return figure


def _label(axes: Axes, place: int, spans: list[Span], begin: float, end: float) -> None:
    """Name each op: inside its bar where there is room, else below or above it in turns."""
    narrow = 0
    for span in sorted(spans, key=lambda span: span.first):
        width = span.last + 1 - span.first
        middle = span.first + width / 2
        if width / (end - begin) > _CHARACTER * len(span.label):
            axes.text(middle, place, span.label, ha="center", va="center", color=SURFACE, size=9)
            continue
        share = (middle - begin) / (end - begin)
        side = "left" if share < 0.1 else "right" if share > 0.9 else "center"
        offset = (0, -23) if narrow % 2 == 0 else (0, 23)
        label = note(axes, middle, place, span.label, offset, ha=side, va="center", color=INK, size=8)
        label.set_bbox({"facecolor": SURFACE, "edgecolor": "none", "pad": 0.5})
        narrow += 1
