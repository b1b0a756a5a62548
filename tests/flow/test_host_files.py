import json
import subprocess

import numpy as np
import pytest

from gatewright.cosim.golden import Golden
from gatewright.cosim.workloads import random_bundle
from gatewright.custody import Delivery, Proof, sha256
from gatewright.errors import GatewrightError, MismatchError
from gatewright.flow.design import compile_models
from gatewright.flow.host_files import check_host_files, host_files
from gatewright.flow.settings import BuildSettings
from gatewright.flow.verify import verify
from gatewright.hw.compiler.choose import HardwareChoice
from gatewright.hw.fpga import flows
from gatewright.hw.registers import descriptions
from gatewright.run import RunFolder

NAMES = ("images/a.dense.bin", "images/a.dense.hex", "wire.json")


@pytest.fixture(scope="module")
def design():
    """A design whose Verilog is a text, as nothing is simulated."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flows, "_rtl", lambda *_: [("rtl/a.sv", "module a; endmodule")])
        yield compile_models(
            {"a": random_bundle(1, inputs=2, hidden=4, classes=3, kept=2, lanes=4)},
            settings=BuildSettings(("dense",), every_step=True),
        )


@pytest.fixture
def run(design, tmp_path):
    return design.write(tmp_path / "fpga")


def changed(path):
    """Change one digit of a file that stays well formed."""
    content = path.read_bytes()
    place = content.rindex(b'"frac": ') + 8 if path.suffix == ".json" else len(content) - 2
    digit = {
        ".bin": bytes([content[place] ^ 1]),
        ".hex": b"1" if content[place : place + 1] == b"0" else b"0",
    }
    path.write_bytes(content[:place] + digit.get(path.suffix, b"2") + content[place + 1 :])


def test_a_build_has_the_files_and_they_hold_what_is_simulated(design, run):
    assert [path.relative_to(run.root).as_posix() for path, _ in host_files(run, design)] == list(NAMES)
    check_host_files(run, design)
    words = np.frombuffer((run.root / NAMES[0]).read_bytes(), "<u4").reshape(-1, 2)
    assert np.array_equal(words, design.model().compiled.image.load_words())


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_changed_is_named_by_custody_and_unproven(run, design, name):
    proven = Proof({each: sha256(run.root / each) for each in Delivery.load(run.root).to_prove}, ())
    assert proven.unproven(run.root) == ()
    changed(run.root / name)
    assert proven.unproven(run.root) == (name,)
    with pytest.raises(MismatchError, match=name):
        verify(run.root)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_was_delivered_wrong_is_found(run, design, name):
    changed(run.root / name)
    roles = {each: file.role for each, file in Delivery.load(run.root).files.items()}
    Delivery.of(run.root, roles).save(run.root)
    with pytest.raises(MismatchError, match=f"{name} does not hold the"):
        verify(run.root)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_missing_or_cut_short_is_named(run, design, name):
    path = run.root / name
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(GatewrightError, match=name):
        check_host_files(run, design)
    path.unlink()
    with pytest.raises(GatewrightError, match=name):
        check_host_files(run, design)


def test_the_formats_turn_reals_into_inputs_and_results_into_reals(design, run):
    (told,) = json.loads(run.wire.read_text())["models"]
    model = design.model()
    raw = np.random.default_rng(0).normal(size=(5, 2))
    source = told["input"]
    scaled = (raw - source["mean"]) / source["deviation"] * 2.0 ** source["frac"]
    top = 1 << source["bits"] - 1
    x = np.clip(np.floor(scaled + 0.5), -top, top - 1).astype(np.int64)
    assert np.array_equal(x, model.bundle.quantise_input(raw))

    results = np.asarray(Golden(model.compiled).run(x))
    (logits,) = told["results"]
    assert (logits["kind"], logits["steps"], logits["size"]) == ("logits", "all", 3)
    assert len(results) == len(x) * logits["size"]
    assert np.array_equal(results.reshape(5, 3) * 2.0 ** -logits["frac"], design.run(raw))
    assert (told["name"], told["storage"]) == ("a", "dense")


def test_a_model_without_a_head_sends_its_output(tmp_path):
    bundle = random_bundle(2, inputs=2, hidden=4, classes=0, lanes=4)
    design = compile_models({"a": bundle}, settings=BuildSettings(("dense",), every_step=False))
    formats = dict(host_files(RunFolder(tmp_path), design))[tmp_path / "wire.json"]
    (told,) = json.loads(formats)["models"]
    (hidden,) = told["results"]
    assert (hidden["kind"], hidden["steps"], hidden["size"]) == ("hidden", "last", 4)
    assert hidden["frac"] == bundle.layers[-1].output_format.frac


@pytest.fixture
def written(monkeypatch, tmp_path):
    """Write a design with some settings, with registers but without Verilog."""

    def described(config, compiled, mapped, board):
        for name, text in descriptions(config, mapped=mapped, board=board).items():
            yield f"registers/{name}", text

    monkeypatch.setattr(flows, "_rtl", described)
    monkeypatch.setattr(flows, "emit_on_board", lambda *_: "module a; endmodule")

    def write(folder, **others):
        bundle = random_bundle(1, inputs=2, hidden=4, classes=3, kept=2, lanes=4)
        settings = BuildSettings(("dense",), megahertz=50, **others)
        return compile_models({"a": bundle}, HardwareChoice(lanes=4), settings).write(tmp_path / folder).root

    return write


@pytest.mark.parametrize("host", [{"mapped": True}, {"board": "colorlight-i5"}])
def test_a_build_for_a_host_has_the_c_driver_and_it_compiles_there(written, host):
    root = written("fpga", **host)
    include = [f"-I{root / 'registers'}", f"-I{root / 'driver'}"]
    command = ["gcc", "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", *include, "-c", "-o"]
    subprocess.run([*command, root.parent / "driver.o", root / "driver" / "gatewright.c"], check=True)


def test_a_build_for_no_host_has_no_driver(written):
    root = written("fpga")
    assert not (root / "driver").exists()
    assert not any(name.startswith("driver/") for name in Delivery.load(root).files)


@pytest.mark.parametrize("name", ["driver/gatewright.h", "driver/gatewright.c"])
def test_a_driver_that_changed_is_named(written, name):
    root = written("fpga", mapped=True)
    delivery = Delivery.load(root)
    assert name not in delivery.to_prove
    proven = Proof({each: sha256(root / each) for each in delivery.to_prove}, ())
    assert proven.unproven(root) == ()
    with (root / name).open("a") as stream:
        stream.write("/* mine */")
    assert delivery.changed(root) == [name]
    assert proven.unproven(root) == (name,)


def test_a_build_for_no_host_takes_the_place_of_one_with_a_driver(written):
    root = written("fpga", mapped=True)
    assert (root / "driver").is_dir()
    RunFolder(root).clear_build()
    assert not (root / "driver").exists()
