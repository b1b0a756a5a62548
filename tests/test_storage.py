import json

import numpy as np
import pytest

from gatewright.errors import BundleError, RunFolderError
from gatewright.storage import read_npz, remove_made, whole_file, write_json, write_npz


def test_npz_round_trip(tmp_path):
    path = tmp_path / "a.npz"
    write_npz(path, {"version": 3, "x": [1, "é"]}, {"a": np.arange(4, dtype=np.int8)})
    meta, arrays = read_npz(path, "thing", 3, lambda meta: ["a"])
    assert meta == {"version": 3, "x": [1, "é"]}
    assert arrays["a"].tolist() == [0, 1, 2, 3]
    assert arrays["a"].dtype == np.int8


def test_a_failed_write_leaves_the_old_file_and_no_partial_one(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})
    with pytest.raises(TypeError):
        write_json(path, {"new": object()})
    with pytest.raises(TypeError), whole_file(path) as partial:
        partial.write_text(object())
    assert json.loads(path.read_text()) == {"old": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def _pickled(path):
    np.savez(path, meta=np.array([{"version": 1}], dtype=object))


def _array(path):
    with path.open("wb") as stream:
        np.save(stream, np.arange(3))


def _truncated(path):
    write_npz(path, {"version": 1}, {"a": np.arange(1000)})
    path.write_bytes(path.read_bytes()[:-40])


@pytest.mark.parametrize("spoil", [_pickled, _array, _truncated, lambda path: path.write_text("hello"),
                                   lambda path: np.savez(path, other=1)])  # fmt: skip
def test_foreign_files_are_refused_by_name(tmp_path, spoil):
    path = tmp_path / "a.npz"
    spoil(path)
    with pytest.raises(BundleError, match=r"a\.npz: not a thing file"):
        read_npz(path, "thing", 1, lambda meta: ["a"])


def test_other_versions_and_missing_files_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(BundleError, match="no such file"):
        read_npz(path, "thing", 1, lambda meta: ["a"])
    write_npz(path, {"version": 2}, {})
    with pytest.raises(BundleError, match="thing version 2; this release reads version 1"):
        read_npz(path, "thing", 1, lambda meta: ["a"])


def test_any_flipped_bit_is_noticed_or_harmless(tmp_path):
    path = tmp_path / "a.npz"
    write_npz(path, {"version": 1}, {"a": np.arange(300) % 77})
    whole = path.read_bytes()
    refused = 0
    for k in range(len(whole)):
        path.write_bytes(whole[:k] + bytes([whole[k] ^ 0x81]) + whole[k + 1 :])
        try:
            read_npz(path, "thing", 1, lambda meta: ["a"])
        except BundleError:
            refused += 1
    assert refused > len(whole) // 2


@pytest.fixture
def made(tmp_path):
    """A folder with three files of ours."""
    folder = tmp_path / "made"
    names = ["a.json", "rtl/top.sv", "rtl/deep/b.mem"]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder, names


def test_what_was_made_is_removed_with_its_folders(made):
    folder, names = made
    assert remove_made(folder, [*names, "never/written"]) == []
    assert not folder.exists()
    assert remove_made(folder, names) == []


def test_files_of_others_stay_and_are_named(made):
    folder, names = made
    (folder / "rtl" / "mine.txt").touch()
    assert remove_made(folder, names) == ["rtl/mine.txt"]
    assert not (folder / "rtl" / "deep").exists()


def test_nothing_behind_a_link_is_removed(made, tmp_path):
    folder, names = made
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "top.sv").touch()
    (folder / "flow").symlink_to(elsewhere)
    (folder / "file.sv").symlink_to(elsewhere / "top.sv")
    assert remove_made(folder, [*names, "flow/top.sv", "file.sv"]) == ["file.sv", "flow"]
    assert (elsewhere / "top.sv").exists()
    with pytest.raises(RunFolderError, match="flow is a link"):
        remove_made(folder / "flow", ["top.sv"])
    assert (elsewhere / "top.sv").exists()


@pytest.mark.parametrize("name", ["../a.json", "/etc/passwd", "", "rtl/../../x"])
def test_a_list_that_leads_out_of_its_folder_removes_nothing(made, name):
    folder, names = made
    with pytest.raises(RunFolderError, match="leads out of it"):
        remove_made(folder, [*names, name])
    assert all((folder / each).exists() for each in names)
