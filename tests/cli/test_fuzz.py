"""The command that looks for differences: what it prints, what it leaves, and its exit status."""

import json
from dataclasses import replace
from functools import partial

import pytest
from typer.testing import CliRunner

from gatewright.cli import app
from gatewright.cli.app import ExitCode
from gatewright.cosim.fuzz import reference
from gatewright.cosim.fuzz import run as fuzz_run
from gatewright.cosim.fuzz.targets import Target
from gatewright.flow import fuzz as fuzz_flow
from gatewright.results import read_rows


@pytest.fixture(autouse=True)
def one_accelerator(monkeypatch, config):
    monkeypatch.setattr(fuzz_run, "draw_target", lambda seed, number: Target(config))


def fuzz(*arguments, status=ExitCode.OK):
    result = CliRunner().invoke(app, ["fuzz", *map(str, arguments), "--json"])
    assert result.exit_code == status, result.output
    return json.loads(result.stdout)


@pytest.mark.slow
def test_rows(tmp_path):
    found = fuzz(
        "--n", 2, "--cases", 2, "--seed", 3, "-o", tmp_path / "fuzz", "--rows", tmp_path / "rows.json"
    )
    rows = {row["name"]: row["value"] for row in found["rows"]}
    assert {row.name: row.value for row in read_rows(tmp_path / "rows.json")} == rows
    assert rows["fuzzed_accelerators"] == 2
    assert rows["fuzzed_models"] >= 4
    assert rows["integers_compared"] > 100
    assert rows["fuzzed_jobs"] >= 8
    assert rows["differing_cases"] == 0
    assert found["next"] == []
    assert not (tmp_path / "fuzz").exists()


@pytest.mark.slow
def test_no_accelerator_is_begun_after_the_minutes(tmp_path):
    found = fuzz("--n", 3, "--cases", 1, "--minutes", 1e-9, "-o", tmp_path)
    assert next(row for row in found["rows"] if row["name"] == "fuzzed_accelerators")["value"] == 1


def test_rows_of_a_replay_are_refused(tmp_path):
    command = ["fuzz", "--replay", str(tmp_path), "--rows", str(tmp_path / "rows.json")]
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, command)
    assert result.exit_code == ExitCode.INPUT
    assert "--replay draws nothing" in result.output


def predict_wrongly(monkeypatch):
    predict = reference.predict

    def wrong(*given, **named):
        found = predict(*given, **named)
        return replace(found, counters=found.counters | {"matrix": found.counters["matrix"] + 1})

    monkeypatch.setattr(reference, "predict", wrong)


@pytest.mark.slow
def test_a_difference_is_left_small_and_replayed(monkeypatch, tmp_path):
    with monkeypatch.context() as planted:
        predict_wrongly(planted)
        # No other accelerator is built to make the case smaller.
        planted.setattr(fuzz_flow, "shrink", partial(fuzz_flow.shrink, simulations=8, builds=0))
        arguments = ("--n", 1, "--cases", 2, "--seed", 3, "-o", tmp_path / "two words")
        found = fuzz(*arguments, status=ExitCode.MISMATCH)
        (folder,) = (tmp_path / "two words").iterdir()
        assert found["next"] == [f"gatewright fuzz --replay '{folder}'"]
        assert any(": predicted matrix " in note for note in found["notes"])
        again = fuzz("--replay", folder, status=ExitCode.MISMATCH)
        assert again["differences"][0].startswith("job 0: predicted matrix ")
    assert fuzz("--replay", folder)["differences"] == []


def test_a_difference_that_needs_all_before_it_is_drawn_again(monkeypatch, tmp_path):
    predict_wrongly(monkeypatch)
    monkeypatch.setattr(fuzz_flow, "shrink", lambda *_: None)
    # Of the first case nothing is predicted.
    arguments = ("--n", 1, "--first", 4, "--cases", 3, "--seed", 3, "-o", tmp_path / "none")
    found = fuzz(*arguments, status=ExitCode.MISMATCH)
    assert found["next"] == ["gatewright fuzz --seed 3 --first 4 --n 1 --cases 2"]
    assert not (tmp_path / "none").exists()


def test_what_is_no_case(tmp_path):
    result = CliRunner().invoke(app, ["fuzz", "--replay", str(tmp_path)])
    assert result.exit_code == ExitCode.INPUT
    assert "give a folder that `fuzz` wrote" in result.output
