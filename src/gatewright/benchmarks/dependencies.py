"""Which files a figure depends on: the modules where its measurement begins, all that they import, and their data.

They are derived from the imports, not listed by hand: a list forgets what an import does not. An import inside a
function counts like any other, and so does a module that a string names, as the simulator is told its testbench by
name. That may be too much, never too little. `THIN` is left out, or every figure would be stale whenever any benchmark
is added; so are the readers of data that a measurement is not given.
"""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

PACKAGE = Path("src/gatewright")
"""In a checkout; its rooms are links to folders at the top."""

THIN = ("__init__", "benchmarks/__init__", "cli", "errors", "origin", "progress", "quantities", "results")
"""Of the package: what passes options on, names rows, or keeps them. No figure is computed there."""

_NO_DATA = (".py", ".pyc", ".md", "__pycache__", "gallery")
"""Suffixes of files and names of folders that no module reads."""


class Dependencies:
    """What the files of a checkout import, read once.

    Parameters
    ----------
    root : Path
        The checkout.
    """

    def __init__(self, root: Path):
        self.root = root.resolve()
        self._package = self.root / PACKAGE
        self._known: dict[Path, set[Path]] = {}

    def of(self, sources: Iterable[str], unread: Iterable[str] = ()) -> set[str]:
        """Return the files that figures depend on, relative to the checkout, links resolved.

        Parameters
        ----------
        sources : iterable of str
            Files where measuring begins, and folders for all modules in them, relative to the checkout.
        unread : iterable of str
            Modules that are imported but not run, named as in what is returned; what they import counts all the same.
        """
        todo = {path for source in sources for path in _modules(self.root / source)}
        found: set[Path] = set()
        while todo:
            path = todo.pop()
            found.add(path)
            if path.name == "__init__.py":
                found.update(_data(path.parent))
            todo |= self._imports(path) - found
        return {path.resolve().relative_to(self.root).as_posix() for path in found} - set(unread)

    def _imports(self, path: Path) -> set[Path]:
        if path.suffix != ".py" or not path.is_file():
            return set()
        if path not in self._known:
            self._known[path] = {each for each in self._imported(path) if not self._thin(each)}
        return self._known[path]

    def _imported(self, path: Path) -> Iterator[Path]:
        own = self._package in path.parents
        if own:  # The packages that it is in are imported before it.
            folder = path.parent.parent if path.name == "__init__.py" else path.parent
            yield folder / "__init__.py"
        for name in _names(ast.parse(path.read_bytes())):
            parts = name.split(".")
            if parts[0] == self._package.name:
                base = self._package.parent
            elif own:  # It has absolute imports only; a script has its neighbours.
                continue
            else:
                base = path.parent
            candidates = base.joinpath(*parts[:-1], f"{parts[-1]}.py"), base.joinpath(*parts, "__init__.py")
            yield from (each for each in candidates if each.is_file())

    def _thin(self, path: Path) -> bool:
        if self._package not in path.parents:
            return False
        inside = path.relative_to(self._package).with_suffix("").as_posix()
        return any(inside == each or inside.startswith(f"{each}/") for each in THIN)


def _modules(source: Path) -> list[Path]:
    return sorted(source.rglob("*.py")) if source.is_dir() else [source]


def _data(folder: Path) -> Iterator[Path]:
    """Yield the files of a package that are no modules, and those of its folders that are no packages."""
    for path in folder.iterdir():
        if path.is_dir() and not (path / "__init__.py").exists() and path.name not in _NO_DATA:
            yield from _data(path)
        elif path.is_file() and path.suffix not in _NO_DATA:
            yield path


def _names(tree: ast.AST) -> Iterator[str]:
    """Yield the dotted names that a module imports, or that one of its strings names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            words = node.value.split(".")
            if words[0] == PACKAGE.name and all(word.isidentifier() for word in words):
                yield node.value
