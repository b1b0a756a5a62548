"""Small source trees under Git that stand for Gatewright's own."""

import shutil
import subprocess

import pytest

from gatewright.origin import Checkout

IDENTITY = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")


def git(root, *words):
    command = ["git", "-C", str(root), *IDENTITY, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def write(root, files):
    """Write files, by name."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def new_checkout(root, files):
    """Commit files, by name, to a new repository."""
    if shutil.which("git") is None:
        pytest.skip("Git is not installed")
    root.mkdir(exist_ok=True)
    git(root, "init", "-q")
    write(root, files)
    commit(root)
    return Checkout(root)


def commit(root):
    """Commit all there is; return the commit as rows name it."""
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "step")
    return Checkout(root).commit()
