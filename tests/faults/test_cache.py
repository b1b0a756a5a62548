"""Faults of the cache of simulations: each leaves a whole entry, or a named error."""

import os
import signal
import subprocess
import sys

import pytest
from filelock import FileLock
from killing import alive, until

from gatewright.cosim import cache
from gatewright.cosim.cache import cached
from gatewright.errors import ToolError


class Filling:
    """Fills entries, and counts."""

    def __init__(self):
        self.count = 0

    def __call__(self, partial, whole):
        self.count += 1
        (partial / "object.o").write_text("what a compiler leaves")
        (whole / "program").write_text("program")
        (whole / "program").chmod(0o755)
        (whole / "text.sv").write_text("module a; endmodule")


@pytest.fixture
def fill(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return Filling()


def left(entry):
    return sorted(path.name for path in entry.parent.iterdir() if path.suffix != ".lock")


def flip(entry):
    content = bytearray((entry / "program").read_bytes())
    content[3] ^= 1
    (entry / "program").write_bytes(content)


def shorten(entry):
    os.truncate(entry / "program", 3)


def lose(entry):
    (entry / "text.sv").unlink()


def add(entry):
    (entry / "text.hpp").write_text("of somebody else")


def forbid(entry):
    (entry / "program").chmod(0o644)


def forget(entry):
    (entry / "manifest.json").unlink()


def garble(entry):
    (entry / "manifest.json").write_text("{")


@pytest.mark.parametrize("spoil", [flip, shorten, lose, add, forbid, forget, garble])
def test_a_damaged_entry_is_made_again(fill, spoil):
    entry = cached("a", fill)
    assert cached("a", fill) == entry
    assert fill.count == 1
    spoil(entry)
    assert cached("a", fill) == entry
    assert fill.count == 2
    assert (entry / "program").read_text() == "program"
    assert left(entry) == [entry.name]


def test_a_file_in_place_of_an_entry(fill):
    entry = cached("a", fill)
    for path in entry.iterdir():
        path.unlink()
    entry.rmdir()
    entry.write_text("no folder")
    assert cached("a", fill) == entry
    assert (entry / "program").exists()


@pytest.mark.parametrize(
    "error", [OSError(30, "Read-only file system"), PermissionError(13, "Permission denied")]
)
def test_a_cache_that_may_only_be_read_serves_what_it_has(fill, monkeypatch, error):
    entry = cached("a", fill)
    damaged = cached("b", fill)
    flip(damaged)

    def refuse(path, **options):
        raise error

    monkeypatch.setattr(cache, "FileLock", refuse)
    assert cached("a", fill) == entry
    with pytest.raises(ToolError, match=r"lacks the simulation.*(read-only|denied).*set XDG_CACHE_HOME"):
        cached("c", fill)
    with pytest.raises(
        ToolError, match=r"holds a damaged simulation.*(read-only|denied).*set XDG_CACHE_HOME"
    ):
        cached("b", fill)


def test_a_full_disk_while_an_entry_is_made(fill):
    def overflow(partial, whole):
        fill(partial, whole)
        raise OSError(28, "No space left on device")

    with pytest.raises(ToolError, match=r"the disk is full; free some space.*set XDG_CACHE_HOME"):
        cached("a", overflow)
    entry = cached("a", fill)
    assert left(entry) == [entry.name]


def test_what_killed_processes_left_is_removed(fill):
    mine, other, live = (cached(key, fill) for key in "abc")
    remains = [entry.with_name(f"{entry.name}.left.partial") for entry in (mine, other, live)]
    for path in remains:
        (path / "whole").mkdir(parents=True)
    flip(mine)
    with FileLock(live.with_suffix(".lock")):
        cached("a", fill)
    assert [path.exists() for path in remains] == [False, False, True]


KILLED = """
import os, signal, sys
from pathlib import Path
from gatewright.cosim import processes
from gatewright.cosim.cache import cached

# Whoever starts the suite may ignore it, and what is ignored is inherited.
signal.signal(signal.SIGINT, signal.default_int_handler)

def fill(partial, whole):
    write = f"import os, time; open({sys.argv[1]!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    # As make starts compilers: the process that is to be ended is not the one that was started.
    processes.run(["sh", "-c", '"$@"; true', "sh", sys.executable, "-c", write], cwd=partial, env=os.environ)

cached("a", fill)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_build_ends_with_its_process(fill, tmp_path, number):
    """However it is ended, nothing goes on to write, and the next build is as the first."""
    started = tmp_path / "started"
    build = subprocess.Popen([sys.executable, "-c", KILLED, str(started)], stderr=subprocess.DEVNULL)
    until(lambda: started.exists() and started.read_text())
    compiler = int(started.read_text())
    build.send_signal(number)
    build.wait()
    until(lambda: not alive(compiler))
    entry = cached("a", fill)
    assert left(entry) == [entry.name]


def test_what_is_being_built_is_not_cleared(fill):
    kept, gone = cached("one", fill), cached("other", fill)
    with FileLock(kept.with_suffix(".lock")):
        found = cache.clear()
    assert (found.entries, found.in_use) == (1, 1)
    assert kept.exists()
    assert not gone.exists()
    assert cached("other", fill) == gone
    assert fill.count == 3


def test_clearing_takes_the_remains_of_killed_builds(fill):
    entry = cached("one", fill)
    remains = entry.parent / f"{entry.name}.abc.partial"
    remains.mkdir()
    (remains / "object.o").write_text("remains")
    assert cache.clear().entries == 1
    assert not remains.exists()
    assert cache.contents().size == 0
