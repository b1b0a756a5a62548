"""The command line from a user's file to the report, on a small model of random sequences."""

import json
import re
import shutil

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from gatewright import __version__
from gatewright.cli import app
from gatewright.cosim import toolchain
from gatewright.results import read_rows
from gatewright.sw.bundle import Bundle
from gatewright.sw.models import FloatModel

DENSITIES = ["--density", "1", "--density", "0.34"]
SMALL = ["--hidden", "12", "--epochs", "2", "--lanes", "8", "--cell-lanes", "1", "--recordings", "3", "--trials", "3",
         "--prune-epochs", "2", "--quantise-epochs", "1", "--workers", "1", *DENSITIES]  # fmt: skip


def invoke(*arguments, status=0):
    """Run the command line in this process; gives what it printed, in one line."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})
    assert result.exit_code == status, result.output
    return re.sub(r"\s+", " ", result.output)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Sequences of three classes that differ in the mean of their features."""
    rng = np.random.default_rng(7)
    lengths = rng.integers(3, 9, 60)
    y = np.arange(60) % 3
    centres = rng.normal(size=(3, 5))
    X = np.concatenate([centres[c] + 0.3 * rng.normal(size=(n, 5)) for c, n in zip(y, lengths, strict=True)])
    path = tmp_path_factory.mktemp("data") / "mine.npz"
    np.savez(path, X=X, y=y, lengths=lengths)
    return path


@pytest.fixture(scope="module")
def run(recordings, tmp_path_factory):
    """A finished demo on the user's file."""
    folder = tmp_path_factory.mktemp("runs") / "mine"
    invoke("demo", "--run", folder, "--task", recordings, *SMALL)
    return folder


def test_help_lists_the_steps():
    text = invoke("--help")
    for name in (
        "train",
        "compress",
        "patterns",
        "simplify",
        "import",
        "quantise",
        "compile",
        "verilog",
        "synth",
        "estimate",
        "cosim",
        "search",
        "report",
        "demo",
        "bench",
        "table",
    ):
        assert f" {name} " in text
    assert __version__ in invoke("--version")


def test_a_demo_leaves_its_summary_and_report(run):
    summary = json.loads((run / "summary.json").read_text())
    assert summary["mismatches"] == 0
    assert set(summary["quantised_accuracy"]) == {"1", "0.34"}
    assert set(summary["cycles_per_step"]) == {"dense", "sparse"}
    assert 0 < summary["cycles_per_step"]["sparse"] < summary["cycles_per_step"]["dense"]
    assert summary["simulated_cycles_per_second"] > 0
    rows = json.loads((run / "cosim.json").read_text())
    compared = {}
    for row in rows:
        if row["name"] == "integers_compared":
            pair = row["parameters"]["pair"]
            compared[pair] = compared.get(pair, 0) + row["value"]
    assert set(compared) == {"pytorch = golden", "golden = RTL", "dense = sparse"}
    assert min(compared.values()) > 0
    assert sum(compared.values()) == summary["integers_compared"]
    assert "<svg" in (run / "report.html").read_text()


def test_a_demo_searches(run):
    front = json.loads((run / "search" / "front.json").read_text())
    found = [row for row in front if row["parameters"]["kind"] == "found"]
    assert sum(row["value"] for row in found if row["name"] == "point_integers_compared") > 0
    assert not any(row["value"] for row in front if row["name"] == "point_mismatches")
    summary = json.loads((run / "summary.json").read_text())
    assert summary["search"]["points"] == len({row["parameters"]["point"] for row in found})
    assert 'href="search/report.html"' in (run / "report.html").read_text()
    assert "<svg" in (run / "search" / "report.html").read_text()


def test_a_search_goes_on_where_it_was_left(run, tmp_path):
    small = ["--lanes", "8", "--workers", "1", "--prune-epochs", "2", "--quantise-epochs", "1"]
    asked = ["search", "--run", run, "--study", tmp_path / "study", *small, "--predict"]
    text = invoke(*asked, "--trials", "4", "--rounds", "1", "--points", "1", "--patience", "2")
    assert "stopped: " in text
    trials = (tmp_path / "study" / "trials.json").read_bytes()
    again = invoke(*asked, "--trials", "4", "--rounds", "1", "--points", "1", "--patience", "2")
    assert "stopped: " in again
    assert (tmp_path / "study" / "trials.json").read_bytes() == trials
    assert "other settings" in invoke(*asked, "--trials", "5", "--rounds", "1", status=2)


