"""A clock that moves: nothing goes by the times of files, or by the time of day."""

import os
import time

import pytest
import studies
from filelock import FileLock

from gatewright.cosim.cache import cached
from gatewright.cosim.search.study import run_study
from gatewright.cosim.workloads import random_bundle
from gatewright.custody import Delivery
from gatewright.flow.design import compile_models
from gatewright.hw.fpga import flows
from gatewright.results import read_rows
from gatewright.storage import REMAINS, sweep

DAY = 24 * 3600
MOMENTS = {"1970": DAY, "2100": 130 * 365 * DAY}


@pytest.fixture(params=MOMENTS.values(), ids=MOMENTS)
def moved(request):
    """Gives all files below a folder another time."""

    def move(folder):
        for path in (folder, *folder.rglob("*")):
            os.utime(path, (request.param, request.param), follow_symlinks=False)

    return move


def test_a_cached_simulation_is_served_whatever_its_time(moved, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = []

    def fill(partial, whole):
        made.append(partial)
        (whole / "program").write_text("program")

    entry = cached("a", fill)
    left = entry.with_name(f"{entry.name}.left.partial")
    left.mkdir()
    moved(tmp_path)
    assert cached("a", fill) == entry
    assert len(made) == 1
    # Whether somebody still fills it is said by its lock, not by its age.
    with FileLock(entry.with_suffix(".lock")):
        cached("b", fill)
        assert left.exists()
    cached("c", fill)
    assert not left.exists()


def test_remains_of_killed_writers_are_swept_whatever_their_time(moved, tmp_path):
    (tmp_path / REMAINS.replace("*", "left")).write_text("half")
    moved(tmp_path)
    sweep(tmp_path)
    assert not [*tmp_path.iterdir()]


def test_a_build_is_what_it_holds(moved, tmp_path, monkeypatch):
    monkeypatch.setattr(flows, "_rtl", lambda *_: [("rtl/a.sv", "module a; endmodule")])
    design = compile_models({"a": random_bundle(1, inputs=2, hidden=4, classes=2, kept=2, lanes=4)})
    run = design.write(tmp_path / "fpga")
    moved(run.root)
    assert not Delivery.load(run.root).changed(run.root)


def test_a_study_goes_on_while_the_clock_goes_back(moved, tmp_path, monkeypatch):
    def rewards(folder):
        return [row.value for row in read_rows(folder.trials) if row.name == "trial_reward"]

    (tmp_path / "plain").mkdir()
    plain = studies.make(tmp_path / "plain" / "study", trials=6, rounds=1)
    run_study(plain.root, evaluate=studies.Formula())
    folder = studies.make(tmp_path / "study", trials=6, rounds=1)
    with pytest.raises(StopIteration):
        run_study(folder.root, evaluate=_stopping(3))
    moved(folder.root)
    hours = iter(range(10**9, 0, -3600))
    monkeypatch.setattr(time, "time", lambda: float(next(hours)))
    assert run_study(folder.root, evaluate=studies.Formula()).trials == 6
    assert rewards(folder) == rewards(plain)


def _stopping(after):
    """Evaluates so many candidates."""
    left = iter(range(after))
    formula = studies.Formula()

    def evaluate(candidate, round):
        next(left)
        return formula(candidate, round)

    evaluate.prepare = formula.prepare
    return evaluate
