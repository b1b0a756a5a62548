import sys

import numpy as np
import pytest

from gatewright.errors import ConfigError, DataError
from gatewright.sw.tasks import DataSettings, load_task

RNG = np.random.default_rng(0)
SEQUENCES = [RNG.normal(size=(4 + k % 3, 2)).astype(np.float32) for k in range(8)]


def fill(folder, sequences, ending=".npy"):
    folder.mkdir(parents=True, exist_ok=True)
    for k, x in enumerate(sequences):
        if ending == ".npy":
            np.save(folder / f"{k}.npy", x)
        else:
            np.savetxt(folder / f"{k}.csv", x, delimiter=",")


@pytest.mark.parametrize("ending", [".npy", ".csv"])
def test_folders_are_classes(tmp_path, ending):
    fill(tmp_path / "mine" / "idle", SEQUENCES[:4], ending)
    fill(tmp_path / "mine" / "moving", SEQUENCES[4:], ending)
    task = load_task(str(tmp_path / "mine"))
    assert (task.name, task.labels, task.metric.name) == ("mine", ("idle", "moving"), "accuracy")
    for part in (task.train, task.validation, task.test):
        for sequence, label in zip(part.sequences, part.targets, strict=True):
            assert any(
                np.allclose(sequence, x) for x in SEQUENCES[4 * label :][:4] if x.shape == sequence.shape
            )


def test_files_alone_have_no_targets(tmp_path):
    fill(tmp_path, SEQUENCES)
    task = load_task(DataSettings(str(tmp_path), "snr", every_step=False))
    assert task.taught
    assert not task.every_step
    assert sum(len(part) for part in (task.train, task.validation, task.test)) == 8


def test_targets_of_steps_are_beside_their_sequences(tmp_path):
    fill(tmp_path, SEQUENCES)
    for k, x in enumerate(SEQUENCES):
        np.save(tmp_path / f"{k}.y.npy", x.sum(axis=1))
    task = load_task(DataSettings(str(tmp_path), "r2"))
    assert np.allclose(task.test.targets[0][:, 0], task.test.sequences[0].sum(axis=1))
    (tmp_path / "3.y.npy").unlink()
    with pytest.raises(DataError, match=r"3\.y\.npy is missing; other sequences have targets"):
        load_task(str(tmp_path))


def test_folders_may_be_splits(tmp_path):
    for name, (a, b) in {"train": (0, 4), "validation": (4, 6), "test": (6, 8)}.items():
        fill(tmp_path / name / "idle", SEQUENCES[a:b:2])
        fill(tmp_path / name / "moving", SEQUENCES[a + 1 : b : 2])
    task = load_task(str(tmp_path))
    assert np.array_equal(task.test.sequences[1], SEQUENCES[7])
    assert task.test.targets.tolist() == [0, 1]
    (tmp_path / "validation").rename(tmp_path / "dev")
    with pytest.raises(
        DataError, match="there is no folder validation; given splits are train, validation, test"
    ):
        load_task(str(tmp_path))


def test_other_layouts_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"no sequences; it must hold .npy or .csv files"):
        load_task(str(tmp_path))
    (tmp_path / "idle").mkdir()
    with pytest.raises(DataError, match=r"its folders hold no .npy and no .csv files"):
        load_task(str(tmp_path))
    fill(tmp_path, SEQUENCES[:1])
    with pytest.raises(DataError, match=r"0\.npy is beside folders of classes"):
        load_task(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "content"), [("0.npy", b"no array"), ("0.csv", b"1,2\n3\n"), ("0.csv", b"time,speed\n1,2\n")]
)
def test_damaged_files_are_named(tmp_path, name, content):
    fill(tmp_path, SEQUENCES)
    (tmp_path / "0.npy").unlink()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name}: not a whole file of numbers"):
        load_task(str(tmp_path))


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "userdata.py").write_text(
        "import numpy as np\n"
        "from gatewright.sw.tasks import task_from\n"
        "X = np.random.default_rng(0).normal(size=(12, 5, 2))\n"
        "y = np.arange(12) % 2\n"
        "pair = (X, y)\n"
        "arrays = {'X': X, 'y': X[:, :, :1]}\n"
        "task = task_from({'X': X, 'y': y}, 'made')\n"
        "number = 3\n"
        "def load():\n"
        "    return arrays\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("userdata", None)


@pytest.mark.parametrize(
    ("name", "metric", "every_step"),
    [
        ("pair", "accuracy", False),
        ("arrays", "mse", True),
        ("load", "mse", True),
        ("task", "accuracy", False),
    ],
)
def test_python_objects_and_functions_are_data(module, name, metric, every_step):
    task = load_task(f"userdata:{name}")
    assert (task.metric.name, task.every_step) == (metric, every_step)
    assert task.source == DataSettings(f"userdata:{name}")
    other = "r2" if every_step else "f1"
    assert load_task(DataSettings(f"userdata:{name}", other)).metric.name == other


def test_other_objects_are_refused(module):
    with pytest.raises(
        DataError, match=r"userdata:number is a int; it must be a Task, a dict of arrays, \(X, y\)"
    ):
        load_task("userdata:number")
    with pytest.raises(ConfigError, match="data userdata:missing: module userdata has no 'missing'"):
        load_task("userdata:missing")
    with pytest.raises(ConfigError, match="data nowhere:x: the module nowhere cannot be imported"):
        load_task("nowhere:x")
