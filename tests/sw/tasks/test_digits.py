import numpy as np
import pytest

from gatewright.errors import DataError
from gatewright.sw.tasks import digits, load_task


def test_the_data_are_those_of_the_source():
    task = load_task("digits", seed=0)
    parts = (task.train, task.validation, task.test)
    assert [len(part) for part in parts] == [2100, 450, 450]
    assert all((np.bincount(part.targets) == len(part) / 10).all() for part in parts)
    lengths = [len(s) for part in parts for s in part.sequences]
    assert (min(lengths), max(lengths), sum(lengths)) == (6, 92, 53999)
    assert task.labels == tuple("0123456789")
    assert task.input_size == 13
    assert "six speakers" in task.caveat


def test_a_changed_file_is_refused(monkeypatch, tmp_path):
    path = tmp_path / "digits.npz"
    monkeypatch.setattr(digits, "_PATH", path)
    with pytest.raises(DataError, match="the data file is missing"):
        load_task("digits", seed=0)
    path.write_bytes(b"something else")
    with pytest.raises(DataError, match=f"not {digits.SHA256}"):
        load_task("digits", seed=0)
