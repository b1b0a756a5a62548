"""The wheel holds all rooms and their data, though they are links in the source tree, and works once installed."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import studies

import gatewright
from gatewright.sw.bundle import Bundle

ROOT = Path(gatewright.__file__).resolve().parents[2]


def pip(*words):
    command = [sys.executable, "-m", "pip", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of the checkout, so that building leaves nothing in it."""
    source = tmp_path_factory.mktemp("wheel") / "source"
    ignore = shutil.ignore_patterns(".*", "runs", "build", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, source, symlinks=True, ignore=ignore)
    return source


@pytest.fixture(scope="module")
def wheel(source):
    pip("wheel", "--no-deps", "--no-build-isolation", "-w", source.parent, source)
    (wheel,) = source.parent.glob("*.whl")
    return wheel


def test_the_wheel_holds_every_module_and_data_file(source, wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    package = source / "src" / "gatewright"
    rooms = [path for path in package.iterdir() if path.is_dir()]
    names = {"benchmarks", "cli", "flow", "host", "hw", "integration", "sw", "cosim", "reports"}
    assert {path.name for path in rooms} == names
    wanted = {f"gatewright/{path.name}" for path in package.glob("*.py")}
    for room in rooms:
        wanted |= {
            f"gatewright/{room.name}/{path.relative_to(room)}"
            for path in room.rglob("*")
            if path.is_file() and "gallery" not in path.parts
        }
    assert wanted <= held


@pytest.mark.slow
def test_what_is_installed_from_the_wheel_works(wheel, tmp_path):
    """Without network, and without the checkout: from a float model to cycles and resources."""
    site = tmp_path / "site"
    pip("install", "--no-deps", "--no-index", "--target", site, wheel)
    studies.write_task(tmp_path / "task.npz")
    studies.model().save(tmp_path / "model.pt")

    def python(*words):
        environment = os.environ | {"PYTHONPATH": str(site)}
        done = subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(*words):
        return python("-m", "gatewright", *words)

    assert python("-c", "from gatewright import hw; print(hw.__file__)").startswith(str(site))
    assert "quantise" in run("--help")
    quick = ("--lanes", "4", "--prune-epochs", "2", "--quantise-epochs", "1")
    run("quantise", "model.pt", "--data", "task.npz", *quick, "-o", "a.npz")
    assert Bundle.load(tmp_path / "a.npz").notes["scores"]
    assert "cycles per step" in run("estimate", "a.npz")
