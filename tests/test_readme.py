"""The README states what was measured, and names commands that exist."""

import importlib.util
import re
from pathlib import Path

from gatewright.cli import app

ROOT = Path(__file__).parents[1]


def test_figures_are_those_of_the_rows():
    spec = importlib.util.spec_from_file_location("figures", ROOT / "docs" / "figures.py")
    figures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(figures)
    text = (ROOT / "README.md").read_text()
    assert text.partition(figures.BEGIN)[2].partition(figures.END)[0].strip() == figures.block()


def test_every_command_is_named():
    text = (ROOT / "README.md").read_text()
    named = set(re.findall(r"`gatewright (\w+)", text))
    assert named == {command.callback.__name__ for command in app.registered_commands}


def test_links_lead_somewhere():
    for source in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)\)", source.read_text()):
            assert (source.parent / target).exists(), f"{source.name}: {target}"
