"""Progress of long work, as a callback so that no room depends on a terminal."""

from collections.abc import Callable

Progress = Callable[[str, int, int, str], None]
"""Called with what is being done, steps done, steps in all, and a short remark (may be empty)."""


def silent(what: str, done: int, total: int, remark: str) -> None:
    """Show nothing."""


def within(progress: Progress, label: str) -> Progress:
    """Give a callback that puts a label before what is being done."""
    return lambda what, done, total, remark: progress(f"{label}: {what}", done, total, remark)
