import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from gatewright.errors import ConfigError, DataError
from gatewright.sw.metrics import BY_MODEL, IGNORED, METRICS, Metric
from gatewright.sw.tasks import DataSettings, load_task, save_task, task_from

LENGTHS = np.array([3, 5, 4, 2, 5, 3, 4, 2, 5, 3, 2, 4])
COUNT, STEPS = len(LENGTHS), int(LENGTHS.sum())
RNG = np.random.default_rng(0)
X = RNG.normal(size=(STEPS, 2)).astype(np.float32)
RAGGED = np.split(X, np.cumsum(LENGTHS)[:-1])
PADDED = np.stack([np.pad(x, ((0, 5 - len(x)), (0, 0)), constant_values=9) for x in RAGGED])
JOINED = {"X": X, "lengths": LENGTHS}

CLASSES = np.arange(COUNT) % 2
VALUES = RNG.normal(size=(COUNT, 3)).astype(np.float32)
STEP_CLASSES = [np.arange(n) % 3 for n in LENGTHS]
STEP_VALUES = [x[:, :1] * 2 for x in RAGGED]
KINDS = {"class": CLASSES, "values": VALUES, "step classes": STEP_CLASSES, "step values": STEP_VALUES}


def padded(targets, fill):
    return np.stack(
        [np.pad(y, ((0, 5 - len(y)), *[(0, 0)] * (y.ndim - 1)), constant_values=fill) for y in targets]
    )


def parts(task):
    return task.train, task.validation, task.test


def same(one, other):
    """Whether two tasks have the same splits."""
    return (
        one.labels == other.labels
        and all(
            np.array_equal(a, b, equal_nan=np.asarray(a).dtype.kind == "f")
            for mine, theirs in zip(parts(one), parts(other), strict=True)
            for a, b in [
                *zip(mine.sequences, theirs.sequences, strict=True),
                *([] if mine.targets is None else zip(mine.targets, theirs.targets, strict=True)),
            ]
        )
        and all(mine.pieces == theirs.pieces for mine, theirs in zip(parts(one), parts(other), strict=True))
    )


@pytest.mark.parametrize(
    ("kind", "every_step", "metric", "labels"),
    [
        ("class", False, "accuracy", ("0", "1")),
        ("values", False, "mse", ("0", "1", "2")),
        ("step classes", True, "accuracy", ("0", "1", "2")),
        ("step values", True, "mse", ("0",)),
    ],
)
def test_every_kind_of_targets(kind, every_step, metric, labels):
    task = task_from(JOINED | {"y": KINDS[kind]} if not every_step else {"X": RAGGED, "y": KINDS[kind]})
    assert (task.every_step, task.metric.name, task.labels) == (every_step, metric, labels)
    assert not task.taught
    assert sorted(len(part) for part in parts(task)) == [2, 2, 8]
    for part in parts(task):
        for sequence, target in zip(part.sequences, part.targets, strict=True):
            k = next(k for k, x in enumerate(RAGGED) if np.array_equal(x, sequence))
            assert np.array_equal(target, KINDS[kind][k])


@pytest.mark.parametrize("kind", KINDS)
def test_all_forms_make_the_same_task(kind):
    y = KINDS[kind]
    listed = task_from({"X": RAGGED, "y": y})
    if kind in ("class", "values"):
        assert same(listed, task_from(JOINED | {"y": y}))
        assert same(listed, task_from({"X": PADDED, "lengths": LENGTHS, "y": y}))
    else:
        fill = 7 if kind == "step classes" else 0
        assert same(listed, task_from(JOINED | {"y": np.concatenate(y)}))
        assert same(listed, task_from({"X": PADDED, "lengths": LENGTHS, "y": padded(y, fill)}))
    assert same(
        listed, task_from({"X": [x.tolist() for x in RAGGED], "y": [np.asarray(t).tolist() for t in y]})
    )


def test_sequences_of_one_length_need_no_lengths():
    task = task_from({"X": PADDED, "y": CLASSES})
    assert {len(x) for part in parts(task) for x in part.sequences} == {5}


