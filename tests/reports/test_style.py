import re

import matplotlib
import pytest

from gatewright.reports.style import INK, inline_svg, new_figure, style, theme_css, to_png, to_svg


def draw():
    figure = new_figure(2)
    figure.add_subplot().plot([1, 3, 2], label="curve")
    return figure


@pytest.fixture(scope="module")
def svg():
    with style():
        return to_svg(draw())


def test_same_figure_same_bytes(svg):
    with style():
        assert to_svg(draw()) == svg
        assert to_png(draw()) == to_png(draw())
    assert "<dc:date>" not in svg


def test_style_leaves_the_settings_alone():
    before = dict(matplotlib.rcParams)
    with style():
        assert matplotlib.rcParams["text.color"] == INK
    assert dict(matplotlib.rcParams) == before


def test_inline_svg_follows_the_theme(svg):
    page = inline_svg(svg, "curve")
    assert page.startswith("<svg")
    used = set(re.findall(r"var\((--[\w-]+)\)", page))
    assert "--ink" in used or "--muted" in used
    light, dark = theme_css().split("@media")
    for name in used:
        assert f"{name}: #" in light
        assert f"{name}: #" in dark


def test_inline_ids_are_prefixed_and_resolve(svg):
    page = inline_svg(svg, "curve")
    ids = set(re.findall(r'\bid="([^"]+)"', page))
    assert all(name.startswith("curve-") for name in ids)
    references = re.findall(r'(?:url\(#|href="#)([^")]+)', page)
    assert references
    assert set(references) <= ids
