"""The documents: built as a site, their links, their code, and what they say of the code."""

import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path, PurePosixPath

import click
import pytest
import yaml
from typer.main import get_command

from gatewright.cli import app
from gatewright.hw.ops import ARGUMENTS, OP_BITS, Opcode, When

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
ELSEWHERE = runpy.run_path(str(DOCS / "hooks.py"))["ELSEWHERE"]
"""Files of the repository by the pages of the site that they are."""

RUN_ELSEWHERE = {"tutorial.md", "data.md"}
"""Pages whose blocks other tests run."""


def blocks(path, kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)


@cache
def anchors(path):
    """The anchors of a page's headings, as MkDocs and code hosts make them."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def entries(nav):
    for entry in nav:
        if isinstance(entry, str):
            yield entry
        else:
            for below in entry.values():
                yield from entries(below)


def settings():
    return yaml.safe_load((ROOT / "mkdocs.yml").read_text())


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "reference" / "index.html").read_text()
    for name in ("import_model", "quantise", "Design", "inferences_per_second"):
        assert name in page
    assert "Contributing" in (tmp_path / "contributing" / "index.html").read_text()


def test_nothing_is_loaded_from_elsewhere():
    assert settings()["theme"]["font"] is False
    assert "mermaid" not in (ROOT / "mkdocs.yml").read_text()


def test_every_page_is_in_the_navigation():
    listed, there = set(entries(settings()["nav"])), {path.name for path in DOCS.glob("*.md")}
    assert listed == there | set(ELSEWHERE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        if not path.exists() and name in ELSEWHERE:
            path = ROOT / ELSEWHERE[name]
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path), target


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in RUN_ELSEWHERE], ids=lambda page: page.name
)
def test_python_blocks_run(page, tmp_path, monkeypatch):
    """All of a page in order, as a reader types them; those of the README are the tutorial's."""
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in blocks(page, "python") if page.name != "README.md" else ():
        exec(compile(block, page.name, "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_their_options_exist(page):
    """Each command line is parsed as it would be, and not run."""
    root = get_command(app)
    for block in blocks(page, "sh"):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if not words or words[0] != "gatewright":
                continue
            if words[1].startswith("--"):
                assert any(words[1] in each.opts for each in root.params), line
                continue
            command = root.commands[words[1]]
            context = click.Context(command, info_name=words[1])
            command.make_parser(context).parse_args(list(words[2:]))


def test_the_page_of_ops_is_the_table_of_ops():
    text = (DOCS / "ops.md").read_text()
    said = {
        name: [(field, int(bits)) for field, bits in re.findall(r"`(\w+)` \((\d+)\)", line)]
        for name, line in re.findall(r"^\| `([A-Z]+)` \| (`\w+` \(\d+\).*) \|$", text, re.MULTILINE)
    }
    assert said == {opcode.name: list(ARGUMENTS[opcode].items()) for opcode in Opcode}
    conditions = text.partition("## Conditions")[2].partition("## Arguments")[0]
    assert re.findall(r"^\| `(\w+)` \|", conditions, re.MULTILINE) == [when.name for when in When]
    assert f"An op has {OP_BITS} bits" in text


def test_codes_of_methods_are_on_their_own_page_alone():
    sources = [
        path for room in ("hw", "sw", "cosim", "reports", "src") for path in (ROOT / room).rglob("*.py")
    ]
    for path in [*PAGES, ROOT / "CHANGELOG.md", *sources]:
        if path.name != "methods.md":
            assert not re.search(r"\bM[0-4]\b", path.read_text()), path
    rows = re.findall(r"^\| (M\d) \|.*?\| (`.*`) \|$", (DOCS / "methods.md").read_text(), re.MULTILINE)
    assert [code for code, _ in rows] == ["M0", "M1", "M2", "M3", "M4"]
    for _, files in rows:
        for file in re.findall(r"`([^`]+)`", files):
            assert (ROOT / file).is_file(), file


def test_versions_of_python_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11"
    assert "| Python | 3.11, 3.12 or 3.13 |" in (DOCS / "install.md").read_text()


@pytest.mark.parametrize(
    ("text", "folder", "led"),
    [
        ("[notes](../CHANGELOG.md#020-unreleased)", "docs", "[notes](changelog.md#020-unreleased)"),
        (
            "[here](numerics.md), [there](https://x.org)",
            "docs",
            "[here](numerics.md), [there](https://x.org)",
        ),
        ("[rooms](docs/architecture.md#rooms)", ".", "[rooms](architecture.md#rooms)"),
        (
            "[page](../../docs/data.md) of [run.py](run.py)",
            "examples/silero_vad",
            "[page](data.md) of run.py",
        ),
    ],
)
def test_links_across_folders_lead_to_pages(text, folder, led):
    relinked = runpy.run_path(str(DOCS / "hooks.py"))["relinked"]
    assert relinked(text, PurePosixPath(folder)) == led
