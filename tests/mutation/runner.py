"""Runs tests against one changed module, in a process that has imported everything but the project."""

import os
import resource
import shutil
import signal
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

_COPIED = ("src", "hw", "sw", "cosim", "reports", "tests", "docs", "examples", "pyproject.toml", "README.md")
GRACE = 10
"""Seconds of processor time that every run of tests may take besides what it takes unchanged."""
_TIMES = 4
"""How many times longer than unchanged tests may run."""
_STANDING = 20
"""As much for the clock on the wall, for what waits instead of working."""
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Run:
    """How a run of tests ended: pytest's exit status, or less than 0 for a signal; and its processor time."""

    status: int
    seconds: float


class Copy:
    """A copy of the sources that is changed file by file; forked children run tests in it.

    What tests import besides the project is imported once, here.

    Parameters
    ----------
    root : Path
        A checkout.
    folder : Path
        Empty; the copy goes there.
    grace : float
        As `GRACE`.
    """

    def __init__(self, root: Path, folder: Path, grace: float = GRACE):
        self._grace = grace
        for name in filter(lambda name: (root / name).exists(), _COPIED):
            source = root / name
            if source.is_dir():
                shutil.copytree(
                    source, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
                )
            else:
                shutil.copy(source, folder / name)
        self.root = folder
        _import_others()

    @contextmanager
    def changed(self, module: str, text: str):
        """Have a module read otherwise for a while."""
        path = self.root / module
        before = path.read_text()
        path.write_text(text)
        try:
            yield
        finally:
            path.write_text(before)

    def run(self, tests: tuple[str, ...], unchanged: Run | None = None) -> Run:
        """Run tests until the first fails; with the run of what is unchanged, no longer than makes sense."""
        limit = 3600.0 if unchanged is None else self._grace + _TIMES * unchanged.seconds
        child = os.fork()
        if not child:
            self._test(tests, int(limit) + 1)
        end = time.monotonic() + _STANDING * limit
        while not (ended := os.wait4(child, os.WNOHANG))[0]:
            if time.monotonic() > end:
                os.killpg(child, signal.SIGKILL)
            time.sleep(_POLL_SECONDS)
        used = ended[2]
        with suppress(ProcessLookupError):  # What the tests started and left running.
            os.killpg(child, signal.SIGKILL)
        return Run(os.waitstatus_to_exitcode(ended[1]), used.ru_utime + used.ru_stime)

    def _test(self, tests: tuple[str, ...], limit: int) -> None:
        """Become a process that runs tests and ends."""
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        os.chdir(self.root)
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        sys.path[:0] = [str(self.root / "src")]
        os.environ["PYTHONPATH"] = str(self.root / "src")
        import pytest

        status = 1
        try:
            status = pytest.main(["-x", "-q", "-m", "", "-p", "no:cacheprovider", *tests])
        finally:
            # Also where pytest itself gives up: this is a fork of a worker, and must never become one.
            os._exit(status)


def _import_others() -> None:
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    # Not Hypothesis: pytest loads it itself, and says so where it is there already.
    for name in ("amaranth.sim", "matplotlib.pyplot", "numba", "onnx", "pytest", "torch"):
        import_module(name)
    # Forked children must not wait for threads that only their parent has.
    import_module("torch").set_num_threads(1)
