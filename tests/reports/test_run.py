import pytest

from gatewright.custody import Claim, Proof
from gatewright.errors import RunFolderError
from gatewright.reports.run import Round, read_run
from gatewright.results import Row, write_rows
from gatewright.run import STEPS


def test_typed_figures(make_run):
    run = read_run(make_run())
    assert run.training.float_score == 98.5
    assert run.training.baseline_score == 93.2
    assert run.training.progress == [(1, 91), (2, 92), (3, 93)]
    assert (run.metric.name, run.metric.unit, run.metric.more_is_better) == ("accuracy", "percent", True)
    assert run.build.storage["quarter", "sparse"] == {
        "weight": 8000,
        "index": 4000,
        "column": 200,
        "bias": 512,
        "program": 640,
    }
    assert run.build.cycles == {("quarter", "sparse"): 99}
    assert run.build.resources == {"luts": 4321}
    assert run.synthesis.sums == {"multipliers": 6, "block_ram": 12, "luts": 3456, "flip_flops": 789}
    assert run.synthesis.cells == {"MULT18X18D": 6}
    assert run.summary["task"] == "spoken digits"


def test_models_are_named_whatever_made_them(make_run):
    models = {model.name: model for model in read_run(make_run()).models}
    assert {name: model.score for name, model in models.items()} == {
        "whole": 98.0,
        "quarter": 97.25,
        "eighth": 97.125,
        "simplified": 98.0,
    }
    assert [model.density for model in models.values()] == [1.0, 0.25, 0.125, None]
    assert models["quarter"].scores == {"test": 97.25, "validation": 50}
    assert models["quarter"].matrices == {
        "layer0.recurrent": {"bits": 8, "weight_density": 25, "density_asked": 6.25, "product_kept": 58},
        "layer0.input": {"rank": 16, "bits": 4},
    }
    assert (models["whole"].snr, models["quarter"].snr) == ({"0": 34.25, "1": -1.5}, {})


def test_what_was_kept_is_told_beside_what_was_asked_for(make_run):
    at = {"model": "a", "product": "layer0.recurrent"}
    rows = [Row("product_kept", "percent", 58.0, at), Row("density_asked", "percent", 6.25, at)]
    run = read_run(make_run(build=[*rows, Row("weights_kept", "percent", 61.5, {"model": "a"})]))
    (model,) = (each for each in run.models if each.name == "a")
    assert model.kept == 61.5
    assert model.matrices == {"layer0.recurrent": {"product_kept": 58.0, "density_asked": 6.25}}
    assert next(each for each in run.models if each.name == "whole").kept is None


def test_scores_of_another_metric_are_no_scores_of_the_run(make_run):
    about = {"model": "whole", "split": "test", "metric": "agreement", "better": "more"}
    models = read_run(make_run(quantise=[Row("score", "percent", 12.0, about)], simplify=None)).models
    assert {model.name: model.score for model in models} == {"whole": None, "quarter": None}


def test_rounds_of_simplifying(make_run):
    simplified = read_run(make_run()).simplified
    assert simplified.rounds[1] == Round(2, 91.5, "simplify", "hidden units", 1200, 9000, False)
    assert (simplified.met, simplified.reason) == (False, "no round was good enough")


def test_executions(make_run):
    executions = read_run(make_run()).simulation.executions
    assert list(executions) == [("quarter", "dense"), ("quarter", "sparse")]
    sparse = executions["quarter", "sparse"]
    assert (sparse.cycles_per_step, sparse.predicted, sparse.steps, sparse.recordings) == (100, 100, 10, 2)
    assert sparse.counters == {"matrix": 80, "drain": 55, "chain_wait": 12.3, "inputs": 13}
    assert sparse.ideal == pytest.approx(80)
    assert executions["quarter", "dense"].ideal == pytest.approx(80)


def test_placements_are_grouped_by_device(make_run):
    large, small = read_run(make_run()).synthesis.placements
    assert (large.device, small.device) == ("ecp5-85k, CABGA381, speed 6", "ecp5-25k, CABGA381, speed 6")
    assert large.megahertz == [118, 112.5, 90]
    assert (large.median, small.median) == (112.5, 101)
    assert large.used == {"multipliers": 24, "luts": 5010}
    assert large.available == {"multipliers": 156, "luts": 83640}


