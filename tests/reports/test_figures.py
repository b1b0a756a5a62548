import pytest

from gatewright.reports import figures
from gatewright.reports.run import Compression, Execution, Simulation, Training
from gatewright.reports.style import style, to_svg


def execution(cycles, busy=50.0, counters=None, total=None):
    return Execution(cycles, busy, counters or {}, total, 10, 1)


def texts(figure):
    """Every text drawn, in the order of drawing."""
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def test_percent():
    assert [figures.percent(share) for share in (1.0, 0.125, 0.0625)] == [
        "100\N{NO-BREAK SPACE}%",
        "12.5\N{NO-BREAK SPACE}%",
        "6.25\N{NO-BREAK SPACE}%",
    ]


def test_accuracy_shows_every_density_and_both_references():
    compression = Compression({1.0: 98.5, 0.25: 98.25, 0.125: 97.75}, [])
    with style():
        drawn = texts(figures.accuracy_figure(compression, Training(98.75, 93.25, [])))
    assert {"98.50", "98.25", "97.75", "float 98.75", "baseline 93.25"} <= set(drawn)


def test_accuracy_without_training():
    with style():
        drawn = texts(figures.accuracy_figure(Compression({0.25: 98.25}, []), None))
    assert "98.25" in drawn
    assert not any("float" in text for text in drawn)


def test_cycles_and_ideal():
    executions = {(0.25, "dense"): execution(400, 20.0), (0.25, "sparse"): execution(100, None)}
    with style():
        drawn = texts(figures.cycles_figure(Simulation(executions, [])))
    assert "400.0   ideal 80.0" in drawn
    assert "100.0" in drawn


def test_breakdown_accounts_for_every_cycle():
    executions = {
        (1.0, "dense"): execution(100, counters={"matrix": 70, "drain": 20, "new": 4}, total=100),
        (1.0, "sparse"): execution(100, counters={"matrix": 70, "drain": 50}, total=100),
        (0.5, "sparse"): execution(100),
    }
    assert figures.breakdown(Simulation(executions, [])) == {
        (1.0, "dense"): {"matrix engine": 70, "drain and cell unit": 20, "new": 4, figures.REST_NAME: 6},
        (1.0, "sparse"): {"matrix engine": 70, "drain and cell unit": 50, figures.REST_NAME: 0},
    }


def test_stacked_bars_end_at_their_total():
    bars = {(1.0, "dense"): {"a": 3.0, "b": 4.0}, (0.5, "sparse"): {"b": 2.0}}
    with style():
        figure = figures.breakdown_figure(bars)
        drawn = texts(figure)
    ends = sorted(patch.get_x() + patch.get_width() for patch in figure.axes[0].patches)
    assert ends == [0.0, 2.0, 3.0, 7.0]
    assert {"7.0", "2.0", "a", "b"} <= set(drawn)


def test_storage_in_thousands():
    with style():
        drawn = texts(figures.storage_figure({(0.25, "sparse"): {"weight": 8000, "index": 4500}}))
    assert {"8.0", "4.5", "12.5"} <= set(drawn)


@pytest.mark.parametrize("name", ["$x^2", "a_b", "<script>", "--"])
def test_names_are_drawn_as_they_are(name):
    with style():
        figure = figures.breakdown_figure({(1.0, "dense"): {name: 1.0}})
        svg = to_svg(figure)
    assert name in texts(figure)
    assert "<script>" not in svg
