import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from gatewright.errors import RunFolderError
from gatewright.origin import HERE, versions
from gatewright.quantities import METRIC, QUANTITIES
from gatewright.results import Row, Rows, read_rows, score_row, write_rows


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "verify.json"
    write_rows(
        path,
        [
            Row("steps", "steps", 10, {"model": "a", "mode": "dense", "density": 1}, seed=0),
            Row("steps", "steps", 20, {"model": "a", "mode": "sparse"}, seed=1),
            Row("steps", "steps", 20, {"model": "b", "mode": "sparse"}, seed=2),
            Row("cycles_per_step", "cycles", 5.5, {"model": "a", "mode": "sparse"}),
            Row("mismatches", "integers", 1.5),
            Row("stopped", "reason", "all trials are done"),
        ],
    )
    return read_rows(path)


def test_rows_round_trip(tmp_path):
    rows = [Row("cycles_per_step", "cycles", 12, {"mode": "dense"}, 3), Row("input_zeros", "percent", 98.5)]
    rows.append(replace(rows[0], commit="another", versions={"gatewright": "0"}, dirty=None))
    rows.append(replace(rows[0], dirty=True))
    write_rows(tmp_path / "rows.json", rows)
    assert read_rows(tmp_path / "rows.json") == rows
    assert read_rows(tmp_path / "rows.json", tmp_path / "rows.json") == rows * 2
    assert rows[0].versions == versions()
    assert (rows[0].commit, rows[0].dirty) == HERE.state()


def test_a_file_says_once_where_its_rows_come_from(tmp_path):
    rows = [Row("steps", "steps", k, commit="c0ffee", versions={"numpy": "2"}, dirty=False) for k in range(3)]
    write_rows(tmp_path / "rows.json", rows)
    text = (tmp_path / "rows.json").read_text()
    assert [text.count(word) for word in ("c0ffee", "numpy", "dirty")] == [1, 1, 1]
    stored = json.loads(text)
    assert stored["rows"][2] == {"name": "steps", "unit": "steps", "value": 2, "parameters": {}}
    write_rows(tmp_path / "rows.json", [])
    assert read_rows(tmp_path / "rows.json") == []


def test_what_an_older_file_does_not_say_is_unknown(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text('{"commit": "c0ffee", "rows": [{"name": "steps", "unit": "steps", "value": 1}]}')
    (row,) = read_rows(path)
    assert (row.commit, row.dirty, row.versions) == ("c0ffee", None, {})
    write_rows(path, [row, replace(row, dirty=False)])
    assert [each.dirty for each in read_rows(path)] == [None, False]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[1]",
        "null",
        "{}",
        '{"rows": [{"name": "steps"}]}',
        '{"rows": [{"name": "steps", "unit": "steps", "value": 1, "colour": "red"}]}',
        '{"rows": [{"name": "paces", "unit": "steps", "value": 1}]}',
        '{"rows": [{"name": ["steps"], "unit": "steps", "value": 1}]}',
        '{"rows": [{"name": "steps", "unit": "metres", "value": 1}]}',
        '{"rows": [{"name": "steps", "unit": "steps", "value": 1, "parameters": []}]}',
        '{"dirty": 2, "rows": [{"name": "steps", "unit": "steps", "value": 1}]}',
    ],
)
def test_malformed_rows_are_refused(tmp_path, text):
    path = tmp_path / "rows.json"
    path.write_text(text)
    with pytest.raises(RunFolderError, match=r"rows\.json"):
        read_rows(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RunFolderError, match=r"nowhere\.json"):
        read_rows(tmp_path / "nowhere.json")


def test_a_name_or_unit_that_is_not_in_the_table_fails():
    with pytest.raises(ValueError, match="no quantity 'cycle_per_step'"):
        Row("cycle_per_step", "cycles", 1)
    with pytest.raises(ValueError, match="cycles_per_step is in cycles, not 'ms'"):
        Row("cycles_per_step", "ms", 1)
    with pytest.raises(ValueError, match="no quantity 'step'"):
        Rows().where("step")


def test_scores_are_in_the_unit_of_any_metric():
    assert QUANTITIES["score"].unit == METRIC
    metric = SimpleNamespace(name="mine:distance", unit="mm", more_is_better=False)
    row = score_row("score", metric, -2.5, {"split": "test"}, 3)
    assert (row.unit, row.seed) == ("mm", 3)
    assert row.parameters == {"split": "test", "metric": "mine:distance", "better": "less"}
    assert Rows([row]).value("score") == -2.5


def test_queries(rows):
    assert rows.value("steps", mode="dense") == 10
    assert rows.value("steps", mode="sparse") == 20
    assert rows.value("steps", mode="other") is None
    assert rows.value("steps", model="a", density=None) == 20
    assert rows.figure("cycles_per_step") == 5.5
    assert rows.values("steps", "mode", model="a") == {"dense": 10, "sparse": 20}
    assert rows.values("steps", "seed") == {0: 10, 1: 20, 2: 20}
    assert rows.all("steps", model="a") == [10, 20]
    assert rows.mean("steps", model="a") == 15
    assert rows.distinct("model") == ["a", "b"]
    assert rows.texts("stopped") == ["all trials are done"]
    assert [row.value for row in rows.where(("steps", "cycles_per_step"), mode="sparse")] == [20, 20, 5.5]
    assert len(rows.where(model="a")) == 3
    assert rows[1:3].all("steps") == [20, 20]


def test_lines_and_collections(rows):
    lines = rows.lines("steps", "model", "mode", optional=("density",))
    assert list(lines) == [(10, "a", "dense", 1), (20, "a", "sparse", None), (20, "b", "sparse", None)]
    assert rows.collect(["steps", "cycles_per_step"], "model", "mode")["a", "sparse"] == {
        "steps": 20,
        "cycles_per_step": 5.5,
    }


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (lambda rows: rows.value("steps"), r"steps with {} is not one figure: \[10, 20\]"),
        (lambda rows: rows.figure("luts"), "no row of luts"),
        (lambda rows: rows.mean("luts"), "no row of luts"),
        (lambda rows: rows.values("steps", "model"), r"steps \(model a, mode sparse\): comes twice"),
        (lambda rows: rows.collect(["steps"], "mode"), "comes twice for the same mode"),
        (lambda rows: list(rows.lines("steps", "density")), "parameter 'density' is missing"),
        (lambda rows: rows.value("mismatches"), r"mismatches: value must be a whole number, not 1\.5"),
        (lambda rows: rows.value("stopped"), "value must be a finite number"),
        (lambda rows: rows.texts("steps"), "value must be a string, not 10"),
    ],
)
def test_errors_name_file_and_row(rows, query, message):
    with pytest.raises(RunFolderError, match=message) as error:
        query(rows)
    assert "verify.json" in str(error.value)


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), True, "x"])
def test_an_amount_is_a_number_of_at_least_0(value):
    with pytest.raises(RunFolderError, match="at least 0, not"):
        Rows([Row("steps", "steps", value)]).value("steps")
    signed = Rows([Row("snr", "dB", -1.0)])
    assert signed.value("snr") == -1


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("density", 0),
        ("density", 2),
        ("epoch", "x"),
        ("entropy", 1),
        ("model", 3),
        ("candidate", []),
        ("point", None),
    ],
)
def test_parameters_are_checked(parameter, value):
    with pytest.raises(RunFolderError, match=f"parameter '{parameter}' must be"):
        list(Rows([Row("steps", "steps", 1, {parameter: value})]).lines("steps", parameter))
