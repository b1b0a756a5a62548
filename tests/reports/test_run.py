import json

import pytest

from gatewright.errors import RunFolderError
from gatewright.reports.run import PAIRS, Comparison, Simulation, read_run
from gatewright.results import Row, write_rows


def test_typed_figures(make_run):
    run = read_run(make_run())
    assert run.training.float_score == 98.5
    assert run.training.baseline_score == 93.2
    assert run.training.progress == [(1.0, 91), (2.0, 92), (3.0, 93)]
    assert list(run.compression.scores.items()) == [(1.0, 98.0), (0.25, 97.25), (0.125, 97.125)]
    assert [(p.density, p.kept) for p in run.compression.patterns][1] == (0.25, 0.25)
    assert run.storage[0.25, "sparse"] == {
        "weight": 8000,
        "index": 4000,
        "column": 200,
        "bias": 512,
        "program": 640,
    }
    assert run.synthesis.sums == {"multipliers": 6, "block_ram": 12, "luts": 3456, "flip_flops": 789}
    assert run.synthesis.cells == {"MULT18X18D": 6}
    assert run.summary["task"] == "spoken digits"


def test_executions(make_run):
    executions = read_run(make_run()).simulation.executions
    assert list(executions) == [(0.25, "dense"), (0.25, "sparse")]
    sparse = executions[0.25, "sparse"]
    assert (sparse.cycles_per_step, sparse.steps, sparse.recordings) == (100, 10, 2)
    assert sparse.counters == {"matrix": 80, "drain": 55, "chain_wait": 12.3, "inputs": 13}
    assert sparse.ideal == pytest.approx(80)
    assert executions[0.25, "dense"].ideal == pytest.approx(80)


def test_placements_are_grouped_by_device(make_run):
    large, small = read_run(make_run()).synthesis.placements
    assert (large.device, small.device) == ("ecp5-85k, CABGA381, speed 6", "ecp5-25k, CABGA381, speed 6")
    assert large.megahertz == [118, 112.5, 90]
    assert (large.median, small.median) == (112.5, 101)
    assert large.used == {"multipliers": 24, "luts": 5010}
    assert large.available == {"multipliers": 156, "luts": 83640}


def test_steps_that_have_not_been_run_are_none(make_run):
    run = read_run(make_run(compress=None, compile=None, cosim=None, synth=None, summary=None))
    assert run.training is not None
    assert (run.compression, run.storage, run.simulation, run.synthesis) == (None, None, None, None)
    assert run.summary == {}


def comparison(pair, compared=10, mismatches=0):
    return Comparison(pair, 0.25, None, compared, mismatches)


@pytest.mark.parametrize(
    ("comparisons", "verdict"),
    [
        ([comparison(pair) for pair in PAIRS], "PASS"),
        ([comparison(pair) for pair in PAIRS] + [comparison(PAIRS[0], mismatches=1)], "FAIL"),
        ([comparison(PAIRS[0], mismatches=3)], "FAIL"),
        ([comparison(pair) for pair in PAIRS[:2]], "INCOMPLETE"),
        ([comparison(pair, compared=0) for pair in PAIRS], "INCOMPLETE"),
        ([comparison(pair, mismatches=None) for pair in PAIRS], "INCOMPLETE"),
        ([comparison(pair) for pair in PAIRS] + [comparison(PAIRS[1], compared=0)], "INCOMPLETE"),
        ([], "INCOMPLETE"),
    ],
)
def test_verdict(comparisons, verdict):
    assert Simulation({}, comparisons).verdict == verdict


def test_verdict_of_rows(make_run, tmp_path):
    simulation = read_run(make_run()).simulation
    assert (simulation.verdict, simulation.compared, simulation.mismatches) == ("PASS", 6300, 0)
    rows = json.loads((tmp_path / "cosim.json").read_text())
    (tmp_path / "cosim.json").write_text(json.dumps([row for row in rows if row["name"] != "mismatches"]))
    assert read_run(tmp_path).simulation.verdict == "INCOMPLETE"


@pytest.mark.parametrize(
    ("file", "row", "message"),
    [
        (
            "train",
            Row("float_accuracy", "percent", "high", {"split": "test"}),
            "finite number, at least 0, not 'high'",
        ),
        ("train", Row("float_accuracy", "percent", float("nan"), {}), "finite number, at least 0, not nan"),
        ("train", Row("training_progress", "percent", 9.0, {}), "parameter 'epoch' is missing"),
        (
            "train",
            Row("training_progress", "percent", 9.0, {"epoch": "x"}),
            "'epoch' must be a finite number",
        ),
        ("compress", Row("weight_density", "share", 0.5, {"density": 2, "matrix": "a"}), "at most 1, not 2"),
        ("compile", Row("stored_bits", "bits", 5, {"density": 1, "mode": 3}), "'mode' must be a string"),
        ("cosim", Row("mismatches", "integers", -1, {"pair": "a"}), "at least 0, not -1"),
        ("cosim", Row("mismatches", "integers", 1, {"pair": "a", "density": "x"}), "number, not 'x'"),
        ("cosim", Row("mismatches", "integers", 0.5, {"pair": "a"}), "whole number, not 0.5"),
        ("cosim", Row("mismatches", "integers", True, {"pair": "a"}), "finite number, at least 0, not True"),
        (
            "synth",
            Row("placed_frequency", "MHz", 99.0, {"device": "a", "package": "b"}),
            "parameter 'speed' is missing",
        ),
        ("synth", Row("cells", "count", 3, []), "must be objects"),  # type: ignore[arg-type]
        ("synth", Row(["cells"], "count", 3, {"type": "x"}), "must be strings"),  # type: ignore[arg-type]
    ],
)
def test_malformed_rows_name_file_and_entry(tmp_path, file, row, message):
    write_rows(tmp_path / f"{file}.json", [Row("other", "count", 1), row])
    with pytest.raises(RunFolderError, match=message) as error:
        read_run(tmp_path)
    assert f"{file}.json: entry 1" in str(error.value)


@pytest.mark.parametrize("text", ["", "{", '{"a": 1}', "[1]", '[{"name": "x"}]', "null"])
def test_foreign_files(tmp_path, text):
    (tmp_path / "train.json").write_text(text)
    with pytest.raises(RunFolderError, match=r"train\.json"):
        read_run(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"config": 3}'])
def test_malformed_summary(make_run, tmp_path, text):
    make_run()
    (tmp_path / "summary.json").write_text(text)
    with pytest.raises(RunFolderError, match=r"summary\.json"):
        read_run(tmp_path)


def test_empty_folder(tmp_path):
    with pytest.raises(RunFolderError, match="gatewright train"):
        read_run(tmp_path)
    with pytest.raises(RunFolderError, match="no rows"):
        read_run(tmp_path / "nowhere")
