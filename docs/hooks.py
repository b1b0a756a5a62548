"""Pages that lie elsewhere in the repository, for MkDocs: they are written once, where people look for them."""

import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]

ELSEWHERE = {
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    **{
        f"{path.parent.name}.md": path.relative_to(ROOT).as_posix()
        for path in sorted(ROOT.glob("examples/*/README.md"))
    },
}
"""Files of the repository by the pages of the site that they are: examples by the names of their folders."""

_PAGES = {path: page for page, path in ELSEWHERE.items()} | {"README.md": "index.md"}
_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s#]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie elsewhere."""
    for page, path in ELSEWHERE.items():
        text = (ROOT / path).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=relinked(text, PurePosixPath(path).parent)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Lead links to files outside of the folder to their pages."""
    if page.file.src_uri in ELSEWHERE:
        return markdown
    return relinked(markdown, PurePosixPath("docs"))


def relinked(text: str, folder: PurePosixPath) -> str:
    """Lead links of a file to pages; a link to a file of the repository that is no page becomes its text."""

    def link(match: re.Match[str]) -> str:
        name, target, anchor = match.group(1), match.group(2), match.group(3) or ""
        if "://" in target or (folder == PurePosixPath("docs") and not target.startswith("../")):
            return match.group()
        path = (ROOT / folder / target).resolve().relative_to(ROOT).as_posix()
        page = _PAGES.get(path, path.removeprefix("docs/") if path.startswith("docs/") else "")
        return f"[{name}]({page}{anchor})" if page else name

    return _LINK.sub(link, text)