def test_steps_that_have_not_been_run_are_none(make_run):
    absent = dict.fromkeys(("claims", "quantise", "simplify", "build", "verify", "synth", "summary"))
    run = read_run(make_run(**absent))
    assert run.training is not None
    assert (run.models, run.simplified, run.build, run.simulation, run.synthesis) == ([], *[None] * 4)
    assert (run.summary, run.proof.verdict) == ({}, "NOT VERIFIED")


@pytest.mark.parametrize(
    ("claims", "verdict"),
    [
        ([Claim("golden = RTL", "a", "dense", 10, 0)], "PASS"),
        ([Claim("golden = RTL", "a", "dense", 10, 0), Claim("golden = AXI", "a", "dense", 10, 1)], "FAIL"),
        ([Claim("golden = RTL", "a", "dense", 0, 0)], "FAIL"),
        ([], "FAIL"),
        (None, "NOT VERIFIED"),
    ],
)
def test_verdict(make_run, claims, verdict):
    assert read_run(make_run(claims)).proof.verdict == verdict


def test_a_file_that_changed_is_unproven(make_run):
    folder = make_run()
    (folder / "rtl" / "accelerator.sv").write_text("module accelerator; endmodule\n")
    proof = read_run(folder).proof
    assert (proof.verdict, proof.unproven) == ("UNPROVEN", ("rtl/accelerator.sv",))
    assert proof.files == Proof.load(folder).files
    assert (proof.compared, proof.mismatches) == (6300, 0)


@pytest.mark.parametrize(
    ("step", "row", "message"),
    [
        ("train", Row("float_score", "percent", "high", {"split": "test"}), "finite number, not 'high'"),
        ("train", Row("float_score", "percent", float("nan"), {"split": "test"}), "finite number, not nan"),
        ("train", Row("training_progress", "percent", 9.0, {}), "parameter 'epoch' is missing"),
        (
            "train",
            Row("training_progress", "percent", 9.0, {"epoch": "x"}),
            "'epoch' must be a finite number",
        ),
        (
            "quantise",
            Row("weight_density", "percent", 50.0, {"model": "a", "density": 2, "matrix": "a"}),
            "at most 1, not 2",
        ),
        (
            "build",
            Row("stored_bits", "bits", 5, {"model": "a", "mode": 3, "memory": "a"}),
            "'mode' must be a string",
        ),
        ("verify", Row("cycles_per_step", "cycles", -1, {"model": "a", "mode": "b"}), "at least 0, not -1"),
        (
            "verify",
            Row("cycles_per_step", "cycles", True, {"model": "a", "mode": "b"}),
            "at least 0, not True",
        ),
        (
            "synth",
            Row("placed_frequency", "MHz", 99.0, {"device": "a", "package": "b"}),
            "parameter 'speed' is missing",
        ),
    ],
)
def test_malformed_rows_name_the_file(make_run, tmp_path, step, row, message):
    make_run(**dict.fromkeys(STEPS))
    write_rows(tmp_path / "rows" / f"{step}.json", [Row("cells", "count", 1, {"type": "a"}), row])
    with pytest.raises(RunFolderError, match=message) as error:
        read_run(tmp_path)
    assert f"{step}.json: {row.name}" in str(error.value)


@pytest.mark.parametrize("text", ["{", "[]", '{"config": 3}'])
def test_malformed_summary(make_run, tmp_path, text):
    make_run()
    (tmp_path / "summary.json").write_text(text)
    with pytest.raises(RunFolderError, match=r"summary\.json"):
        read_run(tmp_path)


def test_empty_folder(tmp_path):
    with pytest.raises(RunFolderError, match=r"gatewright build model\.npz -o"):
        read_run(tmp_path)
    with pytest.raises(RunFolderError, match="no rows"):
        read_run(tmp_path / "nowhere")
