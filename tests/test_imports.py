"""Imports run one way: the table in docs/architecture.md, held to account."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import gatewright

ROOT = Path(gatewright.__file__).parent
COMMON = (
    "__version__",
    "archives",
    "clock",
    "custody",
    "errors",
    "executors",
    "limits",
    "origin",
    "progress",
    "quantities",
    "results",
    "run",
    "storage",
    "texts",
)
BUNDLE = ("sw.bundle", "sw.mode", "sw.rows", "sw.numbers")
ALLOWED = {
    "sw/numbers": ("sw.numbers",),
    "sw": ("sw",),
    "hw": ("hw", *BUNDLE),
    "cosim": ("cosim", "host", "hw", "sw"),
    "reports": ("reports",),
    "host": ("host", "hw"),
    "flow": ("flow", "cosim", "host", "hw", "reports", "sw"),
    "integration": ("integration", "hw"),
}


def imported(path):
    """Give the modules of ours that a file imports, without the leading package name."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name.startswith("gatewright."):
                yield name.removeprefix("gatewright.")


def within(name, packages):
    return any(name == package or name.startswith(package + ".") for package in packages)


@pytest.mark.parametrize("room", ALLOWED)
def test_rooms_import_only_what_they_may(room):
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files
        for name in imported(path)
        if not within(name, (*ALLOWED[room], *COMMON))
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("gatewright.sw.tasks", {"torch", "amaranth", "cocotb"}),
        ("gatewright.sw.integer", {"amaranth", "cocotb"}),
        ("gatewright.hw.compiler", {"torch", "numba"}),
        ("gatewright.hw.rtl.accelerator", {"torch", "numba"}),
        ("gatewright.host.accelerator", {"torch", "numba", "cocotb"}),
        ("gatewright.reports.report", {"torch", "amaranth", "numba"}),
    ],
)
def test_rooms_run_without_what_they_do_not_need(module, heavy):
    code = f"import sys, {module}; print(sorted({heavy!r} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
