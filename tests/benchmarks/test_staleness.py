"""Figures are those of the code as it is now, or stale for a reason: in a small repository."""

import json
import shutil

import pytest
from checkouts import commit, git, new_checkout, write

from gatewright.benchmarks.parts import Part
from gatewright.benchmarks.staleness import State, statuses
from gatewright.errors import RunFolderError
from gatewright.origin import Checkout

LANES, REGISTRY = (f"src/gatewright/benchmarks/{name}.py" for name in ("lanes", "registry"))
LANE = '"""A lane."""\n\nWIDTH = 8  # bits\n'


def part(name="lanes"):
    return Part(name, (name,), (LANES,), lambda work: None)


@pytest.fixture
def checkout(tmp_path):
    """A repository whose second commit has the results of its first."""
    made = new_checkout(
        tmp_path / "tree",
        {
            LANES: "from gatewright.hw import lane\n",
            REGISTRY: 'BENCHES = {"golden": 1}\n',
            "src/gatewright/hw/__init__.py": "",
            "src/gatewright/hw/lane.py": LANE,
            "src/gatewright/hw/other.py": "",
        },
    )
    state(made, made.commit())
    commit(made.root)
    return made


def results(checkout, name="lanes", **origin):
    write(checkout.root, {f"docs/results/{name}.json": json.dumps({**origin, "rows": [{"name": "steps"}]})})


def state(checkout, at, name="lanes"):
    results(checkout, name, commit=at, dirty=False)


def status(checkout, name="lanes"):
    return statuses(checkout, [part(name)])[name]


def test_results_of_the_code_as_it_is_are_fresh(checkout):
    found = status(checkout)
    assert (found.state, found.reason) == (State.FRESH, "")
    assert found.commits == (git(checkout.root, "rev-parse", "HEAD~1")[:12],)
    assert found.remedy == "make results ONLY=lanes"


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("staged", [False, True])
def test_a_touched_source_makes_them_stale_and_is_named(checkout, committed, staged):
    write(checkout.root, {"src/gatewright/hw/lane.py": LANE.replace("8", "4")})
    if staged:
        git(checkout.root, "add", "-A")
    if committed:
        commit(checkout.root)
    found = status(checkout)
    assert found.state == State.STALE
    assert found.reason == f"src/gatewright/hw/lane.py changed since {found.commits[0]}"
    git(checkout.root, "checkout", "HEAD~1" if committed else "HEAD", "--", "src")
    assert status(checkout).state == State.FRESH


@pytest.mark.parametrize(
    "files",
    [
        {"src/gatewright/hw/other.py": "WIDTH = 4\n"},
        {"src/gatewright/hw/new.py": "WIDTH = 4\n"},
        {"src/gatewright/hw/lane.py": '"""What a lane is."""\n\n# In bits:\nWIDTH = (8)\n"""Of a word."""\n'},
        {"docs/results/other.json": "{}"},
    ],
)
@pytest.mark.parametrize("committed", [False, True])
def test_what_they_do_not_depend_on_and_prose_leave_them_fresh(checkout, files, committed):
    write(checkout.root, files)
    if committed:
        commit(checkout.root)
    assert status(checkout).state == State.FRESH


def test_a_new_dependency_is_named(checkout):
    write(checkout.root, {"src/gatewright/hw/lane.py": LANE + "from gatewright.hw import new\n"})
    write(checkout.root, {"src/gatewright/hw/new.py": ""})
    reason = "src/gatewright/hw/lane.py, src/gatewright/hw/new.py changed"
    assert status(checkout).reason.startswith(reason)
    commit(checkout.root)
    assert status(checkout).reason.startswith(reason)


def test_data_and_code_that_is_no_python_count_byte_by_byte(checkout):
    write(checkout.root, {"src/gatewright/hw/harness.sv": "// a\n", "src/gatewright/hw/table.npz": "1"})
    state(checkout, commit(checkout.root))
    assert status(checkout).state == State.FRESH
    write(checkout.root, {"src/gatewright/hw/harness.sv": "// b\n"})
    assert status(checkout).reason.startswith("src/gatewright/hw/harness.sv changed")