def test_a_step_can_be_repeated_alone(run):
    assert "--overwrite" in invoke("cosim", "--run", run, status=2)
    kept = [p for p in run.rglob("*") if p.suffix in (".npz", ".pt", ".v")]
    before = {p: p.read_bytes() for p in kept}
    text = invoke("cosim", "--run", run, "--recordings", "2", "--stalls", "--overwrite")
    assert "golden = RTL" in text
    assert {p: p.read_bytes() for p in kept} == before
    assert not (run / "report.html").exists()
    invoke("report", "--run", run)
    assert json.loads((run / "summary.json").read_text())["mismatches"] == 0


def test_narrow_low_rank_models_go_the_same_way(recordings, tmp_path):
    folder = tmp_path / "run"
    shape = ["--bits", "4", "--rank", "3", "--columns", "contribution", "--trials", "0"]
    invoke("demo", "--run", folder, "--task", recordings, *SMALL, *shape)
    assert json.loads((folder / "summary.json").read_text())["mismatches"] == 0
    densities = {
        row["parameters"]["matrix"]
        for row in json.loads((folder / "compress.json").read_text())
        if row["name"] == "weight_density"
    }
    assert densities == {
        "layer0.input.first",
        "layer0.input.second",
        "layer0.recurrent.first",
        "layer0.recurrent.second",
        "head",
    }


def test_processes_side_by_side_give_the_same(run, tmp_path):
    shutil.copytree(run, tmp_path / "copy")
    found = []
    for workers in (1, 2):
        at = ["--run", tmp_path / "copy", "--overwrite", "--workers", workers]
        invoke("compress", *at, "--prune-epochs", "2", "--quantise-epochs", "1", *DENSITIES, "--lanes", "8")
        invoke("compile", *at[:2], "--cell-lanes", "1")
        invoke("cosim", *at, "--recordings", "3")
        rows = [read_rows(tmp_path / "copy" / f"{step}.json") for step in ("compress", "cosim")]
        found.append([row for each in rows for row in each if row.name != "simulated_cycles_per_second"])
    assert found[0] == found[1]


def test_a_model_is_simplified_to_a_requirement(run):
    asked = ["simplify", "--run", run, "--lanes", "8", "--score", "20", "--volume", "30000"]
    text = invoke(*asked, "--overwrite")
    assert "requirement_met" in text
    rows = json.loads((run / "simplify.json").read_text())
    stored = next(row for row in rows if row["name"] == "stored_bits")
    bundle = Bundle.load(run / "simplified.npz")
    assert bundle.notes["volume"] == stored["value"]
    assert len(bundle.notes["rounds"]) == sum(row["name"] == "round_score" for row in rows) > 0
    assert "--overwrite" in invoke(*asked, status=2)
    kept = (run / "simplified.npz").read_bytes()
    assert "Requirement.volume must be" in invoke(*asked, "--volume", "0", "--overwrite", status=2)
    assert (run / "simplified.npz").read_bytes() == kept


def test_a_users_model_is_imported(tmp_path):
    lstm = torch.nn.LSTM(3, 5, num_layers=2)
    torch.save(lstm.state_dict(), tmp_path / "theirs.pt")
    output = tmp_path / "model.pt"
    text = invoke("import", tmp_path / "theirs.pt", "--output", output)
    assert "largest difference from the source:" in text
    x = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    expected = lstm(torch.from_numpy(x)[:, None])[0][:, 0].detach().numpy()
    assert np.allclose(FloatModel.load(output).outputs([x])[0], expected, atol=1e-6)
    assert "--overwrite" in invoke("import", tmp_path / "theirs.pt", "--output", output, status=2)
    samples = tmp_path / "samples.npz"
    np.savez(samples, X=np.random.default_rng(1).normal(size=(60, 3)), lengths=[20, 20, 20])
    bundle = tmp_path / "model.npz"
    assert " snr " in invoke("quantise", output, "--samples", samples, "--output", bundle, "--lanes", "8")
    assert "cycles" in invoke("estimate", bundle)
    assert "--overwrite" in invoke("quantise", output, "--samples", samples, "--output", bundle, status=2)
    assert "not a model file by its name" in invoke("import", __file__, status=2)


