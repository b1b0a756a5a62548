"""The README and the page of results state what was measured; the README names commands that exist."""

import importlib
import importlib.util
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from stale_figures import RECORDED
from typer.main import get_command

from gatewright.benchmarks import SEEDS
from gatewright.benchmarks.registry import BENCHES
from gatewright.benchmarks.staleness import State
from gatewright.cli import app

ROOT = Path(__file__).parents[1]


def unmarked(text):
    """Take the marks of stale figures from a text: they are those of the moment when it was written."""
    return importlib.import_module("source").MARK.sub("", text)


@pytest.fixture
def tables(monkeypatch):
    """What writes the figures, as modules by name."""
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "tables"))
    source, headline = (importlib.import_module(name) for name in ("source", "headline"))
    spec = importlib.util.spec_from_file_location("tables", ROOT / "docs" / "tables" / "__main__.py")
    main = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(main)
    return SimpleNamespace(source=source, headline=headline, main=main)


def test_headline_figures_are_those_of_the_rows(tables):
    text = (ROOT / "README.md").read_text()
    stated = text.partition(tables.main.BEGIN)[2].partition(tables.main.END)[0].strip()
    assert unmarked(stated) == unmarked(tables.headline.headline_table())
    assert len(stated.splitlines()) == 2 + 10


def test_the_headline_leaves_out_what_another_point_beats(tables, monkeypatch):
    def point(gained, smaller, faster):
        return {"score_gained": gained, "times_smaller": smaller, "times_faster": faster}

    # The second is worse than the first in all.
    points = [point(-0.2, 20.0, 22.0), point(-0.7, 13.0, 14.0), point(0.4, 2.0, 3.0)]
    monkeypatch.setattr(tables.headline, "summary", lambda _: {"search": dict(enumerate(points))})
    text, _ = tables.headline._searched()
    assert (
        text == "+0.4 points: 2 times smaller, 3 times faster; -0.2 points: 20 times smaller, 22 times faster"
    )


def test_the_page_of_results_is_that_of_the_rows(tables):
    assert unmarked((ROOT / "docs" / "results.md").read_text()) == unmarked(tables.main.results())


def test_every_file_of_results_is_measured_and_shown(tables):
    begin = len(tables.source.READ)
    tables.main.results()
    shown = set(tables.source.READ[begin:])
    assert shown == set(tables.source.known())
    assert {path.stem for path in (ROOT / "docs" / "results").iterdir()} <= shown


def test_what_is_not_measured_is_said(tables, monkeypatch, tmp_path):
    files = tables.source.known()
    for path in (ROOT / "docs" / "results").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(tables.source, "RESULTS", tmp_path)
    for name in ("hw", "demo", "place"):
        (tmp_path / f"{name}.json").unlink()
        assert f"Not measured: `{files[name].remedy}` does." in tables.main.results()
    lines = tables.headline.headline_table().splitlines()
    assert sum("| – | Not measured: `make results ONLY=" in line for line in lines) == 4


def test_what_is_measured_by_seed_is_read_as_far_as_it_is_there(tables, monkeypatch):
    assert {row.seed for row in tables.source.rows_of_part("opponents-digits").where("hypervolume")} == {
        *SEEDS
    }
    known = tables.source.known()
    missing = {f"opponents-digits-{seed}": replace(known["demo"], state=State.MISSING) for seed in (1, 4)}
    monkeypatch.setattr(tables.source, "known", lambda: known | missing)
    assert "Not measured: seeds 1, 4 of 5." in tables.main.results()
    missing |= {f"opponents-digits-{seed}": missing["opponents-digits-1"] for seed in SEEDS}
    assert "Not measured: `make results ONLY=opponents-digits` does." in tables.main.results()


def test_stale_figures_are_marked_wherever_they_are_shown(tables, monkeypatch):
    fresh, stale = (
        {name: replace(status, state=state, reason=reason) for name, status in tables.source.known().items()}
        for state, reason in ((State.FRESH, ""), (State.STALE, "hw/x.py changed since c0ffee"))
    )
    monkeypatch.setattr(tables.source, "known", lambda: fresh)
    clean, lines = tables.main.results(), tables.headline.headline_table()
    assert "tale: " not in clean + lines
    monkeypatch.setattr(tables.source, "known", lambda: stale)
    marked = tables.main.results()
    assert unmarked(marked) == clean
    assert unmarked(tables.headline.headline_table()) == lines
    for line in tables.headline.headline_table().splitlines()[2:]:
        assert " *stale: [why](docs/results.md#where-the-figures-come-from)* |" in line
    body, _, _ = marked.partition("## Where the figures come from")
    for section in body.split("| --- |\n")[1:]:
        assert "\n*Stale: " in section or "Not measured" in section
    assert "*Stale: hw, hw-large, hw-wide, because hw/x.py changed since c0ffee.*" in marked


def test_which_figures_are_stale_is_printed(tables, record_property):
    """A stale figure is no failure: the end of a test run names it, and what measures it anew."""
    told = [
        f"{status.state}: {name}, because {status.reason}; {status.remedy}"
        for name, status in tables.source.known().items()
        if status.state != State.FRESH
    ]
    page = (ROOT / "docs" / "results.md").read_text()
    if page != tables.main.results():
        told.append("docs/results.md and the README mark others as stale: python docs/tables marks these")
    record_property(RECORDED, told)
    assert all("; make results ONLY=" in line or "docs/tables" in line for line in told)


def test_every_command_is_named():
    text = (ROOT / "README.md").read_text()
    named = set(re.findall(r"`gatewright (\w+)", text))
    assert named == {command.name for command in app.registered_commands}


def test_every_benchmark_is_named():
    (line,) = [
        line for line in (ROOT / "README.md").read_text().splitlines() if "`gatewright bench NAME`" in line
    ]
    named = set(re.findall(r"`([\w-]+)`", line))
    assert named == set(BENCHES)


def test_every_option_exists():
    lines = re.findall(r"^gatewright (\w+) (.*?)(?: +#.*)?$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(lines) >= 5
    for name, options in lines:
        known = get_command(app).commands[name].params
        assert set(re.findall(r"--[\w-]+", options)) <= {option for each in known for option in each.opts}, (
            name
        )


def test_links_lead_somewhere():
    for source in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)\)", source.read_text()):
            assert (source.parent / target).exists(), f"{source.name}: {target}"
