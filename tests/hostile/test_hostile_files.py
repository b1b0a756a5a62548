"""Files that were made to do harm: each is refused by name, in little time and memory."""

import hostile_arrays
import hostile_graphs
import hostile_tensors
import hostile_texts
import pytest

from gatewright.cli.app import ExitCode

FILES = hostile_arrays.FILES | hostile_tensors.FILES | hostile_graphs.FILES | hostile_texts.FILES
SECONDS, MEGABYTES = 2, 500
"""Of CPU, and of memory, that refusing a file may take."""


def test_there_are_many():
    parts = (hostile_arrays, hostile_tensors, hostile_graphs, hostile_texts)
    assert len(FILES) == sum(len(part.FILES) for part in parts) >= 40


@pytest.mark.parametrize("name", FILES)
def test_hostile_files_are_refused(name, attacked, tmp_path):
    arguments = FILES[name](tmp_path)
    found = attacked(arguments, tmp_path)
    print(f"\n| {name} | {found['seconds']:.2f} s | {found['megabytes']:.0f} MB |")
    assert found["status"] in (ExitCode.INPUT, ExitCode.USAGE), found["said"][-2000:]
    assert "Traceback" not in found["said"]
    assert str(tmp_path) in found["said"], found["said"][-2000:]
    assert found["seconds"] < SECONDS, found
    assert found["megabytes"] < MEGABYTES, found
    assert not (tmp_path / "executed").exists()
