"""Marks of a figure that a reader can point at: a title for each point, and values that the page's filter looks at."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape


@dataclass(frozen=True)
class Mark:
    """What a point of a figure tells.

    Parameters
    ----------
    title : str
        Shown when a reader points at it.
    data : dict
        Values by name, for the page's filter: ``cycles``, ``bits``, ``score``, ``kind``.
    """

    title: str
    data: Mapping[str, float | str] = field(default_factory=dict)

    def attributes(self, *classes: str) -> Markup:
        """Return the values as attributes of an element, of the class by which the page's script knows marks."""
        values = Markup("").join(
            Markup(' data-{}="{}"').format(name, value) for name, value in self.data.items()
        )
        return Markup('class="{}" tabindex="0"').format(" ".join(("mark", *classes))) + values


Marks = Mapping[str, Sequence[Mark]]
"""The marks of a figure by the id of the artist that draws them, in the order in which it does."""


def marked(svg: str, marks: Marks) -> str:
    """Give titles and values to the points, or the line, of an SVG's artists.

    Raises
    ------
    ValueError
        An artist is missing, or draws another number of points.
    """
    for name, each in marks.items():
        opening = f'<g id="{name}">'
        # A line is one group with a path; points are groups, or a group, of uses inside of another.
        group = re.compile(
            re.escape(opening) + r"(?:(?!<g).)*?</g>|" + re.escape(opening) + r".*?</g>\s*</g>", re.DOTALL
        )
        found = group.search(svg)
        text = found.group() if found else ""
        uses = text.count("<use ")
        if uses == len(each) and uses:
            new = _pointed(text, each)
        elif text and not uses and len(each) == 1:
            new = f'<g id="{name}" {each[0].attributes()}><title>{escape(each[0].title)}</title>{text[len(opening) :]}'
        else:
            raise ValueError(f"the figure draws {uses} points as {name!r}, not {len(each)}")
        svg = svg.replace(text, new, 1)
    return svg


def _pointed(text: str, marks: Sequence[Mark]) -> str:
    """Give each use of a marker its title."""
    parts = iter(marks)

    def point(use: re.Match[str]) -> str:
        mark = next(parts)
        return f"<use {use.group(1)} {mark.attributes()}><title>{escape(mark.title)}</title></use>"

    return re.sub(r"<use ([^>]*?)/>", point, text)
