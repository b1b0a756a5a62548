"""The command line from a user's files to a proof, on a small model of random sequences."""

import json
import re
import shutil
import tomllib

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from gatewright import __version__
from gatewright.benchmarks import NAMES
from gatewright.benchmarks.registry import BENCHES
from gatewright.cli import app
from gatewright.cli.app import ExitCode
from gatewright.cosim import toolchain
from gatewright.cosim.cache import cached
from gatewright.cosim.cxxrtl import translate
from gatewright.custody import Delivery, Proof
from gatewright.flow.design import Design, compile_models
from gatewright.flow.host_files import host_files
from gatewright.flow.synth import placed_lines
from gatewright.hw.compiler.choose import HardwareChoice
from gatewright.results import Row, write_rows
from gatewright.run import RunFolder
from gatewright.sw.bundle import Bundle
from gatewright.sw.models import FloatModel
from gatewright.sw.tasks import digits

COMMANDS = (
    "train",
    "tune",
    "import",
    "quantise",
    "simplify",
    "search",
    "build",
    "verify",
    "estimate",
    "synth",
    "prove",
    "bitstream",
    "run",
    "fuzz",
    "demo",
    "report",
    "bench",
    "cache",
    "table",
)
QUICK = ["--prune-epochs", "2", "--quantise-epochs", "1"]


def run(*arguments, status=ExitCode.OK):
    """Run the command line in this process; returns what it wrote to the standard output and error."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})
    assert result.exit_code == status, result.output
    return result.stdout, result.stderr


def said(*arguments, status=ExitCode.OK):
    """Return all that a command says, in one line."""
    return re.sub(r"\s+", " ", " ".join(run(*arguments, status=status)))


def answer(*arguments, status=ExitCode.OK):
    """Return the JSON that a command prints."""
    return json.loads(run(*arguments, "--json", status=status)[0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A user's files: sequences of three classes that differ in the mean of their features, and a PyTorch model."""
    root = tmp_path_factory.mktemp("user")
    rng = np.random.default_rng(7)
    lengths = rng.integers(3, 9, 60)
    y = np.arange(60) % 3
    centres = rng.normal(size=(3, 5))
    X = np.concatenate([centres[c] + 0.3 * rng.normal(size=(n, 5)) for c, n in zip(y, lengths, strict=True)])
    np.savez(root / "mine.npz", X=X, y=y, lengths=lengths)
    np.savez(root / "unlabelled.npz", X=X, lengths=lengths)
    torch.manual_seed(0)
    state = {f"lstm.{key}": value for key, value in torch.nn.LSTM(5, 12).state_dict().items()}
    state |= {f"fc.{key}": value for key, value in torch.nn.Linear(12, 3).state_dict().items()}
    torch.save(state, root / "theirs.pt")
    run("import", root / "theirs.pt", "--head", "fc", "-o", root / "model.pt")
    quick = ["--lanes", "8", "--density", "0.34", *QUICK]
    run("quantise", root / "model.pt", "--data", root / "mine.npz", *quick, "-o", root / "model.npz")
    run("build", root / "model.npz", "--cell-lanes", "1", "-o", root / "fpga")
    return root


@pytest.fixture(scope="module")
def proven(folder):
    """The folder of a build that has been verified."""
    found = answer("verify", folder / "fpga", "--data", folder / "mine.npz", "--recordings", "3")
    assert found["verdict"] == "PASS"
    return folder / "fpga"


def test_help_lists_the_commands_and_exit_statuses():
    text = said("--help")
    for name in COMMANDS:
        assert f" {name} " in text
    assert "4 a mismatch" in text
    assert __version__ in said("--version")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command_has_examples(name):
    assert f"gatewright {name}" in said(name, "--help").partition("Examples:")[2]