def test_a_commit_outside_the_history_makes_them_stale(checkout):
    git(checkout.root, "checkout", "-q", "-b", "aside", "HEAD~1")
    write(checkout.root, {"docs/notes.md": ""})
    aside = commit(checkout.root)
    git(checkout.root, "checkout", "-q", "-")
    for at in ("0123456789ab", aside):
        state(checkout, at)
        found = status(checkout)
        assert (found.state, found.reason) == (State.STALE, f"{at} is not in the history")


def test_a_commit_before_the_benchmark_makes_them_stale(checkout):
    first = git(checkout.root, "rev-parse", "--short=12", "HEAD")
    state(checkout, first, "golden")
    assert status(checkout, "golden").state == State.FRESH
    state(checkout, first, "sim")
    assert status(checkout, "sim").reason == f"{first} has no benchmark sim"
    git(checkout.root, "mv", LANES, LANES.replace("lanes", "bands"))
    moved = Part("lanes", ("lanes",), (LANES.replace("lanes", "bands"),), lambda work: None)
    commit(checkout.root)
    found = statuses(checkout, [moved])["lanes"]
    assert found.reason == f"{found.commits[0]} has no {LANES.replace('lanes', 'bands')}"


def test_what_a_file_does_not_say_is_not_taken_for_granted(checkout):
    head = checkout.commit()
    results(checkout, commit=head)
    assert (status(checkout).state, status(checkout).reason) == (
        State.UNKNOWN,
        "it does not say whether its code was committed",
    )
    results(checkout, dirty=False)
    assert (status(checkout).state, status(checkout).reason) == (
        State.STALE,
        "it does not say which commit it was measured at",
    )
    results(checkout, commit=head, dirty=True)
    assert (status(checkout).state, status(checkout).dirty) == (State.STALE, True)


def test_every_row_counts(checkout):
    head = checkout.commit()
    entries = [
        {"name": "steps"},
        {"name": "steps", "commit": "0123456789ab"},
        {"name": "steps", "dirty": True},
    ]
    for rows, reason in (
        (entries[:2], "0123456789ab is not in the history"),
        (entries, "it was measured from code that was not committed"),
    ):
        text = json.dumps({"commit": head, "dirty": False, "rows": rows})
        write(checkout.root, {"docs/results/lanes.json": text})
        assert status(checkout).reason == reason


def test_a_summary_says_where_it_comes_from(checkout):
    text = json.dumps({"commit": checkout.commit(), "dirty": False, "seconds": 1})
    write(checkout.root, {"docs/results/lanes.json": text})
    assert status(checkout).state == State.FRESH


def test_a_missing_file_is_missing(checkout):
    (checkout.root / "docs/results/lanes.json").unlink()
    assert status(checkout).state == State.MISSING


@pytest.mark.parametrize("text", ["{", "[1]", '{"rows": 3}', '{"rows": [3]}'])
def test_a_file_that_holds_no_results_is_named(checkout, text):
    write(checkout.root, {"docs/results/lanes.json": text})
    with pytest.raises(RunFolderError, match=r"lanes\.json: no readable results"):
        status(checkout)


def test_without_git_nothing_is_known(checkout):
    shutil.rmtree(checkout.root / ".git")
    assert (status(checkout).state, status(checkout).reason) == (State.UNKNOWN, "this is no Git repository")


def test_a_shallow_history_may_not_reach_far_enough(checkout, tmp_path):
    at = status(checkout).commits[0]
    git(tmp_path, "clone", "-q", "--depth", "1", checkout.root.as_uri(), "shallow")
    found = status(Checkout(tmp_path / "shallow"))
    assert (found.state, found.reason) == (State.UNKNOWN, f"the history here does not reach back to {at}")
