from dataclasses import replace

import pytest
import study_rows
from study_rows import changed, row

from gatewright.errors import RunFolderError
from gatewright.reports.comparisons import Spread
from gatewright.reports.study import Goal, read_study
from gatewright.results import read_rows


@pytest.fixture
def make(tmp_path):
    """Write a folder with some files of a study, and read it."""

    def write(settings=study_rows.SETTINGS, **files):
        return read_study(study_rows.write_study(tmp_path / "study", files, settings))

    return write


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return read_study(study_rows.write_study(tmp_path_factory.mktemp("study"), study_rows.all_rows()))


def test_trials_and_targets(study):
    assert [trial.number for trial in study.trials] == list(range(60))
    assert {trial.round for trial in study.trials} == {0, 1, 2}
    first, second = study.trials[:2]
    assert first.measured == first.predicted == first.cycles
    assert (second.measured, second.cycles) == (None, second.predicted)
    best = [max(trial.reward for trial in study.trials if trial.round <= turn) for turn in range(3)]
    assert [target.reward for target in study.targets] == best
    assert study.stopped == "all 60 trials are done"
    assert study.refused == {"ecp5-25k: too few multipliers": 1}
    assert (study.metric.name, study.seed, study.method) == ("accuracy", 7, "linear")
    assert study.goals == [Goal("cycles", 500, "target"), Goal("bits", 250000, "limit")]


def test_points(study):
    assert [len(study.of_kind(kind)) for kind in ("found", "uniform", "uncompressed")] == [8, 5, 1]
    point = study.of_kind("found")[1]
    assert (point.name, point.validation, point.test) == ("p1", 97.31, 96.91)
    assert (point.candidate, point.hidden) == ({"network.rank": 8}, {"layer0": 128})
    assert point.products["layer0.input"] == {"rank": 8, "bits": 4, "density": 0.125}
    assert point.counters["matrix"] == pytest.approx(0.8 * point.measured)
    assert [span.opcode for span in point.spans] == ["INPUT", "MATVEC", "REDUCE", "MATVEC", "CELL", "OUTPUT"]
    cycles = [each.measured for each in study.points]
    assert cycles == sorted(cycles)


def test_what_a_point_asks_for_is_that_of_the_narrowest_scope(study):
    point = study.of_kind("found")[1]
    assert (point.asked("layer0.input"), point.asked("head")) == (None, None)
    chosen = {"network.density": 0.5, "layer1.density": 0.25, "layer1.input.density": 0.0625}
    point = replace(point, candidate=chosen)
    asked = [point.asked(name) for name in ("layer0.input", "layer1.recurrent", "layer1.input", "head")]
    assert asked == [0.5, 0.25, 0.0625, None]


def test_the_recommended_point(study, make):
    assert (study.recommended, study.best.name, study.missed) == ("p4", "p4", [])
    rows = [each for each in study_rows.point_rows() if each.name != "recommended"]
    assert make(front=rows).best is None
    missed = row("target_missed", "text", "483.5 cycles per step, 400 asked for", model="p4")
    assert make(front=[*rows, missed]).missed == ["483.5 cycles per step, 400 asked for"]
    floors = [row("point_floor", "text", f"4 cell lanes save {k} %", model=f"p{k}") for k in (3, 4)]
    assert make(front=[*study_rows.point_rows(), *floors]).floor == "4 cell lanes save 4 %"


def test_fewer_bits_are_better(make):
    study = make(**study_rows.all_rows("bits"))
    assert (study.metric.name, study.metric.quality(2.0)) == ("bits", -2.0)
    point = study.of_kind("found")[0]
    assert (point.validation, point.products["head"]["bits"]) == (1.276, 8)
    assert study.best.validation < study.reference.validation < study.of_kind("found")[3].validation


@pytest.mark.parametrize(("unit", "better", "quality"), [("dB", "more", 96.2), ("", "less", -96.2)])
def test_a_metric_of_the_user(make, unit, better, quality):
    about = {"metric": "mine:distance", "better": better}
    rows = [
        replace(each, unit=unit, parameters=each.parameters | about) if each.name == "point_score" else each
        for each in study_rows.point_rows()
    ]
    metric = make(front=rows).metric
    assert (metric.name, metric.title, metric.unit) == ("mine:distance", "distance", unit)
    assert metric.quality(96.2) == quality


@pytest.mark.parametrize(
    ("file", "name", "value", "verdict"),
    [
        ("front", "point_mismatches", 0, "PASS"),
        ("front", "point_mismatches", 1, "FAIL"),
        ("front", "point_cycles_measured", 2700.0, "FAIL"),
        ("front", "point_integers_compared", 0, "INCOMPLETE"),
        ("trials", "trial_cycles_measured", 5.0, "FAIL"),
    ],
)
def test_verdict(make, file, name, value, verdict):
    rows = {"trials": study_rows.trial_rows(), "front": study_rows.point_rows()}
    assert make(**rows | {file: changed(rows[file], name, value, 3)}).verdict == verdict


