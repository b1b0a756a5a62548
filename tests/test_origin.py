import pytest
from checkouts import commit, git, new_checkout, write

from gatewright.origin import UNKNOWN, Checkout, named, versions

FILES = {
    ".gitignore": "runs/\n__pycache__/\n",
    "hw/lane.py": "",
    "tests/test_lane.py": "",
    "README.md": "",
    "docs/results/hw.json": "{}",
    "docs/architecture.md": "",
}


@pytest.fixture
def checkout(tmp_path):
    return new_checkout(tmp_path / "tree", FILES)


def test_a_committed_tree_is_clean(checkout):
    assert checkout.state() == (git(checkout.root, "rev-parse", "HEAD")[:12], False)


@pytest.mark.parametrize(
    "path", ["hw/lane.py", "tests/test_lane.py", "docs/architecture.md", "hw/new.py", "examples/new.py"]
)
@pytest.mark.parametrize("staged", [False, True])
def test_changes_of_tracked_files_and_new_code_make_it_dirty(checkout, path, staged):
    write(checkout.root, {path: "x = 1\n"})
    if staged:
        git(checkout.root, "add", path)
    assert checkout.changes() == (path,)
    assert checkout.state()[1] is True
    commit(checkout.root)
    assert checkout.state()[1] is False


def test_a_removed_file_is_a_change(checkout):
    (checkout.root / "hw/lane.py").unlink()
    assert checkout.changes() == ("hw/lane.py",)


@pytest.mark.parametrize(
    "path",
    [
        "docs/results/hw.json",
        "docs/results/new.json",
        "docs/images/busy.png",
        "README.md",
        "reports/gallery/search.html",
        "runs/results/hw.json",
        "hw/__pycache__/lane.pyc",
        "notes.txt",
    ],
)
def test_results_themselves_and_files_that_are_no_code_leave_it_clean(checkout, path):
    write(checkout.root, {path: "{1}"})
    assert checkout.state()[1] is False


def test_without_git_nothing_is_known(tmp_path):
    write(tmp_path, FILES)
    assert Checkout(tmp_path).changes() is None
    assert Checkout(tmp_path).state() == (UNKNOWN, None)


def test_a_tree_inside_another_repository_is_not_that_repository(checkout):
    inner = Checkout(checkout.root / "hw")
    assert inner.state() == (UNKNOWN, None)


def test_the_environment_of_a_hook_does_not_count(checkout, monkeypatch, tmp_path):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    assert checkout.commit() != UNKNOWN


def test_a_few_paths_are_named():
    assert named(("a", "b")) == "a, b"
    assert named(("a", "b", "c", "d", "e")) == "a, b, c and 2 more"


def test_versions_are_those_of_the_tools():
    assert versions()["numpy"][0].isdigit()
