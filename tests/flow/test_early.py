"""What cannot end well is refused before the long work: nothing is compiled, emitted or proven."""

import numpy as np
import pytest
from typer.testing import CliRunner

from gatewright.cli import app
from gatewright.cli.app import ExitCode
from gatewright.cosim.workloads import random_bundle
from gatewright.errors import RunFolderError
from gatewright.flow import build as building
from gatewright.flow import verify as proving
from gatewright.flow.design import compile_models
from gatewright.flow.settings import BuildSettings
from gatewright.hw.compiler.choose import HardwareChoice
from gatewright.hw.fpga import flows

LONG = "the long work began"


def begun(*_, **__):
    raise AssertionError(LONG)


@pytest.fixture
def bundle():
    return random_bundle(1, inputs=2, hidden=4, classes=3, kept=2, lanes=4)


@pytest.fixture
def waves(bundle, tmp_path, monkeypatch):
    """Ask for the waves of a job, with a build whose Verilog is a text; returns what was said and the status."""
    monkeypatch.setattr(flows, "_rtl", lambda *_: [("rtl/a.sv", "module a; endmodule")])
    monkeypatch.setattr(proving, "_prove", begun)
    design = compile_models({"a": bundle}, HardwareChoice(lanes=4), BuildSettings(("dense",)))
    design.write(tmp_path / "fpga")
    rng = np.random.default_rng(1)
    np.savez(tmp_path / "mine.npz", X=rng.normal(size=(20, 6, 2)).astype(np.float32), y=np.arange(20) % 3)

    def ask(job):
        chosen = ["--waves", str(tmp_path / "waves"), "--waves-job", str(job)]
        data = ["--data", str(tmp_path / "mine.npz"), "--recordings", "2"]
        found = CliRunner().invoke(app, ["verify", str(tmp_path / "fpga"), *data, *chosen])
        return found, tmp_path

    return ask


def test_waves_of_a_job_that_is_not_there(waves):
    found, root = waves(2)
    assert found.exit_code == ExitCode.INPUT, found.output
    assert "there are jobs 0 to 1, no job 2" in found.output
    assert not (root / "waves").exists()


def test_waves_of_a_job_that_is_there_go_on_to_the_proof(waves):
    found, _ = waves(1)
    assert LONG in found.output


def test_a_changed_file_is_told_before_the_job(waves):
    _, root = waves(1)
    (root / "fpga" / "images" / "a.dense.npz").write_bytes(b"no")
    found, _ = waves(9)
    assert found.exit_code == ExitCode.MISMATCH, found.output
    assert "changed since the build" in found.output


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_build_into_a_folder_of_others(bundle, tmp_path, monkeypatch, overwrite):
    monkeypatch.setattr(building, "compile_models", begun)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RunFolderError, match="holds no run of Gatewright; choose another name"):
        building.build(bundle, tmp_path, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_build_in_place_of_another_without_being_asked_to(bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(flows, "_rtl", lambda *_: [("rtl/a.sv", "module a; endmodule")])
    design = compile_models({"a": bundle}, HardwareChoice(lanes=4), BuildSettings(("dense",)))
    design.write(tmp_path / "fpga")
    monkeypatch.setattr(building, "compile_models", begun)
    with pytest.raises(RunFolderError, match="--overwrite replaces it"):
        building.build(bundle, tmp_path / "fpga")
    with pytest.raises(AssertionError, match=LONG):
        building.build(bundle, tmp_path / "fpga", overwrite=True)
    assert (tmp_path / "fpga" / "custody.json").is_file()
