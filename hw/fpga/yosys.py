"""Yosys in a child process: its log, its crashes and its hangs stay there."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import util
from pathlib import Path

from gatewright.errors import ToolError

_CHILD = """
from pyosys import libyosys
for command in open("commands").read().splitlines():
    libyosys.run_pass(command)
    print("\\n" + "{done}", flush=True)
"""
_DONE = "gatewright: command done"
_LOG_LINES = 12


def run_yosys(
    source: str,
    commands: Sequence[str],
    *,
    files: Sequence[Path] = (),
    seconds: float,
    done: Callable[[int], None] | None = None,
) -> str:
    """Give one text to Yosys and get another back.

    Parameters
    ----------
    source : str
        Becomes the file ``source`` of the folder in which the commands run.
    commands : sequence of str
        Yosys commands, in order; one of them writes the file ``result``.
    files : sequence of Path
        Are copied to that folder.
    seconds : float
        Time limit for all commands together.
    done : callable, optional
        Called after each command with the number of commands done so far.

    Returns
    -------
    str
        The text of ``result``.

    Raises
    ------
    ToolError
        Yosys is missing, failed or ran out of time; the text ends with the end of its log.
    """
    if util.find_spec("pyosys") is None:
        raise ToolError("Yosys is missing: install the Python package `pyosys` (pip install pyosys)")
    with tempfile.TemporaryDirectory(prefix="gatewright-yosys-") as name:
        folder = Path(name)
        (folder / "source").write_text(source, encoding="utf-8")
        for path in files:
            shutil.copy(path, folder)
        (folder / "commands").write_text("\n".join(commands))
        log = _run_child(folder, seconds, done)
        try:
            return (folder / "result").read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ToolError(f"Yosys wrote no result; its log ends with:\n{_tail(log)}") from None


def _run_child(folder: Path, seconds: float, done: Callable[[int], None] | None) -> list[str]:
    """Run the commands in the folder and give the log."""
    log: list[str] = []
    expired = threading.Event()
    with subprocess.Popen(
        [sys.executable, "-c", _CHILD.format(done=_DONE)],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        process_group=0,
    ) as child:

        def kill():
            # The whole group: Yosys starts ABC, which would keep the pipe open.
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)

        def expire():
            expired.set()
            kill()

        limit = threading.Timer(seconds, expire)
        limit.start()
        finished = 0
        try:
            for line in child.stdout or ():
                if line.strip() == _DONE:
                    finished += 1
                    if done is not None:
                        done(finished)
                else:
                    log.append(line.rstrip())
            child.wait()
        except BaseException:
            kill()
            raise
        finally:
            limit.cancel()
    if expired.is_set():
        raise ToolError(f"Yosys was stopped after its {seconds:g} s; its log ends with:\n{_tail(log)}")
    if child.returncode:
        raise ToolError(f"Yosys failed (status {child.returncode}); its log ends with:\n{_tail(log)}")
    return log


def _tail(log: list[str]) -> str:
    return "\n".join([line for line in log if line][-_LOG_LINES:])
