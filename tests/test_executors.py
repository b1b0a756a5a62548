import multiprocessing
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import studies
from calls import die, die_once, refuse, square, told_refusal, told_square, wait_long
from distributed import Client, LocalCluster
from killing import alive, until

from gatewright.errors import ConfigError, DataError, ToolError
from gatewright.executors import DEATHS, run_all, workers


def test_one_process_is_this_one():
    with workers(1) as found:
        assert found.slots() == 1
        future = found.executor.submit(square, 3)
        assert future.done()
        assert future.result() == (9, os.getpid())
        with pytest.raises(DataError, match="not 3"):
            found.executor.submit(refuse, 3).result()


def test_processes():
    with workers(2) as found:
        assert found.slots() == 2
        results = [found.executor.submit(square, value) for value in range(6)]
        assert [future.result()[0] for future in results] == [0, 1, 4, 9, 16, 25]
        assert os.getpid() not in {future.result()[1] for future in results}
        with pytest.raises(DataError, match="not 3"):
            found.executor.submit(refuse, 3).result()


def test_calls_of_killed_processes_are_made_again(tmp_path):
    with workers(2) as found:
        futures = [found.executor.submit(die_once, tmp_path / f"{k}", k) for k in range(2)]
        assert [future.result(60) for future in futures] == [0, 1]
        assert found.executor.submit(square, 4).result(60)[0] == 16


def test_calls_that_always_kill_are_named_in_brief():
    candidate = {f"layer{k}.bits": k for k in range(9)}
    told = rf"died {DEATHS} times over \({re.escape(repr(candidate))}, array.{{,60}}\): .* under `if __name__"
    with workers(2) as found, pytest.raises(ToolError, match=told):
        found.executor.submit(die, candidate, np.arange(500)).result(60)


def test_errors_in_the_block_stop_what_runs(tmp_path):
    before = set(multiprocessing.active_children())

    def interrupted():
        with workers(2) as found:
            found.executor.submit(wait_long, tmp_path / "a")
            until((tmp_path / "a").exists)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert set(multiprocessing.active_children()) == before


OWNER = """
import sys
from pathlib import Path
from calls import wait_long
from gatewright.executors import workers

if __name__ == "__main__":
    with workers(2) as found:
        found.executor.submit(wait_long, Path(sys.argv[1])).result()
"""


def test_processes_end_with_the_one_that_they_work_for(tmp_path):
    """However it ends: nobody else would end them."""
    (tmp_path / "owner.py").write_text(OWNER)
    paths = os.pathsep.join([os.path.dirname(studies.__file__), *sys.path])
    started = tmp_path / "started"
    owner = subprocess.Popen(
        [sys.executable, tmp_path / "owner.py", started], env=os.environ | {"PYTHONPATH": paths}
    )
    until(lambda: started.exists() and started.read_text())
    owner.kill()
    owner.wait()
    until(lambda: not alive(int(started.read_text())))


@pytest.mark.parametrize("processes", [1, 2])
def test_independent_work_comes_back_in_order(processes):
    told = []
    found = run_all(told_square, [(3,), (1,), (2,)], processes, "squares", lambda *args: told.append(args))
    assert [value for value, _ in found] == [9, 1, 4]
    assert (os.getpid() in {process for _, process in found}) == (processes == 1)
    if processes == 1:
        assert told == [("square", 1, 1, f"{value}") for value in (3, 1, 2)]
    else:
        assert told == [("squares", done, 3, "") for done in range(4)]
    with pytest.raises(DataError, match="not 3"):
        run_all(told_refusal, [(3,), (4,)], processes, "refusals", lambda *_: None)


@pytest.mark.parametrize("count", [-1, 2000])
def test_refuses_counts(count):
    with pytest.raises(ConfigError, match="workers must be from 0 to 1024"), workers(count):
        pass


def test_refuses_addresses_without_a_scheduler(monkeypatch):
    monkeypatch.setattr("gatewright.executors.CONNECT_SECONDS", 1)
    with pytest.raises(ConfigError, match="no Dask scheduler answers at"), workers(dask="tcp://127.0.0.1:1"):
        pass


@pytest.mark.slow
def test_dask_cluster_survives_a_killed_worker(tmp_path):
    """A study on a real scheduler with two worker processes, of which one is killed in mid-run."""
    folder, log = studies.make(tmp_path / "study", method="random", trials=16), tmp_path / "log"
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as cluster:
        pids = [worker.pid for worker in cluster.workers.values()]
        code = (
            "import sys, studies; from pathlib import Path; from gatewright.cosim.search.study import run_study\n"
            "folder, log, address = sys.argv[1:]\n"
            "outcome = run_study(Path(folder), dask=address, evaluate=studies.Formula(Path(log), 4))\n"
            "print(outcome.trials, outcome.reason)"
        )
        run = subprocess.Popen(
            [sys.executable, "-c", code, folder.root, log, cluster.scheduler_address],
            cwd=os.path.dirname(studies.__file__),
            stdout=subprocess.PIPE,
            text=True,
        )
        until(lambda: log.exists() and log.read_text().count("evaluate") >= 4)
        os.kill(pids[0], signal.SIGKILL)
        studies.go(log).touch()
        assert run.communicate()[0].split(maxsplit=1) == ["16", "all 16 trials are done\n"]
        with Client(cluster, set_as_default=False) as client:
            assert client.nthreads()