def test_without_targets_the_model_will_teach():
    task = task_from(JOINED)
    assert task.taught
    assert task.every_step
    assert task.metric == BY_MODEL
    assert task.output_size == 0
    assert not task_from(JOINED, every_step=False).every_step
    assert task_from(JOINED, metric="snr").metric == METRICS["snr"]


def test_names_of_classes_and_values():
    named = np.array(["no", "yes"])
    assert task_from(JOINED | {"y": named[CLASSES]}).labels == ("no", "yes")
    assert task_from(JOINED | {"y": CLASSES, "labels": named}).labels == ("no", "yes")
    assert task_from(JOINED | {"y": CLASSES.astype(bool)}).labels == ("0", "1")
    assert task_from(JOINED | {"y": VALUES, "labels": ["a", "b", "c"]}).labels == ("a", "b", "c")
    steps = [named[y % 2] for y in STEP_CLASSES]
    assert task_from({"X": RAGGED, "y": steps}).labels == ("no", "yes")


def test_labels_say_the_order_of_named_classes():
    split = ["train"] * 4 + ["validation"] * 4 + ["test"] * 4
    named = {"y": np.array(["no", "yes"])[CLASSES], "labels": ["yes", "maybe", "no"], "split": split}
    task = task_from(JOINED | named)
    assert task.labels == ("yes", "maybe", "no")
    assert np.array_equal(task.train.targets, np.array([2, 0])[CLASSES[:4]])


def test_what_does_not_count_stays_so():
    steps = [np.where(np.arange(n) == 0, IGNORED, y) for n, y in zip(LENGTHS, STEP_CLASSES, strict=True)]
    task = task_from({"X": RAGGED, "y": steps})
    assert all(y[0] == IGNORED and (y[1:] >= 0).all() for part in parts(task) for y in part.targets)
    values = VALUES.copy()
    values[0] = np.nan
    assert (
        sum(np.isnan(part.targets).any(axis=1).sum() for part in parts(task_from(JOINED | {"y": values})))
        == 1
    )


def test_splits_may_be_given_by_name():
    split = np.array(["test", "validation", *["train"] * (COUNT - 2)])
    task = task_from(JOINED | {"y": VALUES, "split": split})
    assert np.array_equal(task.test.sequences[0], RAGGED[0])
    assert np.array_equal(task.validation.targets, VALUES[1:2])
    assert len(task.train) == COUNT - 2


def test_splits_may_be_given_as_arrays():
    ends = {"train": (0, 8), "validation": (8, 10), "test": (10, 12)}
    arrays = {f"X_{name}": RAGGED[a:b] for name, (a, b) in ends.items()}
    arrays |= {f"y_{name}": np.array(["no", "yes"])[CLASSES[a:b]] for name, (a, b) in ends.items()}
    task = task_from(arrays)
    assert [len(part) for part in parts(task)] == [8, 2, 2]
    assert np.array_equal(task.validation.targets, CLASSES[8:10])
    arrays |= {f"stream_{name}": np.zeros(b - a, dtype=int) for name, (a, b) in ends.items()}
    del arrays["y_train"], arrays["y_validation"], arrays["y_test"]
    assert task_from(arrays).test.pieces == [LENGTHS[10:12].tolist()]


def test_whole_groups_go_to_one_split_and_the_seed_decides():
    group = np.array(list("aabbccddeeff"))

    def divided(seed):
        task = task_from(JOINED | {"y": CLASSES, "group": group}, seed=seed)
        places = [
            {
                str(group[next(k for k, x in enumerate(RAGGED) if np.array_equal(x, s))])
                for s in part.sequences
            }
            for part in parts(task)
        ]
        assert sum(map(len, places)) == 6
        assert set.union(*places) == set(group.tolist())
        return places

    assert divided(1) == divided(1)
    assert any(divided(1) != divided(seed) for seed in range(2, 5))


