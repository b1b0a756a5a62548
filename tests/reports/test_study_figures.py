from dataclasses import replace
from itertools import combinations

import pytest
import study_rows
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba

from gatewright.reports import comparison_figures, study_figures
from gatewright.reports.candidates import Point, Target, Trial
from gatewright.reports.comparisons import Discretisation, Spread, read_fronts
from gatewright.reports.metrics import Metric
from gatewright.reports.study import read_study
from gatewright.reports.style import BAD, SPARSE, STEPS, style
from gatewright.results import Rows

ACCURACY, BITS = Metric("accuracy", "percent", True), Metric("bits", "bits", False)


@pytest.fixture(autouse=True)
def _style():
    with style():
        yield


@pytest.fixture(scope="module", params=["accuracy", "bits"])
def study(request, tmp_path_factory):
    files = {"trials": study_rows.trial_rows(request.param), "front": study_rows.point_rows(request.param)}
    return read_study(study_rows.write_study(tmp_path_factory.mktemp("study"), files))


def texts(figure):
    """Every text drawn."""
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def lines(axes):
    """Lines with a label of their own, as lists of x and y."""
    return {line.get_label(): [list(values) for values in line.get_data()] for line in axes.get_lines()}


def trial(number, turn, reward, measured=100.0):
    return Trial(number, turn, 90.0, reward, 100.0, measured, 5000.0, None, None)


def point(number, kind="found", **changed):
    values = {
        "validation": 95.0,
        "test": 94.0,
        "predicted": 100.0,
        "measured": 100.0,
        "stored_bits": 5000.0,
        "mismatches": 0,
        "compared": 10,
        "products": {},
        "hidden": {},
        "counters": {},
        "spans": [],
    }
    return Point(name=f"p{number}", kind=kind, candidate={}, **values | changed)


def test_names_that_would_touch_take_other_places_or_are_left_out(study):
    near = [point(k, measured=cycles) for k, cycles in enumerate((100.0, 103.0, 103.0, 103.0, 103.0, 900.0))]
    left = study_figures.fronts_figure(replace(study, points=near)).axes[0]
    offsets = {text.get_text(): text.xyann for text in left.texts if text.get_text().startswith("p")}
    assert offsets == {"p0": (-4, 6), "p1": (4, -12), "p2": (4, 6), "p3": (-4, -12), "p5": (-4, 6)}


def test_no_name_covers_another(study):
    near = [point(k, measured=100.0 + 4 * (k % 4), validation=95 + 0.1 * (k % 3)) for k in range(11)]
    figure = study_figures.fronts_figure(replace(study, points=near))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    for axes in figure.axes:
        boxes = [
            text.get_window_extent(canvas.get_renderer())
            for text in axes.texts
            if text.get_text().startswith("p")
        ]
        assert len(boxes) >= 4
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_fronts_show_every_finished_point_and_count_trials_out_of_sight(study):
    figure = study_figures.fronts_figure(study)
    left, right = figure.axes
    for axes, cost, goal in ((left, "measured", ("target", 500)), (right, "stored_bits", ("limit", 250_000))):
        drawn = lines(axes)
        assert len(drawn) == 5
        assert drawn[goal[0]][0] == [goal[1]] * 2
        found = study.of_kind("found")
        assert drawn["found"] == [
            [getattr(each, cost) for each in found],
            [each.validation for each in found],
        ]
        assert axes.get_xscale() == "log"
        costs, scores = drawn["_front"]
        assert costs == sorted(costs)
        qualities = [study.metric.quality(score) for score in scores]
        assert qualities == sorted(set(qualities))
        assert qualities[-1] == max(study.metric.quality(each.validation) for each in found)
    bottom, top = left.get_ylim()
    quality = study.metric.quality
    assert quality(bottom) < quality(top)
    shown = [quality(bottom) <= quality(each.validation) <= quality(top) for each in study.points]
    assert all(shown)
    below = sum(quality(each.score) < quality(bottom) for each in study.trials)
    assert below
    assert f"{below} trials below" in texts(figure)
    assert {"trials, round 0", "trials, round 2", "found", "uncompressed, 8 bits"} <= set(texts(figure))


def test_many_rounds_share_colours():
    names = [name for name, *_ in study_figures.rounds([trial(k, k, 0.0) for k in range(12)])]
    assert names == [f"trials, rounds {k}–{k + 2}" for k in (0, 3, 6, 9)]
    ((_, colour, (only,)),) = study_figures.rounds([trial(0, 4, 0.0)])
    assert (colour, only.round) == (STEPS[2], 4)


def test_choices_name_whole_matrices_and_shares():
    products = {
        "layer0.input": {"rank": 0, "bits": 8, "density": 1.0},
        "head": {"rank": 4, "bits": 2, "density": 0.125},
    }
    figure = study_figures.choices_figure([point(0, products=products), point(5, products={})])
    drawn = texts(figure)
    assert {
        "full",
        "4",
        "8",
        "2",
        "100\N{NO-BREAK SPACE}%",
        "12.5\N{NO-BREAK SPACE}%",
        "layer0.input",
        "p5",
    } <= set(drawn)
    whole, ranked = (patch.get_alpha() for patch in figure.axes[0].patches)
    assert whole > ranked


def test_many_points_have_room():
    products = {"head": {"rank": 0, "bits": 2, "density": 0.125}}
    points = [point(number, products=products) for number in range(20)]
    figure = study_figures.choices_figure(points)
    assert {"full", "12", "density: percent of weights kept"} <= set(texts(figure))
    assert not {"12.5\N{NO-BREAK SPACE}%"} & set(texts(figure))