def test_the_cache_says_its_size_and_is_cleared(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def fill(_, kept):
        (kept / "program").write_bytes(bytes(1_500_000))

    entry = cached("a simulation", fill)
    assert f"{tmp_path / 'gatewright'}: 1 entries, 1.5 MB" in said("cache")
    assert answer("cache", "--clear")["entries"] == 1
    assert not entry.exists()
    assert answer("cache")["bytes"] == 0


@pytest.mark.slow
def test_the_report_of_a_build_tells_how_its_model_behaves(folder):
    run("report", folder / "fpga")
    text = (folder / "fpga" / "report.html").read_text()
    assert "Confusion matrix of model, test split" in text
    assert "Signal-to-noise of each layer" in text
    assert re.search(r'%<span class="note"> \([\d.]+ to [\d.]+\)', text)


def test_several_folders_are_compared(folder, tmp_path):
    other = shutil.copytree(folder / "fpga", tmp_path / "other")
    found = answer("report", folder / "fpga", other, "-o", tmp_path / "both.html")
    assert found["comparison"] == found["wrote"] == str(tmp_path / "both.html")
    assert (tmp_path / "both.html").read_text().count("<td>model</td>") == 2
    text = said("report", folder / "fpga", "-o", tmp_path / "one.html", status=ExitCode.INPUT)
    assert "--output is for a comparison of several folders" in text


def test_an_estimate_says_which_clock_turns_cycles_into_time(folder, tmp_path):
    found = answer("estimate", folder / "fpga")
    assert found["clock"] == {"megahertz": 100.0, "source": "asked for"}
    assert found["microseconds_per_step"] == found["cycles_per_step"] / 100
    asked = answer("estimate", folder / "fpga", "--clock", "50")
    assert asked["inferences_per_second"] == pytest.approx(found["inferences_per_second"] / 2)
    placed = shutil.copytree(folder / "fpga", tmp_path / "placed")
    at = {"device": "ecp5-85k", "package": "CABGA381", "speed": "6"}
    rows = [Row("placed_frequency", "MHz", value, at) for value in (118.0, 112.5, 90.0)]
    write_rows(RunFolder(placed).rows("synth"), rows)
    met = answer("estimate", placed)
    assert met["clock"]["megahertz"] == 112.5
    assert met["clock"]["source"] == "met on ecp5-85k (placed and routed, median of 3 seeds)"
    assert met["device"] == "ecp5-85k"
    used = [Row("placed_luts", "count", value, at | {"available": 83640}) for value in (8000, 8364, 9000)]
    write_rows(RunFolder(placed).rows("synth"), rows + used)
    time, share = placed_lines(placed)
    assert time.startswith(f"{met['clock']['megahertz']:g} MHz, met on ecp5-85k")
    assert f"{met['microseconds_per_step']:.4g} µs per step" in time
    assert share == "of ecp5-85k: look-up tables 10.0 %"


def test_an_estimate_of_a_build_with_results_of_every_step(folder):
    last, every = (
        answer("estimate", folder / "fpga", "--results", when, "--steps", "9") for when in ("last", "all")
    )
    assert {loop["when"] for loop in last["loops"] if loop["name"] == "head"} == {"LAST"}
    assert {loop["when"] for loop in every["loops"] if loop["name"] == "head"} == {"ALWAYS"}
    assert every["cycles"] > last["cycles"]
    assert answer("estimate", folder / "fpga", "--results", "every-step", "--steps", "9") == every


def test_an_estimate_of_a_build_takes_no_other_accelerator(folder):
    text = said("estimate", folder / "fpga", "--lanes", "4", status=ExitCode.INPUT)
    assert "is a build, whose accelerator is settled: leave out --lanes" in text


def test_results_go_to_the_standard_output_and_all_else_to_the_standard_error(folder):
    out, error = run("estimate", folder / "fpga")
    assert "cycles per step" in out
    out, error = run("import", folder / "theirs.pt", "-o", folder / "again.pt")
    assert "took lstm.weight_ih_l0" in out
    assert "left out: fc.weight" in error
    assert "--head fc" in error
    assert f"wrote {folder / 'again.pt'}" in error
    out, error = run("import", folder / "theirs.pt", "-o", folder / "again.pt", "--overwrite", "--quiet")
    assert "wrote" not in error
    out, error = run("estimate", folder / "none.npz", status=ExitCode.INPUT)
    assert out == ""
    assert "none.npz: no such file" in error


def test_an_import_says_what_it_took_and_compares(folder):
    found = answer("import", folder / "theirs.pt", "--head", "fc", "-o", folder / "json.pt")
    assert found["difference"] < 1e-6
    assert found["left_out"] == []
    assert FloatModel.load(folder / "json.pt").network.result_size == 3


def test_data_without_targets_are_taught_by_the_float_model(folder):
    found = answer(
        "quantise", folder / "model.pt", "--data", folder / "unlabelled.npz", "-o", folder / "u.npz"
    )
    scores = {row["parameters"]["metric"] for row in found["rows"] if row["name"] == "score"}
    assert scores == {"agreement"}
    assert Bundle.load(folder / "u.npz").notes["metric"] == "agreement"
    assert {row["unit"] for row in found["rows"] if row["name"] == "snr"} == {"dB"}


@pytest.mark.slow
def test_the_proof_names_what_it_proves(proven, folder):
    proof = Proof.load(proven)
    pairs = {claim.pair for claim in proof.claims}
    assert {"pytorch = golden", "golden = RTL", "golden = AXI", "predicted = measured cycles"} <= pairs
    assert proof.verdict(proven) == "PASS"
    assert set(Delivery.load(proven).to_prove) == set(proof.files)
    assert answer("report", proven)["summary"]["verdict"] == "PASS"


@pytest.mark.slow
def test_a_proof_names_the_simulator(proven, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(translate, "QUICK_LANES", 0)
    shutil.copytree(proven, tmp_path / "fpga")
    asked = [
        "verify",
        tmp_path / "fpga",
        "--data",
        folder / "mine.npz",
        "--recordings",
        "2",
        "--workers",
        "1",
    ]
    found = answer(*asked, "--engine", "cxxrtl", "--no-axi")
    assert found["mismatches"] == 0
    assert found["unproven"] == ["rtl/gatewright_axi.sv"]
    engines = {claim.pair: claim.engine for claim in Proof.load(tmp_path / "fpga").claims}
    assert engines == {
        "pytorch = golden": "",
        "golden = RTL": "cxxrtl",
        "predicted = measured cycles": "cxxrtl",
    }
    assert {claim.engine for claim in Proof.load(proven).claims} == {"", "verilator"}


@pytest.mark.parametrize(
    "name",
    [
        "rtl/gatewright_accelerator.sv",
        "rtl/gatewright_axi.sv",
        "rtl/gatewright_serial.sv",
        "images/model.auto.npz",
        "images/model.auto.bin",
        "images/model.auto.hex",
        "wire.json",
        "registers/gatewright_registers.h",
        "models/model.npz",
        "config.json",
        "constraints/gatewright.lpf",
        "ecp5-85k/run.sh",
        "ecp5-85k/run.py",
    ],
)
def test_a_delivered_file_that_changed_is_named_and_unproven(proven, folder, name):
    path = proven / name
    before = path.read_bytes()
    try:
        path.write_bytes(before[:-1] + b"#")
        found = answer("report", proven, status=ExitCode.MISMATCH)
        assert found["unproven"] == [name]
        assert found["summary"]["verdict"] == "UNPROVEN"
        assert name in said("verify", proven, "--data", folder / "mine.npz", status=ExitCode.MISMATCH)
    finally:
        path.write_bytes(before)
    assert answer("report", proven)["unproven"] == []


@pytest.mark.slow
def test_a_wrong_image_is_a_mismatch(folder, proven, tmp_path):
    """A bundle that is not the one of the image, delivered so: the proof itself must fail."""
    other = tmp_path / "fpga"
    quick = ["--lanes", "8", "--density", "0.34", "--seed", "5", *QUICK]
    run("quantise", folder / "model.pt", "--data", folder / "mine.npz", *quick, "-o", tmp_path / "model.npz")
    run("build", folder / "model.npz", "--cell-lanes", "1", "-o", other)
    (other / "models" / "model.npz").write_bytes((tmp_path / "model.npz").read_bytes())
    roles = {name: file.role for name, file in Delivery.load(other).files.items()}
    for path, contents in host_files(RunFolder(other), Design.open(other)):
        path.write_bytes(contents)
    Delivery.of(other, roles).save(other)
    found = answer("verify", other, "--data", folder / "mine.npz", "--no-axi", status=ExitCode.MISMATCH)
    assert found["mismatches"] > 0
    assert found["verdict"] == "FAIL"
    assert "rtl/gatewright_axi.sv" in found["unproven"]


@pytest.mark.slow
def test_a_baked_model_is_simulated_as_delivered(folder, tmp_path):
    run("build", folder / "model.npz", "--cell-lanes", "1", "--bake", "model", "-o", tmp_path / "fpga")
    found = answer("verify", tmp_path / "fpga", "--data", folder / "mine.npz", "--recordings", "2")
    assert found["verdict"] == "PASS"
    pairs = [row["parameters"]["pair"] for row in found["rows"] if row["name"] == "integers_compared"]
    assert {"golden = RTL", "golden = AXI"} <= set(pairs)


def test_a_baked_model_is_the_only_one(folder, tmp_path):
    both = ("--storage", "dense", "--storage", "sparse")
    failed = said(
        "build",
        folder / "model.npz",
        "--bake",
        "model",
        *both,
        "-o",
        tmp_path / "fpga",
        status=ExitCode.INPUT,
    )
    assert "runs nothing else: build 'model' alone" in failed


def test_every_run_writes_the_file_that_repeats_it(folder, tmp_path):
    written = folder / "model.npz.toml"
    assert tomllib.loads(written.read_text())["quantise"]["density"] == 0.34
    run("quantise", "--config", written, "-o", tmp_path / "model.npz")
    assert (tmp_path / "model.npz").read_bytes() == (folder / "model.npz").read_bytes()
    assert "run.toml" in {path.name for path in (folder / "fpga").iterdir()}
    text = said("estimate", "--config", written, status=ExitCode.USAGE)
    assert "no table [estimate]" in text.replace("│ ", "")


def test_lanes_adapt(folder, tmp_path):
    run(
        "quantise",
        folder / "model.pt",
        "--data",
        folder / "mine.npz",
        "--lanes",
        "4",
        *QUICK,
        "-o",
        tmp_path / "4.npz",
    )
    smallest = compile_models(tmp_path / "4.npz").config
    assert (smallest.lanes, smallest.cell_lanes) == (4, 1)
    fastest = compile_models(tmp_path / "4.npz", HardwareChoice(device="ecp5-85k")).config
    assert fastest.lanes > 4
    assert "cycles per step" in run("estimate", tmp_path / "4.npz", "--lanes", "8")[0]


@pytest.mark.slow
def test_a_study_is_searched_resumed_and_built(folder, tmp_path):
    study = tmp_path / "study"
    asked = ["search", folder / "model.pt", "--data", folder / "mine.npz", "--lanes", "8", "--predict", *QUICK,
             "--rounds", "1", "--points", "1", "--workers", "1", "-o", study]  # fmt: skip
    found = answer(*asked, "--trials", "3")
    assert found["trials"] == 3
    assert "best" in found["points"]
    assert {each["name"] for each in found["recommended"]["matrices"]} >= {"layer0.input", "head"}
    assert answer(*asked, "--trials", "5")["trials"] == 5
    built = answer("build", study, "--point", "best", "--cell-lanes", "1", "-o", tmp_path / "fpga")
    assert built["models"] == ["best"]
    assert "no point 'p99'" in said(
        "build", study, "--point", "p99", "-o", tmp_path / "x", status=ExitCode.INPUT
    )
    assert answer("report", study)["report"].endswith("report.html")


def test_a_model_is_trained_and_simplified(folder, tmp_path):
    shape = ["--hidden", "8", "--layers", "2", "--projection", "4", "--epochs", "2"]
    found = answer("train", "--data", folder / "mine.npz", *shape, "-o", tmp_path / "own.pt")
    assert {row["name"] for row in found["rows"]} == {
        "baseline_score",
        "float_score",
        "scored",
        "training_progress",
    }
    assert len(FloatModel.load(tmp_path / "own.pt").network.layers) == 2
    asked = ["simplify", tmp_path / "own.pt", "--data", folder / "mine.npz", "--lanes", "8", *QUICK,
             "--score", "20"]  # fmt: skip
    small = ["--float", tmp_path / "small.pt", "-o", tmp_path / "small.npz"]
    found = answer(*asked, "--volume", "8000", *small)
    assert found["met"] is True
    Bundle.load(tmp_path / "small.npz")
    rows = {(row["name"], row["parameters"].get("model")): row["value"] for row in found["rows"]}
    assert rows["stored_bits", "small"] <= 8000 < rows["stored_bits", "whole, 8 bits"]
    for model in ("small", "whole, 8 bits"):
        assert rows["cycles_predicted_per_step", model] > 0
    assert any("gatewright search" in each for each in found["next"])
    sizes = [layer.hidden_size for layer in FloatModel.load(tmp_path / "small.pt").network.layers]
    assert sum(sizes) < 16
    assert "small.pt exists" in said(*asked, "--volume", "1", "--float", tmp_path / "small.pt",
                                     "-o", tmp_path / "other.npz", status=ExitCode.INPUT)  # fmt: skip


def test_existing_files_and_foreign_folders_are_kept(folder, tmp_path):
    before = (folder / "model.npz").read_bytes()
    asked = ["quantise", folder / "model.pt", "--data", folder / "mine.npz", "-o", folder / "model.npz"]
    assert "--overwrite" in said(*asked, status=ExitCode.INPUT)
    assert (folder / "model.npz").read_bytes() == before
    assert "--overwrite" in said("build", folder / "model.npz", "-o", folder / "fpga", status=ExitCode.INPUT)
    (tmp_path / "precious.txt").write_text("mine")
    text = said("build", folder / "model.npz", "-o", tmp_path, "--overwrite", status=ExitCode.INPUT)
    assert "choose another name" in text
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_a_model_that_is_too_large_is_refused_before_it_is_trained(tmp_path):
    torch.save(torch.nn.LSTM(64, 768).state_dict(), tmp_path / "large.pt")
    np.savez(tmp_path / "samples.npz", X=np.zeros((4, 5, 64)) + 0.5)
    run("import", tmp_path / "large.pt", "-o", tmp_path / "large-model.pt")
    asked = ["quantise", tmp_path / "large-model.pt", "--data", tmp_path / "samples.npz", "--lanes", "16"]
    text = said(*asked, "-o", tmp_path / "large.npz", status=ExitCode.INPUT)
    assert "does not fit 16 lanes" in text
    assert "--lanes" in text
    assert not (tmp_path / "large.npz").exists()


def test_a_file_of_another_kind_says_what_to_type(folder, tmp_path):
    text = said("quantise", folder / "theirs.pt", "--data", folder / "mine.npz", "-o", tmp_path / "x.npz",
                status=ExitCode.INPUT)  # fmt: skip
    assert f"gatewright import {folder / 'theirs.pt'}" in text
    text = said("build", folder / "model.pt", "-o", tmp_path / "fpga", status=ExitCode.INPUT)
    assert "gatewright quantise" in text
    text = said("verify", tmp_path / "fpga", "--data", folder / "mine.npz", status=ExitCode.INPUT)
    assert "gatewright build" in text


@pytest.fixture
def few_digits(monkeypatch):
    """Every sixth recording: what the demo does with them does not depend on how many there are."""
    plain = digits.read_arrays

    def some(*where):
        arrays = plain(*where)
        lengths = arrays["lengths"]
        chosen = np.arange(len(lengths)) % 6 == 0
        return {
            "X": arrays["X"][np.repeat(chosen, lengths)],
            "lengths": lengths[chosen],
            "y": arrays["y"][chosen],
        }

    monkeypatch.setattr(digits, "read_arrays", some)


@pytest.mark.slow
def test_a_demo_goes_on_where_it_was_left(few_digits, tmp_path):
    asked = ["demo", "-o", tmp_path / "demo", "--hidden", "8", "--epochs", "1", "--lanes", "4", "--cell-lanes", "1",
             "--density", "1", "--density", "0.34", *QUICK, "--recordings", "2", "--trials", "0"]  # fmt: skip
    found = answer(*asked)["summary"]
    assert found["mismatches"] == 0
    assert set(found["scores"]) == {"dense", "kept-34"}
    assert set(found["cycles_per_step"]["kept-34"]) == {"dense", "sparse"}
    assert found["verdict"] == "PASS"
    kept = {path: path.read_bytes() for path in (tmp_path / "demo" / "models").iterdir()}
    (tmp_path / "demo" / "rows" / "verify.json").unlink()
    again = answer(*asked)["summary"]
    assert (again["mismatches"], again["scores"]) == (0, found["scores"])
    assert {path: path.read_bytes() for path in kept} == kept
    assert "other settings" in said(*asked, "--seed", "1", status=ExitCode.INPUT)


def test_benchmarks_are_choices():
    assert tuple(BENCHES) == NAMES
    assert "'nothing' is not one of" in said("bench", "nothing", status=ExitCode.USAGE).replace("│ ", "")
    assert "give --text FILE" in said("bench", "text", status=ExitCode.INPUT)
    for name in ("opponents", "regret", "narrowing"):
        assert "give -o FOLDER" in said("bench", name, status=ExitCode.INPUT)


def test_a_comparison_has_its_data_and_seeds(tmp_path):
    given = ("bench", "opponents", "-o", tmp_path)
    assert "no data named 'words'" in said(*given, "--task", "words", status=ExitCode.INPUT)
    assert "--seeds must be whole numbers" in said(*given, "--seeds", "1,two", status=ExitCode.INPUT)
    assert "seeds must be different" in said(*given, "--seeds", "1,1", status=ExitCode.INPUT)


@pytest.mark.parametrize(
    ("arguments", "message", "status"),
    [
        (["train", "--data", "words"], "no data named 'words'", ExitCode.INPUT),
        (["train", "--hidden", "0"], "TrainSettings.hidden must be from", ExitCode.INPUT),
        (["train", "--metric", "none"], "no metric named 'none'", ExitCode.INPUT),
        (
            ["quantise", "MODEL", "--data", "MINE", "--density", "2"],
            "density must be above 0",
            ExitCode.INPUT,
        ),
        (
            ["quantise", "MODEL", "--data", "MINE", "--bits", "3"],
            "bits must be one of 2, 4, 8",
            ExitCode.INPUT,
        ),
        (["quantise", "MODEL", "--data", "MINE", "--lanes", "24"], "power of two", ExitCode.INPUT),
        (
            ["quantise", "MODEL", "--data", "MINE", "--columns", "some"],
            "'some' is not one of",
            ExitCode.USAGE,
        ),
        (["quantise", "MODEL", "--data", "MINE", "--metric", "mse"], "mse is about values", ExitCode.INPUT),
        (["build", "BUNDLE", "--device", "ecp6"], "'ecp6' is not one of", ExitCode.USAGE),
        (["build", "BUNDLE", "--bake", "other"], "no model named 'other'", ExitCode.INPUT),
        (["build", "BUNDLE", "--storage", "packed"], "storage must be auto, dense, sparse", ExitCode.INPUT),
        (["search", "MODEL", "--data", "MINE", "--trials", "0"], "trials must be from 1", ExitCode.INPUT),
        (["search", "MODEL", "--data", "MINE", "--choose", "lanes=24"], "power of two", ExitCode.INPUT),
        (["search", "MODEL", "--data", "MINE", "--latency", "fast"], "fast", ExitCode.INPUT),
    ],
)
def test_bad_values_are_refused_by_name(folder, tmp_path, arguments, message, status):
    names = {"MODEL": folder / "model.pt", "MINE": folder / "mine.npz", "BUNDLE": folder / "model.npz"}
    target = ["-o", tmp_path / "new"]
    text = said(*(names.get(each, each) for each in arguments), *target, status=status)
    assert message in text.replace("│ ", "")
    assert not (tmp_path / "new").exists()


def test_a_missing_compiler_is_a_tool_that_failed(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    toolchain.compiler.cache_clear()
    try:
        text = said("demo", "-o", tmp_path / "new", status=ExitCode.TOOL)
        assert "not on PATH: g++" in text
        assert not (tmp_path / "new").exists()
    finally:
        toolchain.compiler.cache_clear()


def test_what_tuning_found_is_what_train_and_quantise_take(folder, tmp_path):
    data = ["--data", folder / "mine.npz", "--workers", "1", "--trials", "3", "--samples", "2"]
    choose = ["--choose", "clip=0.5:2", "--choose", "weight-decay=0,0.01"]
    found = answer("tune", *data, *choose, "--hidden", "8", "--epochs", "2", "-o", tmp_path / "tuned")
    assert set(found["values"]) == {"clip", "weight_decay"}
    trained = answer("train", "--config", found["config"], "-o", tmp_path / "tuned.pt")
    scores = [row for row in trained["rows"] if row["name"] == "float_score"]
    assert scores[0]["value"] == found["score"]
    settings = FloatModel.load(tmp_path / "tuned.pt").settings
    assert (settings.hidden, settings.clip) == (8, found["values"]["clip"])
    out, error = run("tune", *data, *choose, "--hidden", "8", "--epochs", "2", "-o", tmp_path / "tuned")
    assert "best trial" in out + error
    assert "separate optima together" in out + error
    quick = ["--lanes", "8", "--density", "0.34", *QUICK]
    found = answer("tune", folder / "model.pt", *data, *quick, "-o", tmp_path / "schedule")
    made = answer("quantise", "--config", found["config"], "-o", tmp_path / "tuned.npz")
    (score,) = (
        row for row in made["rows"] if row["name"] == "score" and row["parameters"]["split"] == "validation"
    )
    assert score["value"] == found["score"]
    text = said("tune", *data, "--density", "0.5", "-o", tmp_path / "no", status=ExitCode.INPUT)
    assert "options of quantising need a MODEL" in text
    text = said(
        "tune", folder / "model.pt", *data, "--hidden", "8", "-o", tmp_path / "no", status=ExitCode.INPUT
    )
    assert "options of float training need no MODEL" in text


@pytest.mark.slow
def test_vectors_and_waves_are_written(folder, tmp_path):
    few = ["--data", folder / "mine.npz", "--recordings", "2", "--no-axi"]
    vectors, waves = tmp_path / "vectors", tmp_path / "waves"
    both = ["--vectors", vectors, "--waves", waves, "--waves-job", 1]
    notes = answer("verify", folder / "fpga", *few, *both)["notes"]

    assert f"vectors: {vectors}" in notes
    written = vectors / "model.auto"
    delivered = folder / "fpga" / "rtl" / "gatewright_accelerator.sv"
    assert (written / "gatewright_accelerator.sv").read_bytes() == delivered.read_bytes()
    assert len((written / "jobs.hex").read_text().split()) == 2

    assert any(f"waves of job 1: {waves} (PASS: 1 jobs" in note for note in notes)
    assert {path.name for path in waves.iterdir()} == {"waves.vcd", "waves.gtkw", "waves.sucl", "ops.txt"}

    refused = said("verify", folder / "fpga", *few, "--vectors", vectors, status=ExitCode.INPUT)
    assert "give --vectors another name" in refused
