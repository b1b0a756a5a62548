import gzip
import struct

import numpy as np
import pytest

from gatewright.errors import DataError
from gatewright.sw.tasks import images, load_task

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
RNG = np.random.default_rng(0)
CLASSES = np.arange(60) % 3
PICTURES = RNG.integers(0, 256, (60, 5, 4), dtype=np.uint8)
TESTS, TEST_CLASSES = RNG.integers(0, 256, (7, 5, 4), dtype=np.uint8), np.arange(7) % 3


def idx(array, kind=8):
    return (
        bytes((0, 0, kind, array.ndim))
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.astype(np.uint8).tobytes()
    )


@pytest.fixture
def folder(tmp_path):
    for name, array in zip(NAMES, (PICTURES, CLASSES, TESTS, TEST_CLASSES), strict=True):
        (tmp_path / name).write_bytes(idx(array))
    return tmp_path


def test_rows_are_steps_and_the_test_images_are_the_sets_own(folder):
    task = load_task(str(folder))
    assert (task.labels, task.input_size, task.metric.name) == (("0", "1", "2"), 4, "accuracy")
    assert np.array_equal(np.stack(task.test.sequences), TESTS)
    assert np.array_equal(task.test.targets, TEST_CLASSES)
    assert np.bincount(task.validation.targets).tolist() == [2, 2, 2]
    assert len(task.train) == 54
    together = {
        x.tobytes(): y
        for part in (task.train, task.validation)
        for x, y in zip(part.sequences, part.targets, strict=True)
    }
    assert together == {x.tobytes(): y for x, y in zip(PICTURES, CLASSES, strict=True)}


def test_the_same_images_validate_whatever_the_seed(folder):
    one, other = (load_task(str(folder), seed=seed) for seed in (0, 1))
    assert np.array_equal(np.stack(one.validation.sequences), np.stack(other.validation.sequences))


def test_files_may_be_compressed(folder):
    plain = load_task(str(folder))
    for name in NAMES:
        content = (folder / name).read_bytes()
        (folder / name).unlink()
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
    assert np.array_equal(np.stack(plain.train.sequences), np.stack(load_task(str(folder)).train.sequences))


def test_fashion_mnist_is_debians_or_says_what_to_fetch(folder, monkeypatch):
    monkeypatch.setattr(images, "FASHION_FOLDER", folder)
    task = load_task("fashion-mnist")
    assert (task.name, task.labels) == ("fashion-mnist", images.FASHION_LABELS)
    monkeypatch.setattr(images, "FASHION_FOLDER", folder / "none")
    with pytest.raises(DataError, match=r"install Debian's dataset-fashion-mnist, or fetch the four files"):
        load_task("fashion-mnist")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (NAMES[1], None, "train-labels-idx1-ubyte .or train-labels-idx1-ubyte.gz. is missing"),
        (NAMES[0], idx(PICTURES)[:-1], "1199 bytes, not the 1200 of its own head"),
        (NAMES[0], idx(PICTURES, kind=13), "not an IDX file of bytes in 3 dimensions"),
        (NAMES[1], idx(CLASSES[:-1]), "60 images to train on, but 59 labels"),
        (NAMES[2], idx(TESTS[:, 1:]), "5, 4. pixels train, and of .4, 4. test"),
    ],
)
def test_what_is_damaged_is_refused(folder, name, content, message):
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_task(str(folder))


def test_a_damaged_archive_is_refused(folder):
    (folder / NAMES[3]).unlink()
    (folder / f"{NAMES[3]}.gz").write_bytes(gzip.compress(idx(TEST_CLASSES))[:-9])
    with pytest.raises(DataError, match="not a readable IDX file"):
        load_task(str(folder))


def test_more_classes_than_names_are_refused(folder, monkeypatch):
    (folder / NAMES[1]).write_bytes(idx(CLASSES * 5))
    monkeypatch.setattr(images, "FASHION_FOLDER", folder)
    with pytest.raises(DataError, match="more than the 10 classes of fashion-mnist"):
        load_task("fashion-mnist")