def test_agreement_marks_what_differs(study):
    figure = study_figures.agreement_figure(study)
    assert "largest difference: 0 cycles per step" in texts(figure)
    assert "differs" not in texts(figure)


def test_agreement_says_what_differs_in_red(tmp_path):
    rows = study_rows.trial_rows(count=4)
    cycles = next(each.value for each in rows if each.name == "trial_cycles_measured")
    rows = study_rows.changed(rows, "trial_cycles_measured", cycles + 2.5)
    study = read_study(study_rows.write_study(tmp_path, {"trials": rows}))
    figure = study_figures.agreement_figure(study)
    (said,) = [text for text in figure.axes[0].texts if "largest difference" in text.get_text()]
    assert said.get_text() == "largest difference: 2.5 cycles per step"
    assert said.get_color() == BAD
    assert "differs" in texts(figure)


def test_counters_lie_inside_the_cycles():
    points = [
        point(0, counters={"cycles": 100, "matrix": 80, "drain": 30}),
        point(0, "uncompressed", measured=400.0),
    ]
    figure = study_figures.counters_figure(points)
    drawn = texts(figure)
    assert {"found p0", "uncompressed", "100.0", "400.0", "matrix engine", "drain and cell unit"} <= set(
        drawn
    )
    assert "cycles" not in drawn
    parts = {each.get_label(): [bar.get_width() for bar in each] for each in figure.axes[0].containers}
    assert (parts["matrix engine"], parts["drain and cell unit"]) == ([80, 0], [30, 0])


def test_progress_is_the_best_so_far():
    trials = [trial(k, k // 2, reward) for k, reward in enumerate((3.0, 1.0, 7.0, -900.0))]
    figure = study_figures.progress_figure(trials, [Target(0, 3.0), Target(1, 7.0)])
    drawn = lines(figure.axes[0])
    assert drawn["best so far"] == [[0, 1, 2, 3], [3.0, 3.0, 7.0, 7.0]]
    assert drawn["target of a round"] == [[1, 3], [3.0, 7.0]]
    assert "7.00" in texts(figure)
    parted = [line.get_xdata()[0] for line in figure.axes[0].get_lines() if line.get_linestyle() == "--"]
    assert parted == [1.5]


@pytest.mark.parametrize(("metric", "inverted"), [(ACCURACY, False), (BITS, True)])
def test_fronts_of_each_case_have_a_panel(metric, inverted):
    rows = []
    for cause, lanes in (("density", 4), ("low rank", 32)):
        for cost, cycles in (("cycles", (100.0, 300.0)), ("macs", (150.0,))):
            for number, count in enumerate(cycles):
                at = {"cause": cause, "lanes": lanes, "cell_lanes": 1, "scored_by": cost, "point": number}
                rows.append(study_rows.scored("latency_point_score", "accuracy", 0.9, **at))
                rows.append(study_rows.row("latency_point_cycles", "cycles per step", count, **at))
    figure = comparison_figures.latency_figure(read_fronts(Rows(rows)), metric)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left").split("\n") for axes in shown] == [
        ["density", "4 lanes, 1 cell lane"],
        ["low rank", "32 lanes, 1 cell lane"],
    ]
    assert lines(shown[0])["found by cycles"] == [[100, 300], [90, 90]]
    assert lines(shown[1])["found by multiply-accumulates"] == [[150], [90]]
    assert all(axes.yaxis_inverted() == inverted for axes in shown)


def test_losses_are_medians():
    losses = {
        (2, 8, False): Spread((9.0, 20.0, 30.0)),
        (2, 8, True): Spread((0.25,)),
        (4, 8, True): Spread((-0.5,)),
    }
    figure = comparison_figures.losses_figure(Discretisation(losses, {}, {}, {}))
    assert {"20.00", "0.25", "-0.50", "2 of 8", "4 of 8"} <= set(texts(figure))
    assert [bar.get_width() for bar in figure.axes[0].patches] == [20, 0.25, -0.5]
    assert {bar.get_facecolor() for bar in figure.axes[0].patches[1:]} == {to_rgba(SPARSE)}


def test_baselines_of_losses_are_marked_and_named():
    losses = {(2, 8, True): Spread((0.25,))}
    baselines = {
        "singular values": {(2, 8, True): Spread((3.0, 4.0, 8.0))},
        "rescaled components": {(2, 8, True): Spread((0.5,))},
    }
    figure = comparison_figures.losses_figure(Discretisation(losses, {}, {}, {}, baselines))
    marks = lines(figure.axes[0])
    assert marks["singular values"][0] == [4.0]
    assert marks["rescaled components"][0] == [0.5]
    (legend,) = figure.legends
    assert {text.get_text() for text in legend.get_texts()} >= set(baselines)


def test_entropies_have_a_panel_for_each_kind():
    progress = {
        (on, 2, 8, what): [(1.0, 2.0), (2.0, 1.0)] for on in (True, False) for what in ("edges", "score")
    }
    figure = comparison_figures.entropies_figure(Discretisation({}, {}, {}, progress), ACCURACY)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["entropy of the edges", "accuracy"]
    assert [len(axes.get_lines()) for axes in figure.axes] == [2, 2]
    (legend,) = figure.legends
    assert len(legend.get_texts()) == 2


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, "0.5"), (2000, "2,000"), (50_000, "50 k"), (1_250_000, "1.25 M")]
)
def test_short_figures(value, text):
    assert study_figures.short(value) == text