def test_a_difference_of_any_counter_fails(make):
    rows = [
        *study_rows.point_rows(),
        row("point_difference", "text", "point 3, drain: 5 cycles, 6 predicted"),
    ]
    study = make(front=rows)
    assert (study.verdict, study.complaints) == ("FAIL", ["point 3, drain: 5 cycles, 6 predicted"])


def test_a_study_without_front_is_not_proven(make):
    assert make(trials=study_rows.trial_rows()).verdict == "INCOMPLETE"


def test_losses_by_discretisation(study):
    losses = study.discretisation.losses
    assert list(losses)[:3] == [(2, 8, False), (2, 8, True), (4, 16, False)]
    assert losses[2, 8, True].high < 1 < losses[2, 8, False].low
    assert study.discretisation.before[2, 8, True] == Spread((96.0,) * 3)
    lost = study.discretisation.baselines["singular values"][2, 8, True].median
    assert lost == pytest.approx(losses[2, 8, True].median + 2)
    curve = study.discretisation.progress[True, 2, 8, "operations"]
    assert [epoch for epoch, _ in curve] == list(range(1, 21))
    assert curve[-1][1] == pytest.approx(0.11)


@pytest.mark.parametrize(
    ("file", "rows", "message"),
    [
        ("trials", [row("trial_reward", "points", 1.0, trial="x", round=0)], "'trial' must be a finite number"),
        ("trials", [row("trial_reward", "points", 1.0, trial=0, round=0)], "trial 0 has no row trial_score and no "),
        ("trials", [row("trial_reward", "points", float("nan"), trial=0, round=0)], "finite number, not nan"),
        ("trials", [row("trial_reward", "points", 1.0, trial=0, round=0)] * 2, "comes twice for the same trial, round"),
        ("trials", [row("stopped", "reason", 3)], "value must be a string, not 3"),
        ("front", [row("point_mismatches", "integers", 0.5, model="p0", kind="found")], "whole number"),
        ("front", [row("point_mismatches", "integers", 0, model="p0", kind=3)], "'kind' must be a string"),
        ("discretisation", [row("discretisation_loss", "points", 1.0, kept=2)], "'components' is missing"),
        (
            "discretisation",
            [row("discretisation_loss", "points", 1.0, entropy=1, kept=2, components=8)],
            "'entropy' must be true or false, not 1",
        ),
    ],
)  # fmt: skip
def test_malformed_rows_name_the_file(make, file, rows, message):
    with pytest.raises(RunFolderError, match=message) as error:
        make(**{file: rows})
    assert f"{file}.json" in str(error.value)


def test_costs_and_kinds_are_checked(make):
    rows = study_rows.point_rows()
    with pytest.raises(RunFolderError, match=r"found point p2: point_stored_bits must be above 0, not 0"):
        make(front=changed(rows, "point_stored_bits", 0, 2))
    other = [replace(each, parameters=each.parameters | {"kind": "lucky"}) for each in rows[:7]]
    with pytest.raises(RunFolderError, match="unknown kind 'lucky'"):
        make(front=other)


@pytest.mark.parametrize("text", ["{", "[]"])
def test_malformed_settings(tmp_path, text):
    study_rows.write_study(tmp_path, {"trials": study_rows.trial_rows()}, None)
    (tmp_path / "settings.json").write_text(text)
    with pytest.raises(RunFolderError, match=r"settings\.json"):
        read_study(tmp_path)


def test_empty_folder(tmp_path):
    with pytest.raises(RunFolderError, match="gatewright search"):
        read_study(tmp_path)


def test_rows_are_kept_as_they_are(study):
    assert study.rows["front"] == read_rows(study.files.front)


@pytest.mark.parametrize("metric", ["accuracy", "bits"])
def test_points_that_others_beat_are_named(make, metric):
    rows = study_rows.point_rows(metric)
    found = make(front=rows)
    assert not any(found.beaten_by(point) for point in found.of_kind("found"))
    p7 = next(point for point in found.points if point.name == "p7")
    for name in ("point_cycles_predicted", "point_cycles_measured"):
        rows = changed(rows, name, p7.measured * 2, 6)
    worse = make(front=changed(rows, "point_stored_bits", p7.stored_bits * 2, 6))
    assert [worse.beaten_by(point) for point in worse.of_kind("found") if point.name == "p6"] == [["p7"]]
