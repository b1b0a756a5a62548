"""The README and the page of results state what was measured; the README names commands that exist."""

import importlib
import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.main import get_command

from gatewright.benchmarks.registry import BENCHES
from gatewright.cli import app
from gatewright.errors import RunFolderError

ROOT = Path(__file__).parents[1]


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
    assert stated == tables.headline.headline_table()
    assert len(stated.splitlines()) == 2 + 10


def test_the_page_of_results_is_that_of_the_rows(tables):
    assert (ROOT / "docs" / "results.md").read_text() == tables.main.results()


def test_every_file_of_results_is_needed(tables, monkeypatch, tmp_path):
    files = sorted((ROOT / "docs" / "results").iterdir())
    assert files
    monkeypatch.setattr(tables.source, "RESULTS", tmp_path)
    for missing in files:
        for path in files:
            (tmp_path / path.name).unlink(missing_ok=True)
            if path != missing:
                (tmp_path / path.name).write_bytes(path.read_bytes())
        with pytest.raises((OSError, RunFolderError), match=missing.name):
            tables.main.results()


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
