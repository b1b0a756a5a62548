"""The look of figures: palette, rendering, and colours that follow the page's light or dark theme."""

import io
import re

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK, MUTED, GRID, SURFACE = "#1f2328", "#59636e", "#d9dde3", "#fefefe"

DENSE, SPARSE = "#2a6fbb", "#c8590a"
"""One colour for each mode wherever a mode is drawn."""

PARTS = ("#0b7a75", "#7a4fb5", "#c79a00", "#b5476b", "#5f8a1f")
"""Colours of parts of a whole, in order; distinguishable with any colour vision, and always labelled."""

OTHER = "#a4acb6"
"""Colour of a mode without one of its own."""

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
