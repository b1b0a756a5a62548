"""Pages that lie elsewhere in the repository, for MkDocs: they are written once, where people look for them."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]

ELSEWHERE = {
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "silero_vad.md": "examples/silero_vad/README.md",
}
"""Pages of the site by the files that they are."""

_OTHERS = {"../README.md": "index.md"} | {f"../{path}": page for page, path in ELSEWHERE.items()}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie elsewhere."""
    for page, path in ELSEWHERE.items():
        text = (ROOT / path).read_text(encoding="utf-8")
        folder = Path(path).parent.as_posix()
        files.append(File.generated(config, page, content=_relinked(text, folder)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Lead links to files outside of the folder to their pages."""
    for link, target in _OTHERS.items():
        markdown = markdown.replace(f"]({link})", f"]({target})").replace(f"]({link}#", f"]({target}#")
    return markdown


def _relinked(text: str, folder: str) -> str:
    """Lead links of a file to `docs` to the pages that these are."""
    up = "" if folder == "." else "../" * (folder.count("/") + 1)
    return text.replace(f"]({up}docs/", "](")
