"""The look of figures: palette, rendering, and colours that follow the page's light or dark theme."""

import io
import re

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.text import Annotation

INK, MUTED, GRID, SURFACE = "#1f2328", "#59636e", "#d9dde3", "#fefefe"

DENSE, SPARSE = "#2a6fbb", "#c8590a"
"""One colour for each mode wherever a mode is drawn."""

MODES = {"dense": DENSE, "sparse": SPARSE}

PARTS = ("#0b7a75", "#7a4fb5", "#c79a00", "#b5476b", "#5f8a1f")
"""Colours of parts of a whole, in order; distinguishable with any colour vision, and always labelled."""

OTHER = "#a4acb6"
"""Colour of a mode without one of its own."""

STEPS = ("#a9d3d0", "#6fb5b0", "#3d928d", "#1d6e69", "#0c4a46")
"""Colours of what comes in order, from the first to the last."""

BAD = "#b3001b"
"""Colour of what must not be."""

_DARK = {
    INK: "#e6eaef",
    MUTED: "#a3adb8",
    GRID: "#3a424d",
    SURFACE: "#161b22",
    DENSE: "#62a5ea",
    SPARSE: "#f0904a",
    PARTS[0]: "#35b3ab",
    PARTS[1]: "#b08ae6",
    PARTS[2]: "#e0b93c",
    PARTS[3]: "#e57f9f",
    PARTS[4]: "#9cc653",
    OTHER: "#6b7480",
    STEPS[0]: "#2b5250",
    STEPS[1]: "#3b7874",
    STEPS[2]: "#55a09b",
    STEPS[3]: "#82c4c0",
    STEPS[4]: "#c3ebe8",
    BAD: "#ff7b86",
}

_RC = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "text.parse_math": False,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.facecolor": SURFACE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "figure.facecolor": SURFACE,
    "lines.linewidth": 2,
    "lines.markersize": 7,
    "svg.fonttype": "path",
    "svg.hashsalt": "gatewright",
}


def style():
    """Give the context in which figures are made and drawn; the caller's settings return behind it."""
    return matplotlib.rc_context({**matplotlib.rcParamsDefault, **_RC})


def new_figure(height: float) -> Figure:
    """Give an empty figure of the page's width and a height in inches."""
    return Figure(figsize=(8.4, height), layout="constrained")


def legend_above(figure: Figure, count: int, axes: Axes | None = None) -> None:
    """Put the legend above all axes, in at most five columns: of all of them, or of one that stands for the others."""
    entries: dict[str, Artist] = {}
    for each in [axes] if axes else figure.axes:
        handles, labels = each.get_legend_handles_labels()
        entries |= dict(zip(labels, handles, strict=True))
    figure.legend(
        list(entries.values()),
        list(entries),
        loc="outside upper left",
        ncols=min(count, 5),
        frameon=False,
        handlelength=1.4,
        handleheight=1,
        columnspacing=1.4,
        labelcolor=INK,
    )


def note(axes: Axes, x: float, y: float, text: str, offset: tuple[int, int], **looks) -> Annotation:
    """Write a label at a point of the data, moved by an offset in points."""
    return axes.annotate(text, (x, y), offset, textcoords="offset points", annotation_clip=False, **looks)


def to_svg(figure: Figure) -> str:
    """Draw as SVG text, the same for the same figure."""
    stream = io.StringIO()
    FigureCanvasSVG(figure).print_svg(stream, metadata={"Date": None})
    return stream.getvalue()


def to_png(figure: Figure) -> bytes:
    """Draw as PNG at 160 dots per inch."""
    stream = io.BytesIO()
    figure.set_dpi(160)
    FigureCanvasAgg(figure).print_png(stream)
    return stream.getvalue()


def inline_svg(svg: str, name: str) -> str:
    """Fit SVG text for a page: colours become the page's variables, ids get the figure's name as prefix."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'\b(id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    for colour in _DARK:
        svg = svg.replace(colour, f"var({_variable(colour)})")
    return svg


def theme_css() -> str:
    """Give the rules that set the page's colour variables, for light and for dark."""

    def rules(values: dict[str, str]) -> str:
        return " ".join(f"{_variable(name)}: {value};" for name, value in values.items())

    light = rules({name: name for name in _DARK})
    return (
        f":root {{ color-scheme: light dark; {light} }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ {rules(_DARK)} }} }}"
    )


def _variable(colour: str) -> str:
    names = {INK: "ink", MUTED: "muted", GRID: "grid", SURFACE: "surface", DENSE: "dense", SPARSE: "sparse"}
    return f"--{names.get(colour, 'part-' + colour[1:])}"