def test_an_existing_run_is_kept(run, recordings):
    text = invoke("demo", "--run", run, "--task", recordings, *SMALL, status=2)
    assert "RunFolderError" in text
    assert (run / "summary.json").exists()


def test_a_foreign_folder_is_never_replaced(tmp_path, recordings):
    (tmp_path / "precious.txt").write_text("mine")
    text = invoke("train", "--run", tmp_path, "--task", recordings, "--overwrite", status=2)
    assert "no run folder" in text
    assert (tmp_path / "precious.txt").exists()


@pytest.mark.parametrize("step", ["compress", "compile", "verilog", "synth", "cosim", "report"])
def test_steps_need_a_run(tmp_path, step):
    text = invoke(step, "--run", tmp_path / "none", status=2)
    assert "is no run folder; `gatewright train" in text


def test_a_step_names_the_one_that_it_needs(tmp_path, recordings):
    folder = tmp_path / "run"
    invoke("train", "--run", folder, "--task", recordings, "--hidden", "8", "--epochs", "1")
    assert "gatewright compress" in invoke("compile", "--run", folder, status=2)
    assert "gatewright compile" in invoke("verilog", "--run", folder, status=2)
    assert "gatewright compile" in invoke("synth", "--run", folder, status=2)
    assert "gatewright compile" in invoke("cosim", "--run", folder, status=2)
    invoke("report", "--run", folder)
    summary = json.loads((folder / "summary.json").read_text())
    assert "mismatches" not in summary
    assert summary["float_accuracy"] > 0
    assert "gatewright cosim" in (folder / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--task", "words"], "no task named 'words'"),
        (["train", "--task", "none.npz"], "none.npz"),
        (["train", "--hidden", "0"], "TrainSettings.hidden must be from"),
        (["compress", "--density", "2"], "density must be above 0 and at most 1, not 2"),
        (["compress", "--bits", "3"], "bits must be one of (2, 4, 8), not 3"),
        (["compress", "--lanes", "24"], "lanes must be a power of two"),
        (["demo", "--cell-lanes", "64"], "cell_lanes must be a power of two from 1 to 8"),
        (["demo", "--density", "0"], "density must be above 0 and at most 1, not 0"),
        (["demo", "--columns", "some"], "'some' is not one of"),
        (
            ["bench", "nothing"],
            "known are hw, hw-large, hw-wide, cycles, place, sim, golden, train, qat, compress, factors, patterns, "
            "text, import",
        ),
        (["bench", "text"], "give --text FILE"),
        (["search", "--choose", "lanes:16"], "must be written as rank=8,16,none"),
        (["search", "--limit", "size=4"], "a limit must be written as cycles=500"),
        (["search", "--latency", "fast"], "a latency must be a number above 0 with its unit"),
        (["search", "--trials", "0"], "SearchSettings.trials must be from 1"),
        (["search", "--choose", "lanes=24"], "must be a power of two, not 24"),
        (["search", "--device", "ecp6"], "ecp6"),
    ],
)
def test_bad_values_are_refused_by_name(run, tmp_path, arguments, message):
    target = (
        []
        if arguments[0] == "bench"
        else ["--run", run if arguments[0] in ("compress", "search") else tmp_path / "new"]
    )
    assert message in invoke(*arguments, *target, status=2).replace("│ ", "")
    assert not (tmp_path / "new").exists()


def test_a_missing_compiler_is_told_before_the_work(run, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    toolchain.compiler.cache_clear()
    try:
        assert "Debian" in invoke("demo", "--run", tmp_path / "new", status=2)
        assert not (tmp_path / "new").exists()
        assert "not on PATH: g++" in invoke("cosim", "--run", run, "--overwrite", status=2)
        assert (run / "cosim.json").exists()
    finally:
        toolchain.compiler.cache_clear()
