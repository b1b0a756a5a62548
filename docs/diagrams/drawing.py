"""Boxes and arrows as SVG text, in colours that follow the reader's light or dark theme."""

from collections.abc import Sequence
from html import escape

_STYLE = """
svg { color-scheme: light dark; font: 13px system-ui, "DejaVu Sans", sans-serif; }
text { fill: #1f2328; } .muted { fill: #59636e; font-size: 11px; } .title { font-weight: 600; }
.box { fill: #f3f6f8; stroke: #59636e; } .memory { fill: #dcefee; stroke: #0b7a75; }
.unit { fill: #dfeaf7; stroke: #2a6fbb; }
.way { stroke: #59636e; fill: none; stroke-width: 1.4; marker-end: url(#head); } #head path { fill: #59636e; }
.area { fill: none; stroke: #a4acb6; stroke-dasharray: 5 4; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6eaef; } .muted { fill: #a3adb8; }
  .box { fill: #22272e; stroke: #a3adb8; } .memory { fill: #17393a; stroke: #35b3ab; }
  .unit { fill: #1b3350; stroke: #62a5ea; }
  .way { stroke: #a3adb8; } #head path { fill: #a3adb8; } .area { stroke: #6b7480; }
}
"""

_LINE = 16


class Drawing:
    """An SVG that grows by boxes, texts and ways.

    Parameters
    ----------
    width, height : int
        In pixels.
    title : str
        For those who do not see it.
    """

    def __init__(self, width: int, height: int, title: str):
        self._size = width, height
        self._title = title
        self._parts: list[str] = []

    def box(self, x: int, y: int, width: int, height: int, lines: Sequence[str], kind: str = "box") -> None:
        """Draw a box with lines of text, the first of them the name; of a `kind` of the style."""
        self._parts.append(f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>')
        top = y + height / 2 - (len(lines) - 1) * _LINE / 2 + 4.5
        for place, line in enumerate(lines):
            self.text(x + width / 2, top + place * _LINE, line, "muted" if place else "title", "middle")

    def area(self, x: int, y: int, width: int, height: int, name: str) -> None:
        """Draw a dashed frame with its name at the top left."""
        self._parts.append(f'<rect class="area" x="{x}" y="{y}" width="{width}" height="{height}" rx="8"/>')
        self.text(x + 10, y + 16, name, "muted")

    def text(self, x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> None:
        """Write a text at its base line."""
        self._parts.append(
            f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>'
        )

    def way(self, *points: tuple[int, int], label: str = "", at: tuple[int, int] | None = None) -> None:
        """Draw a line with an arrow's head at its end, through some points; with a label at a place."""
        path = "M" + " L".join(f"{x} {y}" for x, y in points)
        self._parts.append(f'<path class="way" d="{path}"/>')
        if label and at:
            self.text(*at, label, "muted", "middle")

    def svg(self) -> str:
        """Return the whole."""
        width, height = self._size
        head = (
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto-start-reverse"><path d="M0 0 L8 4 L0 8 z"/></marker></defs>'
        )
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
            f"<title>{escape(self._title)}</title>",
            f"<style>{_STYLE}</style>",
            head,
            *self._parts,
            "</svg>",
        ]
        return "\n".join(lines) + "\n"
