import pytest

from gatewright.reports import figures
from gatewright.reports.metrics import METRICS
from gatewright.reports.run import Compression, Execution, Simulation, Training
from gatewright.reports.style import style, to_svg


def execution(cycles, busy=50.0, counters=None):
    return Execution(cycles, busy, counters or {}, 10, 1)


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
        drawn = texts(figures.accuracy_figure(compression, Training(98.75, 93.25, []), METRICS["accuracy"]))
    assert {"98.50", "98.25", "97.75", "float 98.75", "baseline 93.25"} <= set(drawn)


def test_accuracy_without_training():
    with style():
        drawn = texts(figures.accuracy_figure(Compression({0.25: 98.25}, []), None, METRICS["accuracy"]))
    assert "98.25" in drawn
    assert not any("float" in text for text in drawn)


def test_patterns_have_a_curve_each_in_the_metric_of_the_task():
    patterns = {"equal": {0.25: 2.5, 0.5: 2.25}, "unstructured": {0.25: 2.375, 0.5: 2.125}}
    with style():
        drawn = texts(figures.patterns_figure(patterns, METRICS["bits"]))
    assert {"balanced, equal counts", "unstructured", "test bits, fewer is better"} <= set(drawn)


def test_cycles_and_ideal():
    executions = {(0.25, "dense"): execution(400, 20.0), (0.25, "sparse"): execution(100, None)}
    with style():
        drawn = texts(figures.cycles_figure(Simulation(executions, [])))
    assert "400.0   ideal 80.0" in drawn
    assert "100.0" in drawn


def bars(figure, label):
    """The bars of one label, as (bottom, top, width)."""
    (container,) = [each for each in figure.axes[0].containers if each.get_label() == label]
    return [(bar.get_y(), bar.get_y() + bar.get_height(), bar.get_width()) for bar in container]


def test_activity_lies_inside_the_cycles_of_its_model():
    executions = {
        (1.0, "dense"): execution(100, counters={"matrix": 70, "drain": 50, "chain_wait": 9}),
        (0.5, "sparse"): execution(40, counters={"matrix": 39}),
    }
    with style():
        figure = figures.activity_figure(Simulation(executions, []))
        drawn = texts(figure)
    assert {"100.0", "40.0", "matrix engine", "drain and cell unit"} <= set(drawn)
    whole = [bar for container in figure.axes[0].containers[:2] for bar in container]
    assert [bar.get_width() for bar in whole] == [100, 40]
    matrix, drain = bars(figure, "matrix engine"), bars(figure, "drain and cell unit")
    assert [[width for *_, width in unit] for unit in (matrix, drain)] == [[70, 39], [50, 0]]
    for bar, upper, lower in zip(whole, matrix, drain, strict=True):
        assert bar.get_y() < upper[0] < upper[1] < lower[0] < lower[1] < bar.get_y() + bar.get_height()


def test_stacked_bars_end_at_their_total():
    with style():
        figure = figures.storage_figure(
            {(1.0, "dense"): {"a": 3000, "b": 4000}, (0.5, "sparse"): {"b": 2000}}
        )
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
        figure = figures.storage_figure({(1.0, "dense"): {name: 1.0}})
        svg = to_svg(figure)
    assert name in texts(figure)
    assert "<script>" not in svg


def test_busy_shares_of_both_modes():
    shares = {"large": {"sparse": 95.25}, "small": {"dense": 60.5, "sparse": 30.0}}
    with style():
        figure = figures.busy_figure(shares)
        drawn = texts(figure)
    assert {"95.2", "60.5", "30.0", "large", "small", "dense", "sparse"} <= set(drawn)
    (large, small), (dense,) = bars(figure, "sparse"), bars(figure, "dense")
    assert [width for *_, width in (large, small, dense)] == [95.25, 30.0, 60.5]
    assert large[1] < 0.5 < min(small[0], dense[0])
    assert small[1] <= dense[0] or dense[1] <= small[0]
