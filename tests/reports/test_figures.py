import pytest

from gatewright.reports import figures
from gatewright.reports.metrics import Metric
from gatewright.reports.run import Execution, Model, Simulation, Training
from gatewright.reports.style import style, to_svg

ACCURACY, BITS = Metric("accuracy", "percent", True), Metric("bits", "bits", False)


def execution(cycles, busy=50.0, counters=None):
    return Execution(cycles, None, busy, counters or {}, 10, 1)


def texts(figure):
    """Every text drawn, in the order of drawing."""
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def test_percent():
    assert [figures.percent(share) for share in (1.0, 0.125, 0.0625)] == [
        "100\N{NO-BREAK SPACE}%",
        "12.5\N{NO-BREAK SPACE}%",
        "6.25\N{NO-BREAK SPACE}%",
    ]


def test_scores_are_drawn_against_density_where_each_model_has_its_own():
    models = [Model(f"m{k}", {"test": 98 + k / 4}, density) for k, density in enumerate((0.125, 0.25, 1.0))]
    with style():
        figure = figures.scores_figure(models, Training(98.75, 93.25, []), ACCURACY)
        drawn = texts(figure)
    assert {"98.00", "98.25", "98.50", "float 98.75", "baseline 93.25"} <= set(drawn)
    assert figure.axes[0].get_xscale() == "log"
    assert "test accuracy, percent" in drawn


def test_scores_are_drawn_by_name_in_any_metric():
    models = [
        Model("small", {"test": 3.25}, 0.5),
        Model("large", {"test": 2.5}, 0.5),
        Model("unknown", {"validation": 1.0}),
    ]
    with style():
        figure = figures.scores_figure(models, Training(2.25, None, []), Metric("mine:distance", "mm", False))
        drawn = texts(figure)
    assert {"small", "large", "3.2500", "2.5000", "float 2.2500"} <= set(drawn)
    assert "test distance, mm, less is better" in drawn
    assert "unknown" not in drawn
    low, high = figure.axes[0].get_xlim()
    assert low < 2.25 < 3.25 < high


def test_labels_of_close_levels_point_away_from_each_other():
    models = [Model("small", {"test": 90.0}, 0.5), Model("large", {"test": 91.0}, 0.5)]
    with style():
        figure = figures.scores_figure(models, Training(92.4, 93.6, []), ACCURACY)
    sides = {text.get_text(): text.get_ha() for text in figure.axes[0].texts}
    assert (sides["float 92.40"], sides["baseline 93.60"]) == ("right", "left")


def test_an_accuracy_has_its_interval_where_positions_are_known():
    """Newcombe 1998: 81 of 263 is 25.5 to 36.6 percent."""
    models = [Model("small", {"test": 100 * 81 / 263})]
    with style():
        for positions, bars in ((263, [(25.53, 36.62)]), (None, [])):
            figure = figures.scores_figure(models, None, ACCURACY, positions)
            drawn = [line for line in figure.axes[0].get_lines() if line.get_label() == "_interval"]
            assert [line.get_xdata() for line in drawn] == [pytest.approx(bar, abs=0.006) for bar in bars]


def test_scores_without_training():
    with style():
        drawn = texts(figures.scores_figure([Model("only", {"test": 98.25}, 0.25)], None, ACCURACY))
    assert {"98.25", "only"} <= set(drawn)
    assert not any("float" in text for text in drawn)


def test_patterns_have_a_curve_each_in_the_metric_of_the_task():
    patterns = {"equal": {0.25: 2.5, 0.5: 2.25}, "unstructured": {0.25: 2.375, 0.5: 2.125}}
    with style():
        drawn = texts(figures.patterns_figure(patterns, BITS))
    assert {"balanced, equal counts", "unstructured", "test bits, less is better"} <= set(drawn)


def test_cycles_and_ideal():
    executions = {("a", "dense"): execution(400, 20.0), ("a", "sparse"): execution(100, None)}
    with style():
        drawn = texts(figures.cycles_figure(Simulation(executions)))
    assert "400.0   ideal 80.0" in drawn
    assert "100.0" in drawn


def bars(figure, label):
    """The bars of one label, as (bottom, top, width)."""
    (container,) = [each for each in figure.axes[0].containers if each.get_label() == label]
    return [(bar.get_y(), bar.get_y() + bar.get_height(), bar.get_width()) for bar in container]


def test_activity_lies_inside_the_cycles_of_its_model():
    executions = {
        ("a", "dense"): execution(100, counters={"matrix": 70, "drain": 50, "chain_wait": 9}),
        ("b", "sparse"): execution(40, counters={"matrix": 39}),
    }
    with style():
        figure = figures.activity_figure(Simulation(executions))
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
            {("a", "dense"): {"a": 3000, "b": 4000}, ("b", "sparse"): {"b": 2000}}
        )
        drawn = texts(figure)
    ends = sorted(patch.get_x() + patch.get_width() for patch in figure.axes[0].patches)
    assert ends == [0.0, 2.0, 3.0, 7.0]
    assert {"7.0", "2.0", "a", "b"} <= set(drawn)


def test_storage_in_thousands():
    with style():
        drawn = texts(figures.storage_figure({("a", "sparse"): {"weight": 8000, "index": 4500}}))
    assert {"8.0", "4.5", "12.5"} <= set(drawn)


@pytest.mark.parametrize("name", ["$x^2", "a_b", "<script>", "--"])
def test_names_are_drawn_as_they_are(name):
    with style():
        figure = figures.storage_figure({("a", "dense"): {name: 1.0}})
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
