"""Run folders: named models, and removal of nothing but what the package made."""

import json

import pytest

from gatewright.custody import Delivery
from gatewright.errors import RunFolderError
from gatewright.run import FORMAT, RunFolder, parallelism


def fill(run):
    """Leave files as a finished build does, and one of the user's in each folder."""
    roles = {
        "rtl/top.sv": "rtl",
        "images/a.dense.npz": "image",
        "models/a.npz": "model",
        "ecp5-25k/run.sh": "flow",
    }
    for name in (*roles, "models/float.pt", "rows/train.json", "rows/build.json", "report.html", "run.toml"):
        (run.root / name).parent.mkdir(exist_ok=True)
        (run.root / name).write_text("made")
    Delivery.of(run.root, roles).save(run.root)
    for folder in ("rtl", "models", "ecp5-25k", "."):
        (run.root / folder / "mine.txt").write_text("mine")


def left(root):
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


MINE = ["ecp5-25k/mine.txt", "mine.txt", "models/mine.txt", "rtl/mine.txt"]


def test_notes_are_kept(tmp_path):
    run = RunFolder.create(tmp_path / "a" / "b", task="digits", seed=4)
    assert RunFolder.open(tmp_path / "a" / "b") == run
    assert (run.notes["task"], run.notes["seed"]) == ("digits", 4)


def test_models_have_names(tmp_path):
    run = RunFolder.create(tmp_path / "a")
    for name in ("kept-12.5", "dense"):
        run.model(name).write_text("made")
    run.float_model().write_text("made")
    assert run.models == {"dense": run.model("dense"), "kept-12.5": run.model("kept-12.5")}


def test_an_existing_run_is_replaced_only_when_asked_for(tmp_path):
    run = RunFolder.create(tmp_path / "a")
    fill(run)
    before = left(run.root)
    with pytest.raises(RunFolderError, match="--overwrite"):
        RunFolder.create(run.root)
    assert left(run.root) == before
    RunFolder.create(run.root, overwrite=True)
    assert left(run.root) == sorted([*MINE, "run.json"])


def test_a_new_build_leaves_models_and_rows_of_other_steps(tmp_path):
    run = RunFolder.create(tmp_path / "a")
    fill(run)
    run.clear_build()
    kept = ["models/a.npz", "models/float.pt", "report.html", "rows/train.json", "run.json", "run.toml"]
    assert left(run.root) == sorted([*MINE, *kept])


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_no_run_is_never_touched(tmp_path, overwrite):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    for target in (tmp_path / "folder", tmp_path / "folder" / "file", tmp_path / "link"):
        with pytest.raises(RunFolderError, match="choose another name"):
            RunFolder.create(target, overwrite=overwrite)
    assert (tmp_path / "folder" / "file").read_text() == "mine"


def test_a_delivery_that_names_files_elsewhere_removes_none_of_them(tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    run = RunFolder.create(tmp_path / "a")
    entry = {"role": "rtl", "sha256": "0" * 64}
    (run.root / "custody.json").write_text(json.dumps({"files": {"../precious.txt": entry}}))
    run.clear_build()
    assert (tmp_path / "precious.txt").read_text() == "mine"


@pytest.mark.parametrize("marker", ['{"gatewright": "0.1.0"}', '{"format": 99}', "[]", "{"])
def test_a_run_of_another_format_is_refused(tmp_path, marker):
    (tmp_path / "run.json").write_text(marker)
    with pytest.raises(RunFolderError, match=r"format|unreadable|object"):
        RunFolder.open(tmp_path)
    assert FORMAT == 2


def test_a_missing_step_is_named(tmp_path):
    run = RunFolder.create(tmp_path / "a")
    with pytest.raises(RunFolderError, match="gatewright build"):
        run.need("build")
    with pytest.raises(RunFolderError, match="gatewright build MODEL"):
        RunFolder.open(tmp_path / "none")


def test_a_searched_accelerator_is_built_with_its_lanes():
    chosen = {"network.rank": 8, "hardware.lanes": 16, "hardware.groups": 1, "hardware.cell_lanes": 2}
    assert parallelism(chosen) == " --lanes 16 --cell-lanes 2"
    assert parallelism({"network.rank": 8}) == ""
