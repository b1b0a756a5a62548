"""Which figures of ``docs/results`` are those of the code as it is now, and why the others may not be."""

import ast
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from gatewright.benchmarks import MODULES
from gatewright.benchmarks.dependencies import Dependencies
from gatewright.benchmarks.parts import PARTS, Part
from gatewright.benchmarks.publishing import RESULTS
from gatewright.errors import RunFolderError
from gatewright.origin import HERE, UNKNOWN, Checkout, named

_REGISTRY = "src/gatewright/benchmarks/registry.py"

MOST = 2
"""Changed files that a reason names."""


class State(StrEnum):
    """What is known of a file of results."""

    FRESH = "fresh"
    STALE = "stale"
    UNKNOWN = "unknown"
    MISSING = "missing"


@dataclass(frozen=True)
class Status:
    """What is known of a file of results, and the reason where it is not fresh.

    Parameters
    ----------
    file, part : str
        Its name without suffix, and the part that measures it.
    state : State
    reason : str
    commits : tuple of str
        Those that its rows were measured at.
    dirty : bool or None
        Whether they were measured from code that was not committed; None where nobody knows.
    """

    file: str
    part: str
    state: State
    reason: str = ""
    commits: tuple[str, ...] = ()
    dirty: bool | None = None

    @property
    def remedy(self) -> str:
        """What to type to measure it anew."""
        return f"make results ONLY={self.part}"


def statuses(
    checkout: Checkout = HERE, parts: Iterable[Part] = PARTS.values(), folder: Path | None = None
) -> dict[str, Status]:
    """Return the status of each file of the parts, by name; a second or two.

    A file is stale where its commit is not in the history, lacks the benchmark, was not committed, or where a file that
    its figures depend on has other code now, committed or not. Comments and docstrings are no code.

    Parameters
    ----------
    checkout : Checkout
    parts : iterable of Part
    folder : Path, optional
        Where the files are, if not in ``docs/results``.

    Raises
    ------
    RunFolderError
        A file holds no results.
    """
    history, known = _History(checkout), Dependencies(checkout.root)
    folder = folder or checkout.root / RESULTS
    return {
        file: _status(folder / f"{file}.json", part, history, known.of(part.sources, part.unread))
        for part in parts
        for file in part.files
    }


def changed_since(commit: str, sources: tuple[str, ...], checkout: Checkout) -> list[str]:
    """Return the files that figures depend on whose code is no longer that of a commit; sources as `Part` has them."""
    history = _History(checkout)
    return [] if history.without_git else history.changed(commit, Dependencies(checkout.root).of(sources))


def _status(path: Path, part: Part, history: "_History", files: set[str]) -> Status:
    if not path.is_file():
        return Status(path.stem, part.name, State.MISSING, "it has not been measured")
    commits, dirty = _origin(path)
    state, reason = _judge(part, commits, dirty, history, files)
    return Status(path.stem, part.name, state, reason, commits, dirty)


def _judge(
    part: Part, commits: tuple[str, ...], dirty: bool | None, history: "_History", files: set[str]
) -> tuple[State, str]:
    if dirty:
        return State.STALE, "it was measured from code that was not committed"
    if not commits:
        return State.STALE, "it does not say which commit it was measured at"
    for commit in commits:
        if history.without_git:
            return State.UNKNOWN, "this is no Git repository"
        if not history.holds(commit):
            if history.shallow:
                return State.UNKNOWN, f"the history here does not reach back to {commit}"
            return State.STALE, f"{commit} is not in the history"
        if missing := history.lacks(commit, part):
            return State.STALE, f"{commit} has no {missing}"
        if changed := history.changed(commit, files):
            return State.STALE, f"{named(changed, MOST)} changed since {commit}"
    if dirty is None:
        return State.UNKNOWN, "it does not say whether its code was committed"
    return State.FRESH, ""


def _origin(path: Path) -> tuple[tuple[str, ...], bool | None]:
    """Return the commits that a file of rows, or a summary, was measured at, and whether any of it was dirty."""
    try:
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        entries: list[Mapping[str, Any]] = [stored | row for row in stored.get("rows", [{}])]
        commits = {entry.get("commit", UNKNOWN) for entry in entries} - {UNKNOWN}
        dirty = {entry.get("dirty") for entry in entries}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise RunFolderError(f"{path}: no readable results ({error})") from error
    return tuple(sorted(commits)), True if True in dirty else None if None in dirty else False


class _History:
    """What Git knows of a checkout, asked once for each commit."""

    def __init__(self, checkout: Checkout):
        self._checkout = checkout
        self._differences: dict[str, dict[str, str]] = {}

    @cached_property
    def without_git(self) -> bool:
        return self._checkout.git("rev-parse", "HEAD") is None

    @cached_property
    def shallow(self) -> bool:
        return self._checkout.git("rev-parse", "--is-shallow-repository") == "true"

    @cached_property
    def _new(self) -> set[str]:
        return set((self._checkout.git("ls-files", "--others", "--exclude-standard") or "").splitlines())

    def holds(self, commit: str) -> bool:
        """Return whether a commit is an ancestor of what is checked out."""
        return self._checkout.git("merge-base", "--is-ancestor", commit, "HEAD") is not None

    def lacks(self, commit: str, part: Part) -> str:
        """Return what a commit lacks of what measures a part; empty where it has all."""
        for source in part.sources:
            if self._checkout.git("cat-file", "-e", f"{commit}:{source}") is None:
                return source
        if part.name in MODULES:
            registry = self._checkout.git("show", f"{commit}:{_REGISTRY}") or ""
            if f'"{part.name}"' not in registry:
                return f"benchmark {part.name}"
        return ""

    def changed(self, commit: str, files: set[str]) -> list[str]:
        """Return the files whose code differs from that of a commit."""
        old = self._difference(commit)
        paths = sorted(files & (old.keys() | self._new))
        return [path for path in paths if path in self._new or not self._same_code(path, old[path])]

    def _difference(self, commit: str) -> dict[str, str]:
        """Return the old blob of each file that differs in the checkout."""
        if commit not in self._differences:
            lines = (
                self._checkout.git("diff", "--raw", "--no-abbrev", "--no-renames", commit) or ""
            ).splitlines()
            entries = (line.split("\t", 1) for line in lines)
            self._differences[commit] = {path: about.split()[2] for about, path in entries}
        return self._differences[commit]

    def _same_code(self, path: str, blob: str) -> bool:
        here = self._checkout.root / path
        if not path.endswith(".py") or not here.is_file():
            return False
        before = self._checkout.git("cat-file", "blob", blob)
        return before is not None and _code(before) == _code(here.read_text(encoding="utf-8"))


@cache
def _code(text: str) -> str:
    """Return what a module does, whatever its comments, docstrings and layout are."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return text
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            statements = getattr(node, name, None)
            if isinstance(statements, list):
                setattr(node, name, [each for each in statements if not _is_text(each)])
    return ast.dump(tree)


def _is_text(statement: ast.AST) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
