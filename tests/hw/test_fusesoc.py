"""The core file of a build, read by FuseSoC, and its lint run by Edalize."""

import subprocess
import sys

import pytest
from small_board import CONFIG

from gatewright.cosim import toolchain
from gatewright.hw.fpga.flows import write_flows
from gatewright.hw.fpga.fusesoc import core_file

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    root = tmp_path_factory.mktemp("core")
    write_flows(root / "fpga", CONFIG)
    return root / "fpga"


@pytest.fixture
def fusesoc(build, tmp_path, monkeypatch):
    """A function that runs FuseSoC away from its user's settings; returns its status and what it said."""
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))

    def run(*arguments):
        command = [sys.executable, "-m", "fusesoc.main", "--cores-root", str(build), *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    return run


def test_fusesoc_knows_the_core_and_its_targets(fusesoc):
    status, said = fusesoc("core", "show", "gatewright_axi")
    assert status == 0, said
    assert "gatewright:gatewright:gatewright_axi:" in said
    assert all(f"{target} " in said for target in ("default", "plain", "lint", "sim"))


def test_the_lint_target_finds_nothing(fusesoc, tmp_path):
    with toolchain.environment():
        status, said = fusesoc("run", "--target", "lint", "--build-root", "build", "gatewright_axi")
    assert status == 0, said
    assert "%Warning" not in said
    (vc,) = (tmp_path / "build").rglob("*.vc")
    assert "--lint-only" in vc.read_text()
    assert "--top-module gatewright_axi" in vc.read_text()


def test_the_lint_target_fails_on_other_verilog(build, fusesoc):
    text = build / "rtl" / "gatewright_axi.sv"
    before = text.read_text()
    try:
        text.write_text(before + "endmodule\n")
        with toolchain.environment():
            status, said = fusesoc("run", "--target", "lint", "--build-root", "other", "gatewright_axi")
        assert status != 0
        assert "syntax error" in said
    finally:
        text.write_text(before)


def test_the_simulation_is_set_up_for_cpp(fusesoc, tmp_path):
    status, said = fusesoc("run", "--setup", "--target", "sim", "--build-root", "build", "gatewright_axi")
    assert status == 0, said
    (vc,) = (tmp_path / "build").rglob("*.vc")
    assert "--cc" in vc.read_text().split()


def test_the_constraints_of_vivado_are_named_only_where_they_are():
    assert "gatewright.xdc" in core_file(["constraints/gatewright.xdc"])
    assert "xdc" not in core_file([])