STREAM = np.arange(COUNT) % 4


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_of_a_stream_are_joined(kind):
    y = KINDS[kind]
    split = np.array(["train", "train", "validation", "test"])[STREAM]
    task = task_from({"X": RAGGED, "y": y, "stream": STREAM, "split": split})
    assert task.every_step
    assert [len(part) for part in parts(task)] == [2, 1, 1]
    assert task.test.pieces == [LENGTHS[3::4].tolist()]
    assert np.array_equal(task.test.sequences[0], np.concatenate(RAGGED[3::4]))
    (target,) = task.test.targets
    ends = np.cumsum(LENGTHS[3::4]) - 1
    if kind.startswith("step"):
        assert np.array_equal(target, np.concatenate(y[3::4]))
    else:
        counts = target != IGNORED if kind == "class" else ~np.isnan(target).any(axis=1)
        assert np.flatnonzero(counts).tolist() == ends.tolist()
        assert np.array_equal(target[ends], y[3::4])


def test_one_stream_may_be_cut_into_splits():
    split = np.repeat(["train", "validation", "test"], 4)
    task = task_from(JOINED | {"stream": np.zeros(COUNT, dtype=int), "split": split})
    assert [part.pieces for part in parts(task)] == [[LENGTHS[k : k + 4].tolist()] for k in (0, 4, 8)]
    with pytest.raises(DataError, match=r"1 streams: .* or say with split"):
        task_from(JOINED | {"stream": np.zeros(COUNT, dtype=int)})


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"Y": CLASSES}, "unknown array Y; known are X, group,"),
        ({"X": X[:, 0]}, r"X must be numbers \[steps, features\]"),
        ({"X": PADDED, "lengths": LENGTHS + 1}, "lengths must be 12 integers up to 5"),
        (
            {"X": [*RAGGED[:-1], np.ones((2, 3))], "lengths": None},
            "all sequences of X must have as many features",
        ),
        ({"X": [*RAGGED[:-1], np.ones((0, 2))], "lengths": None}, r"X\[11\] must be numbers"),
        ({"X": [], "lengths": None}, "X is empty"),
        ({"X_train": X}, "array X_validation is missing"),
        ({"y": VALUES[:5]}, r"y has shape \(5, 3\); it must have one entry for each of the 12 sequences"),
        ({"y": CLASSES[:, None]}, "y must be integers or strings for classes, or real numbers for values"),
        ({"y": VALUES * np.inf}, "y holds infinite values"),
        ({"y": VALUES * np.nan}, "y has a split without any value that counts"),
        ({"y": CLASSES * 0}, "y holds 1 class"),
        ({"y": CLASSES + 1, "labels": ["a", "b"]}, "y holds class 2, but labels names 2"),
        ({"y": CLASSES.astype(str), "labels": ["0", "2"]}, "y holds class 1, but labels names 0, 2"),
        ({"y": CLASSES, "labels": ["a", "a"]}, "labels names a twice"),
        ({"y": VALUES, "labels": ["a"]}, "1 labels for 3 values"),
        (
            {"y": [np.arange(2)] * COUNT},
            r"y must be integers or strings for classes, .* not int64 of shape \(12, 2\)",
        ),
        (
            {"X": RAGGED, "lengths": None, "y": STEP_CLASSES[::-1]},
            "y must have one target for each sequence, or one",
        ),
        ({"split": ["train"] * COUNT}, "split has no sequence of 'validation'"),
        ({"split": ["tain"] * COUNT}, "split must be one of train, validation, test, not 'tain'"),
        ({"split": np.zeros((2, 2))}, "split must be integers or strings, one for each of the 12 sequences"),
        ({"split": ["train"] * COUNT, "group": STREAM}, "split and group do not go together"),
        ({"group": STREAM % 2}, "2 groups: train, validation and test need at least one each"),
        ({"stream": STREAM[1:]}, "stream must be integers or strings, one for each of the 12"),
        ({"X": X[:5], "lengths": [3, 2]}, "2 sequences: train, validation and test need at least one each"),
    ],
)
def test_malformed_arrays_are_refused(change, text):
    arrays = {key: value for key, value in (JOINED | change).items() if value is not None}
    with pytest.raises(DataError, match=text) as refusal:
        task_from(arrays, where="mine.npz")
    assert str(refusal.value).startswith("mine.npz: ")


