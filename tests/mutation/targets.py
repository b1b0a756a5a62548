"""Which modules are mutated, and which tests are each module's own."""

from dataclasses import dataclass
from pathlib import Path

_RTL = "rtl"
_SOFTWARE = "software"
GROUPS = (_RTL, _SOFTWARE)

_MODULES = {
    _RTL: ("hw/rtl/*.py",),
    _SOFTWARE: (
        "hw/compiler/*.py",
        "hw/cycles/*.py",
        "cosim/golden.py",
        "cosim/kernels.py",
        "cosim/program.py",
        "sw/integer.py",
        "sw/numbers/*.py",
        "sw/compress/*.py",
    ),
}
"""The hardware; and compiler, cycle model, golden model, integer forward and compression."""

_SCHEDULE = ("tests/hw/test_step.py", "tests/hw/test_schedule.py")
_COMPILER = (*_SCHEDULE, "tests/hw/test_compiler.py")
_CYCLES = ("tests/hw/test_cycles.py",)
_TESTS = {
    "hw/rtl/axi.py": ("tests/hw/rtl/test_axi_top.py",),
    "hw/rtl/axi_lite.py": ("tests/hw/rtl/test_axi.py",),
    "hw/rtl/column_layout.py": ("tests/hw/rtl/test_stages.py", "tests/hw/rtl/test_columns.py"),
    "hw/rtl/loader.py": ("tests/hw/rtl/test_loader.py", "tests/hw/rtl/test_model_memory.py"),
    "hw/rtl/locate.py": ("tests/hw/rtl/test_activations.py", "tests/hw/rtl/test_columns.py"),
    "hw/rtl/readiness.py": ("tests/hw/rtl/test_readiness.py", "tests/hw/rtl/test_columns.py"),
    "hw/rtl/scanner.py": ("tests/hw/rtl/test_columns.py",),
    "hw/rtl/stages.py": (
        "tests/hw/rtl/test_stages.py",
        "tests/hw/rtl/test_lane.py",
        "tests/hw/rtl/test_drain.py",
    ),
    "hw/compiler/compile.py": (*_COMPILER, "tests/hw/test_modes.py"),
    "hw/compiler/lower.py": _COMPILER,
    "hw/compiler/schedule.py": _SCHEDULE,
    "hw/cycles/latencies.py": _CYCLES,
    "hw/cycles/machine.py": _CYCLES,
    "hw/cycles/model.py": _CYCLES,
    "hw/cycles/records.py": _CYCLES,
    "cosim/kernels.py": ("tests/cosim/test_golden.py",),
    "cosim/program.py": ("tests/cosim/test_program.py", "tests/cosim/test_golden.py"),
    "sw/compress/__init__.py": ("tests/sw/compress/test_compress.py",),
}
"""Tests of modules that have no file of tests by their own name, or more than one."""

_SHARED = {
    "never(m, ": "tests/hw/rtl/test_checks.py",
    "reset_less=False": "tests/hw/rtl/test_resets.py",
}
"""Tests of what several modules have: what must never happen, and what a reset must clear; by the text that tells."""


@dataclass(frozen=True)
class Target:
    """A module and its own tests: paths relative to the checkout."""

    module: str
    tests: tuple[str, ...]


def targets(root: Path, group: str) -> list[Target]:
    """List the modules of a group.

    Raises
    ------
    LookupError
        A module has no tests of its own.
    """
    modules = sorted(
        path.relative_to(root).as_posix() for pattern in _MODULES[group] for path in root.glob(pattern)
    )
    return [Target(module, _tests_of(root, module)) for module in modules if _has_code(root / module)]


def _tests_of(root: Path, module: str) -> tuple[str, ...]:
    named, text = _named(root, module), (root / module).read_text()
    shared = (test for sign, test in _SHARED.items() if sign in text and test not in named)
    return (*named, *shared)


def _named(root: Path, module: str) -> tuple[str, ...]:
    if module in _TESTS:
        return _TESTS[module]
    path = Path(module)
    folders = (path.parent, path.parent.parent)
    found = [test for folder in folders if (root / (test := f"tests/{folder}/test_{path.stem}.py")).exists()]
    if not found:
        raise LookupError(f"{module} has no tests/…/test_{path.stem}.py: name its tests in {__name__}")
    return (found[0],)


def _has_code(path: Path) -> bool:
    return path.name != "__init__.py" or "def " in path.read_text()
