"""Rows of uncommitted code stay out of `docs/results`."""

import re

import pytest
from checkouts import commit, new_checkout, write

from gatewright.benchmarks import registry
from gatewright.benchmarks.publishing import ASIDE, RESULTS, checkout_of
from gatewright.errors import ConfigError
from gatewright.origin import HERE
from gatewright.progress import silent
from gatewright.results import Row, read_rows

_FOLDER = r"(?<![\w<./:\-+{])/(?:[\w.-]+/)+[\w.-]*"

OPTIONS = registry.Options(silent, cases=1, seed=0, text=None, silero=None)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    made = new_checkout(
        tmp_path / "tree",
        {
            "src/gatewright/benchmarks/accelerator.py": "from gatewright import lane",
            "src/gatewright/lane.py": "",
            "src/gatewright/other.py": "",
            "docs/results/old.json": "",
            ".gitignore": "runs/\n",
        },
    )
    monkeypatch.setattr(registry, "HERE", made)
    monkeypatch.setattr(registry, "commit", made.commit)
    return made


@pytest.fixture
def measure(monkeypatch):
    """Stand in for the benchmark `golden`; what is given happens while it measures."""
    ran = []

    def prepared(meanwhile=lambda: None):
        def golden(options):
            ran.append(options)
            meanwhile()
            return [Row("steps", "steps", 3, commit="c0ffee", dirty=False)]

        monkeypatch.setitem(registry.BENCHES, "golden", golden)
        return ran

    return prepared


def test_a_target_in_the_results_of_any_checkout_is_recognised(checkout, tmp_path, monkeypatch):
    assert checkout_of(checkout.root / "docs/results/new.json") == checkout.root
    assert checkout_of(checkout.root / "docs/results/deeper/new.json") == checkout.root
    assert checkout_of(checkout.root / "runs/../docs/results/new.json") == checkout.root
    assert checkout_of(checkout.root / "docs/other/new.json") is None
    assert checkout_of(tmp_path / "docs/results/new.json") is None
    monkeypatch.chdir(checkout.root / "docs/results")
    assert checkout_of("new.json") == checkout.root


def test_rows_of_committed_code_are_published(checkout, measure):
    measure()
    path = checkout.root / "docs/results/golden.json"
    rows = registry.bench("golden", path, OPTIONS)
    assert read_rows(path) == rows
    assert rows[0].dirty is False


def test_rows_that_are_not_committed_are_no_change_of_the_code(checkout, measure):
    measure()
    for name in ("old", "golden", "golden"):
        registry.bench("golden", checkout.root / f"docs/results/{name}.json", OPTIONS)


def test_uncommitted_code_is_refused_before_it_is_measured(checkout, measure):
    ran = measure()
    write(checkout.root, {"src/gatewright/lane.py": "x = 1\n"})
    path = checkout.root / "docs/results/golden.json"
    with pytest.raises(ConfigError, match=r"not committed: src/gatewright/lane\.py\. Commit them"):
        registry.bench("golden", path, OPTIONS)
    assert not ran
    assert not path.exists()
    registry.bench("golden", checkout.root / "golden.json", OPTIONS)
    assert len(ran) == 1
    commit(checkout.root)
    registry.bench("golden", path, OPTIONS)


@pytest.mark.parametrize("committed", [False, True])
def test_code_that_changes_while_it_is_measured_makes_rows_dirty(checkout, measure, committed):
    def change():
        write(checkout.root, {"src/gatewright/lane.py": "x = 1\n"})
        if committed:
            commit(checkout.root)

    measure(change)
    path = checkout.root / "docs/results/golden.json"
    with pytest.raises(ConfigError, match="the code changed while it was measured"):
        registry.bench("golden", path, OPTIONS)
    assert not path.exists()
    assert read_rows(checkout.root / ASIDE / RESULTS / "golden.json")[0].dirty is True


@pytest.mark.parametrize("committed", [False, True])
def test_other_code_may_change_while_it_is_measured(checkout, measure, committed):
    def change():
        write(checkout.root, {"src/gatewright/other.py": "x = 1\n", "docs/results/old.json": "{}"})
        if committed:
            commit(checkout.root)

    measure(change)
    path = checkout.root / "docs/results/golden.json"
    registry.bench("golden", path, OPTIONS)
    assert read_rows(path)[0].dirty is False


def test_rows_elsewhere_say_that_they_are_dirty(checkout, measure, tmp_path):
    measure(lambda: write(checkout.root, {"src/gatewright/lane.py": "x = 1\n"}))
    registry.bench("golden", tmp_path / "golden.json", OPTIONS)
    assert read_rows(tmp_path / "golden.json")[0].dirty is True


def test_what_is_published_names_no_folder_of_a_machine():
    """A path from the root on; what is behind ``<``, ``:`` or a name is a tag, an address or a relative path."""
    files = [HERE.root / "README.md", HERE.root / "docs/results.md", *(HERE.root / RESULTS).glob("*.json")]
    files += (HERE.root / "reports/gallery").glob("*.html")
    assert len(files) > 20
    named = {path.name: re.findall(_FOLDER, path.read_text()) for path in files}
    assert not {name: found for name, found in named.items() if found}
    assert re.findall(_FOLDER, "gatewright build /home/me/study -o fpga") == ["/home/me/study"]
