"""SIGTERM: a command ends with its children and status 143, and leaves no half-written file."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from killing import alive, until

from gatewright.cli.app import ExitCode
from gatewright.storage import REMAINS


def children(process):
    """Processes that a process has started, and those that they have."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == process:
            child = int(stat.parent.name)
            found += [child, *children(child)]
    return found


def test_a_command_ends_with_all_that_it_started():
    words = ["prove", "--only", "sequencer-ends"]
    command = subprocess.Popen(
        [sys.executable, "-m", "gatewright", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: len(children(command.pid)) > 1)
    started = children(command.pid)
    command.send_signal(signal.SIGTERM)
    _, said = command.communicate()
    assert command.returncode == ExitCode.TERMINATED == 128 + signal.SIGTERM
    assert "terminated: what was finished stays" in said
    until(lambda: not any(map(alive, started)))


WRITES = """
import sys, time
from pathlib import Path
import typer
from gatewright.cli.app import guarded
from gatewright.cli.terminal import Terminal
from gatewright.storage import whole_file

try:
    with guarded(Terminal(quiet=True)), whole_file(Path(sys.argv[1])) as partial:
        partial.write_bytes(b"half of it")
        time.sleep(600)
except typer.Exit as end:
    sys.exit(end.exit_code)
"""


@pytest.mark.parametrize("before", [b"", b"whole"], ids=["new", "in place of another"])
def test_no_file_is_left_half_written(tmp_path, before):
    path = tmp_path / "model.npz"
    if before:
        path.write_bytes(before)
    command = subprocess.Popen([sys.executable, "-c", WRITES, path], stderr=subprocess.PIPE, text=True)
    until(lambda: [*tmp_path.rglob(REMAINS)])
    os.kill(command.pid, signal.SIGTERM)
    assert "terminated" in command.communicate()[1]
    assert command.returncode == ExitCode.TERMINATED
    assert not [*tmp_path.rglob(REMAINS)]
    assert (path.read_bytes() if path.exists() else b"") == before
