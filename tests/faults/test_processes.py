import os
import signal
import subprocess
import sys

import pytest
from killing import alive, until

from gatewright.cosim import processes, simulator
from gatewright.cosim.processes import Patience
from gatewright.errors import ToolError


def run(command, tmp_path, **options):
    with (tmp_path / "log").open("w") as log:
        return processes.run(command, cwd=tmp_path, env=os.environ, log=log, **options)


def test_the_status_and_the_words_of_a_command(tmp_path):
    assert run(["sh", "-c", "echo said; echo told >&2; exit 3"], tmp_path) == 3
    assert (tmp_path / "log").read_text() == "said\ntold\n"


def test_what_a_command_is_given_and_its_two_outputs(tmp_path):
    (tmp_path / "given").write_text("words")
    with (tmp_path / "errors").open("w") as errors:
        assert run(["sh", "-c", "cat; echo told >&2"], tmp_path, input=tmp_path / "given", errors=errors) == 0
    assert (tmp_path / "log").read_text() == "words"
    assert (tmp_path / "errors").read_text() == "told\n"


def test_a_command_that_does_not_exist(tmp_path):
    assert run([tmp_path / "none"], tmp_path) == 127
    assert "not found" in (tmp_path / "log").read_text()


def test_a_command_that_is_killed(tmp_path):
    kill = f"import os; os.kill(os.getpid(), {signal.SIGKILL:d})"
    assert run([sys.executable, "-c", kill], tmp_path) == 128 + signal.SIGKILL


def test_a_command_that_does_not_advance_is_ended_with_all_that_it_started(tmp_path):
    patience = Patience([tmp_path / "log"], lambda: "the simulation of x, in job file 2,", looks=3)
    waits = "sleep 600 & echo $! > child; wait"
    with pytest.raises(
        ToolError, match=r"x, in job file 2, gave no sign of life for 0 seconds and was ended"
    ):
        run(["sh", "-c", waits], tmp_path, watch=patience.look)
    started = tmp_path / "child"
    if started.exists() and (child := started.read_text().strip()):
        until(lambda: not alive(child))


def test_patience_counts_looks_without_progress_and_no_seconds(tmp_path):
    path = tmp_path / "pulse"
    patience = Patience([path], lambda: "it", looks=3)
    for size in (0, 0, 1, 1, 1, 2, 2, 2):
        path.write_text(size * ".")
        patience.look()
    with pytest.raises(ToolError, match="it gave no sign of life"):
        patience.look()


@pytest.mark.parametrize("work", ["build", "test"])
def test_cocotb_runs_its_commands_in_groups_of_their_own(tmp_path, monkeypatch, work):
    """Else a build would outlive what started it: the runner's method is not part of its interface."""
    seen = []
    monkeypatch.setattr(processes, "run", lambda command, **options: seen.append(command[0]) or 0)
    with simulator.environment():
        runner = simulator._Runner()
        if work == "build":
            runner.build(sources=[], hdl_toplevel="a", build_dir=tmp_path, always=True)
        else:
            runner.test(
                "module",
                "a",
                hdl_toplevel_lang="verilog",
                build_dir=tmp_path,
                test_dir=tmp_path,
                results_xml=str(tmp_path / "results.xml"),
            )
    assert seen


PROVES = """
import sys
from types import SimpleNamespace
from gatewright.cosim.proofs.prove import _child

_child(SimpleNamespace(name="a"), ["solver", sys.argv[1]], "formula", 600)
"""
SOLVES = """
import os, sys, time

open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(600)
"""


def test_a_solver_ends_with_who_proves(tmp_path):
    (tmp_path / "solver.py").write_text(SOLVES)
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    started = tmp_path / "started"
    prover = subprocess.Popen([sys.executable, "-c", PROVES, started], env=os.environ | {"PYTHONPATH": paths})
    until(lambda: started.exists() and started.read_text())
    prover.kill()
    prover.wait()
    until(lambda: not alive(int(started.read_text())))
