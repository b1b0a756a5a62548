import numpy as np
import pytest

from gatewright.errors import DataError
from gatewright.sw.tasks import load_task


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 6, 12)
    return {"X": rng.normal(size=(lengths.sum(), 2)), "y": np.repeat([4, 9], 6), "lengths": lengths}


def load(tmp_path, arrays):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays)
    return load_task(str(path), seed=1)


def test_a_users_file_becomes_a_task(tmp_path, arrays):
    task = load(tmp_path, arrays)
    assert (task.name, task.labels, task.input_size) == ("mine", ("4", "9"), 2)
    assert [len(part) for part in (task.train, task.validation, task.test)] == [8, 2, 2]
    ends = np.cumsum(arrays["lengths"])
    originals = np.split(arrays["X"].astype(np.float32), ends[:-1])
    for part in (task.train, task.validation, task.test):
        for sequence, label in zip(part.sequences, part.targets, strict=True):
            (index,) = (
                k for k, s in enumerate(originals) if s.shape == sequence.shape and (s == sequence).all()
            )
            assert task.labels[label] == str(arrays["y"][index])
            assert sequence.dtype == np.float32


def test_classes_may_be_strings(tmp_path, arrays):
    assert load(tmp_path, arrays | {"y": np.repeat(["yes", "no"], 6)}).labels == ("no", "yes")


def altered(name, index, value):
    def change(arrays):
        arrays[name] = arrays[name].copy()
        arrays[name][index] = value

    return change


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda a: a.pop("lengths"), "array lengths is missing, or X must be"),
        (lambda a: a.update(X=a["X"][:, 0]), r"X must be numbers \[steps, features\], not float64 of shape"),
        (lambda a: a.update(X=a["X"][:, :0]), "X must be numbers"),
        (lambda a: a.update(X=a["X"].astype(str)), "X must be numbers"),
        (lambda a: a.update(lengths=a["lengths"] * 1.0), "lengths must be integers"),
        (lambda a: a.update(lengths=a["lengths"][None]), "lengths must be integers"),
        (
            lambda a: a.update(y=a["y"][1:]),
            r"y has shape \(11,\); it must have one entry for each of the 12 sequences",
        ),
        (lambda a: a.update(y=a["y"] * 1j), "y must be integers or strings"),
        (lambda a: a.update(X=a["X"][1:]), "lengths add up to .* steps, but X has"),
        (altered("lengths", 3, 0), r"lengths\[3\] is 0; a sequence has at least 1 step"),
        (altered("lengths", 5, -2), r"lengths\[5\] is -2"),
        (altered("X", (7, 1), np.nan), r"X\[7, 1\] is nan; all values must be finite"),
        (altered("X", (2, 0), -np.inf), r"X\[2, 0\] is -inf"),
        (altered("X", (2, 0), 1e300), r"X\[2, 0\] is 1e\+300"),
        (lambda a: a.update(y=a["y"] * 0), "y holds 1 class; a task needs at least 2"),
        (altered("y", slice(0, 4), 9), "class 4 has 2 sequences; .* need at least 3 of every class"),
        (lambda a: a.update(X=a["X"][:0], y=a["y"][:0], lengths=a["lengths"][:0]), "X must be numbers"),
        (lambda a: a.update(y=a["y"].astype(object)), "not a whole .npz of plain arrays"),
    ],
)
def test_malformed_arrays_are_refused(tmp_path, arrays, change, text):
    change(arrays)
    with pytest.raises(DataError, match=text):
        load(tmp_path, arrays)


def test_malformed_files_are_refused(tmp_path, arrays):
    path = tmp_path / "mine.npz"
    with pytest.raises(DataError, match="no such file"):
        load_task(str(path), seed=0)
    load(tmp_path, arrays)
    whole = path.read_bytes()
    for broken in (whole[: len(whole) // 2], b"", b"hello", b"\x93NUMPY"):
        path.write_bytes(broken)
        with pytest.raises(DataError, match="not a whole"):
            load_task(str(path), seed=0)
    flipped = bytearray(whole)
    flipped[200] ^= 0xFF
    path.write_bytes(flipped)
    with pytest.raises(DataError, match="not a whole"):
        load_task(str(path), seed=0)
    with path.open("wb") as stream:
        np.save(stream, arrays["X"])
    with pytest.raises(DataError, match="not a whole"):
        load_task(str(path), seed=0)


def test_a_folder_is_no_file(tmp_path):
    folder = tmp_path / "folder.npz"
    folder.mkdir()
    with pytest.raises(DataError, match="a folder, where a file is needed"):
        load_task(str(folder), seed=0)


def test_unknown_names_are_refused():
    with pytest.raises(DataError, match="no data named 'letters'; known are digits"):
        load_task("letters", seed=0)