def test_features_and_kinds_agree_over_splits():
    arrays = {f"X_{name}": RAGGED[:3] for name in ("train", "validation", "test")}
    with pytest.raises(DataError, match="as many features, and targets of one kind"):
        task_from(arrays | {"X_test": [np.ones((4, 3))]})
    targets = {f"y_{name}": CLASSES[:3] for name in ("train", "validation", "test")}
    with pytest.raises(DataError, match="as many features, and targets of one kind"):
        task_from(arrays | targets | {"y_test": VALUES[:3]})
    with pytest.raises(DataError, match="y is there for some splits only"):
        task_from(arrays | {"y_test": CLASSES[:3]})
    with pytest.raises(DataError, match="unknown array group"):
        task_from(arrays | {"group": STREAM})


@pytest.mark.parametrize(
    ("arrays", "metric", "text"),
    [
        ({"y": CLASSES}, "mse", "mse is about values, but the targets are classes"),
        ({"y": VALUES}, "accuracy", "accuracy is about classes, but the targets are values"),
        ({}, "accuracy", "accuracy needs targets, and data has none: use agreement or snr, or add y"),
        ({"y": CLASSES}, "agreement", "agreement is for data without targets"),
        ({"y": CLASSES}, "nice", "no metric named 'nice'"),
    ],
)
def test_a_metric_that_does_not_suit_is_refused(arrays, metric, text):
    with pytest.raises(ConfigError, match=text):
        task_from(JOINED | arrays, metric=metric)


def test_every_step_is_for_data_without_targets():
    with pytest.raises(ConfigError, match="these have targets of whole sequences"):
        task_from(JOINED | {"y": CLASSES}, every_step=True)


TASKS = {
    **{kind: {"X": RAGGED, "y": y} for kind, y in KINDS.items()},
    "none": JOINED,
    "stream": JOINED | {"y": VALUES, "stream": STREAM},
    "names": JOINED | {"y": CLASSES, "labels": ["no", "yes"]},
}


@pytest.mark.parametrize("kind", TASKS)
def test_a_saved_task_is_read_back(tmp_path, kind):
    task = dataclasses.replace(task_from(TASKS[kind], "mine", seed=3), caveat="made up", scaled=False)
    save_task(task, tmp_path / "task.npz")
    back = load_task(str(tmp_path / "task.npz"))
    assert same(task, back)
    for name in ("name", "caveat", "scaled", "metric", "training", "compression", "taught", "every_step"):
        assert getattr(back, name) == getattr(task, name)
    assert back.source == DataSettings(str(tmp_path / "task.npz"))


def test_another_process_reads_a_task_with_a_users_metric(tmp_path, monkeypatch):
    (tmp_path / "ours.py").write_text(
        "def error(outputs, targets):\n    return abs(outputs - targets).max()\nerror.more_is_better = False\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    task = task_from(JOINED | {"y": VALUES}, metric="ours:error")
    save_task(task, tmp_path / "task.npz")
    program = (
        "from gatewright.sw.tasks import load_task\n"
        "task = load_task('task.npz')\n"
        "print(task.metric.name, task.metric.more_is_better, float(task.test.targets.sum()))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["ours:error", "False", str(float(task.test.targets.sum()))]
    sys.modules.pop("ours")


def test_a_metric_that_no_other_process_finds_is_not_saved(tmp_path):
    task = task_from(JOINED | {"y": VALUES})
    nameless = dataclasses.replace(task, metric=Metric("mine", "", True, len, "values"))
    with pytest.raises(ConfigError, match="no metric named 'mine'"):
        save_task(nameless, tmp_path / "task.npz")


def test_a_damaged_note_is_refused(tmp_path):
    np.savez(tmp_path / "task.npz", **JOINED, task="{}")
    with pytest.raises(DataError, match=r"task\.npz: not written by Gatewright: its entry task"):
        load_task(str(tmp_path / "task.npz"))


def test_settings_travel_as_plain_values():
    settings = DataSettings("mine.npz", "r2", 3, False)
    assert DataSettings.from_json(settings.to_json()) == settings
    for wrong in (
        {"source": ""},
        {"source": 3},
        {"source": "x", "seed": -1},
        {"source": "x", "every_step": "no"},
    ):
        with pytest.raises(ConfigError):
            DataSettings(**wrong)
    with pytest.raises(ConfigError, match="not a description of data"):
        DataSettings.from_json({"path": "x"})
