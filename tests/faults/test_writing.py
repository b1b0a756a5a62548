"""Faults of writing: each is a named error, and leaves what was there."""

import errno
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import studies
from failing_disk import full_disk

from gatewright.cosim.search.folder import StudyFolder
from gatewright.errors import GatewrightError, RunFolderError, StorageError, explained
from gatewright.run import RunFolder
from gatewright.storage import REMAINS, make_folder, sweep, whole_file, write_bytes, write_json, write_text

REFUSALS = {
    errno.EDQUOT: "your quota of the disk is used up; free some space",
    errno.EFBIG: "a file may not become that large here; raise the limit",
    errno.EACCES: "permission denied; choose a folder that you may write to",
    errno.EPERM: "not permitted; choose a folder that you may write to",
    errno.EROFS: "the file system is read-only; choose a folder that can be written",
    errno.EMFILE: "too many files are open; raise the limit",
    errno.ENFILE: "too many files are open on this machine",
    errno.EIO: "the disk does not work as it should",
}


@pytest.mark.parametrize("code", REFUSALS)
def test_what_the_system_refuses_is_named(tmp_path, code):
    path = tmp_path / "a.json"
    write_json(path, 1)
    for failing in range(1, 5):
        with full_disk(tmp_path, failing, code), pytest.raises(StorageError) as raised:
            write_json(path, 2)
        assert str(raised.value).startswith(f"{path} cannot be written: {REFUSALS[code]}")
        assert path.read_text() == "1\n"
        assert [*tmp_path.iterdir()] == [path]


def test_paths_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for path, said in {
        tmp_path / ("n" * 300): "the name is too long; choose a shorter one",
        tmp_path: "is there and no file; choose another name",
        tmp_path / "file" / "a": "a part of the path is a file, not a folder",
        tmp_path / "circle" / "a": "its links lead in a circle",
        tmp_path / "none" / "a": "its folder does not exist; make it",
        Path(os.devnull): "is there and no file; choose another name",
    }.items():
        with pytest.raises(StorageError, match=said):
            write_text(path, "new")
    with pytest.raises(StorageError, match="it is a file, not a folder"):
        make_folder(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_a_refusal_without_a_remedy_says_what_the_system_does():
    assert explained(OSError(errno.ETXTBSY, "Text file busy")) == "Text file busy"


def test_writers_at_once_leave_one_whole_file(tmp_path):
    path = tmp_path / "a"
    contents = [bytes([k]) * 100_000 for k in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: [write_bytes(path, content) for _ in range(10)], contents))
    assert path.read_bytes() in contents
    assert [*tmp_path.iterdir()] == [path]


def test_one_of_two_writers_fails(tmp_path):
    path = tmp_path / "a"
    with whole_file(path) as first:
        first.write_text("first")
        with pytest.raises(TypeError), whole_file(path) as second:
            second.write_text(b"no text")
        assert not path.exists()
    assert path.read_text() == "first"
    assert [*tmp_path.iterdir()] == [path]


def test_a_link_is_replaced(tmp_path):
    (tmp_path / "target").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "target").read_text() == "mine"
    assert not (tmp_path / "link").is_symlink()


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_the_mode_is_that_of_any_new_file(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        write_text(tmp_path / "a", "new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode


KILLED = """
import os, sys
from pathlib import Path
from gatewright.storage import whole_file

with whole_file(Path(sys.argv[1])) as partial:
    partial.write_text("half")
    os.kill(os.getpid(), 9)
"""


def test_a_killed_writer_leaves_the_old_file_and_remains_that_are_swept(tmp_path):
    path = tmp_path / "a"
    write_text(path, "old")
    subprocess.run([sys.executable, "-c", KILLED, path], check=False)
    assert path.read_text() == "old"
    assert len([*tmp_path.glob(REMAINS)]) == 1
    sweep(tmp_path)
    assert [*tmp_path.iterdir()] == [path]


def test_a_run_without_a_finished_step_is_taken_over(tmp_path):
    run = RunFolder.create(tmp_path / "a", command="killed")
    run.config.write_text("half")
    assert RunFolder.create(tmp_path / "a", command="again").notes["command"] == "again"
    assert not run.config.exists()
    write_json(run.rows("train"), [])
    with pytest.raises(RunFolderError, match="holds a run already"):
        RunFolder.create(tmp_path / "a")


def test_a_study_without_settings_is_taken_over(tmp_path):
    folder = studies.make(tmp_path / "study")
    plan = folder.plan
    folder.settings.unlink()
    (folder.root / REMAINS.replace("*", "0")).write_text("half")
    assert StudyFolder.create(folder.root, plan, studies.model()).plan == plan


def test_a_study_of_another_format_is_refused(tmp_path):
    folder = studies.make(tmp_path / "study")
    folder.settings.write_text(folder.settings.read_text().replace('"format": 1', '"format": 9'))
    with pytest.raises(GatewrightError, match=r"study of format 9, of Gatewright .* reads 1: --overwrite"):
        assert folder.plan


def test_files_of_others_in_a_study_stay(tmp_path):
    folder = studies.make(tmp_path / "study")
    mine = [folder.root / name for name in ("mine.json", "report.txt", "models/mine.txt", "figures/mine.txt")]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    (folder.models / "p0.npz").write_text("made")
    folder.remove()
    assert sorted(path for path in folder.root.rglob("*") if path.is_file()) == sorted(mine)
