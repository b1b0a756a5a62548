import numpy as np
import pytest

from gatewright.errors import DataError
from gatewright.sw.tasks import baseline, load_task
from gatewright.sw.tasks.text import CHUNK, FEWEST, PASSAGE, SYMBOLS


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_each_symbol_is_followed_by_its_label_through_whole_passages(tmp_path):
    text = "".join("abc \n\t"[k % 6] for k in range(2 * FEWEST * CHUNK * 6 // 4))
    task = load_task(write(tmp_path / "t.txt", text), seed=0)
    assert sorted(task.labels) == [" ", "a", "b", "c", "other"]
    assert (task.metric.name, task.scaled, task.train.every_step) == ("bits", False, True)
    assert [len(split) for split in (task.train, task.validation, task.test)] == [FEWEST - 2, 1, 1]
    assert task.training.noise == task.training.offset == 0
    for split in (task.train, task.validation, task.test):
        for x, y in zip(split.sequences, split.targets, strict=True):
            assert x.shape == (CHUNK, 5)
            assert (x.sum(axis=1) == 1).all()
            assert x[1:].argmax(axis=1).tolist() == y[:-1].tolist()
            assert "".join(task.labels[k] for k in x.argmax(axis=1)) in "abc " * CHUNK


def test_passages_are_apart_and_cover_the_text(tmp_path):
    words = " ".join(f"{k:05d}" for k in range(2 * FEWEST * PASSAGE // 6 + 2))
    task = load_task(write(tmp_path / "t.txt", words), seed=0)
    splits = {name: getattr(task, name) for name in ("train", "validation", "test")}
    assert {name: len(split) for name, split in splits.items()} == {"train": 36, "validation": 2, "test": 2}
    steps = sum(len(x) for split in splits.values() for x in split.sequences)
    assert 0 < len(words) - steps <= 2 * FEWEST * CHUNK
    passages = {
        name: ["".join(task.labels[k] for k in x.argmax(axis=1)) for x in split.sequences]
        for name, split in splits.items()
    }
    first = {name: [words.index(each) for each in found] for name, found in passages.items()}
    assert sorted(place for found in first.values() for place in found) == [
        k * len(passages["test"][0]) for k in range(2 * FEWEST)
    ]
    assert all(sum(pieces) == steps // 40 for pieces in task.test.pieces)


def test_rare_characters_are_one_symbol(tmp_path):
    rng = np.random.default_rng(0)
    common = [chr(0x4E00 + k) for k in range(SYMBOLS - 1)]
    text = "".join(rng.choice(common, 4 * FEWEST * CHUNK)) + "".join(chr(0x100 + k) for k in range(40))
    task = load_task(write(tmp_path / "t.txt", text), seed=0)
    assert len(task.labels) == SYMBOLS
    assert task.labels[-1] == "other"
    assert set(task.labels[:-1]) == set(common)


def test_bigrams_tell_a_text_without_surprises(tmp_path):
    sure = load_task(write(tmp_path / "a.txt", "abcd" * 2000), seed=0)
    assert baseline(sure) < 0.01
    random = "".join(np.random.default_rng(0).choice(list("abcd"), 40_000))
    assert baseline(load_task(write(tmp_path / "b.txt", random), seed=0)) == pytest.approx(2, abs=0.02)


def test_what_is_no_text_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        load_task(str(tmp_path / "none.txt"), seed=0)
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not a text in UTF-8"):
        load_task(str(tmp_path / "bytes.txt"), seed=0)
    with pytest.raises(DataError, match="300 characters are too few, at least 1281 are needed"):
        load_task(write(tmp_path / "short.txt", "a" * 300), seed=0)
