import pytest
from matplotlib.figure import Figure

from gatewright.reports.marks import Mark, marked
from gatewright.reports.style import to_svg


@pytest.fixture(scope="module")
def svg():
    axes = Figure().add_subplot()
    axes.plot([1, 2, 3], [1, 2, 3], "o")[0].set_gid("points")
    axes.plot([1, 3], [3, 1])[0].set_gid("line")
    axes.scatter([1, 2, 3, 4], [2, 2, 2, 2]).set_gid("dots")
    axes.scatter([1], [2]).set_gid("dot")
    return to_svg(axes.figure)


@pytest.mark.parametrize(("name", "count"), [("points", 3), ("line", 1), ("dots", 4), ("dot", 1)])
def test_each_point_has_its_title(svg, name, count):
    found = marked(svg, {name: [Mark(f"mark {k}", {"cycles": k}) for k in range(count)]})
    places = [found.index(f"<title>mark {k}</title>") for k in range(count)]
    assert places == sorted(places)
    assert found.count('class="mark"') == count
    assert f'data-cycles="{count - 1}"' in found
    assert found.count("<use ") == svg.count("<use ")


@pytest.mark.parametrize(("name", "count"), [("points", 2), ("line", 2), ("nothing", 1)])
def test_another_number_of_points_is_refused(svg, name, count):
    with pytest.raises(ValueError, match="the figure draws"):
        marked(svg, {name: [Mark("mark")] * count})


def test_titles_and_values_are_escaped(svg):
    found = marked(svg, {"line": [Mark("<script>", {"kind": '"><script>'})]})
    assert "<script>" not in found
    assert "&lt;script&gt;" in found
