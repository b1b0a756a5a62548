"""The wheel holds all rooms and their data, though they are links in the source tree."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import gatewright

ROOT = Path(gatewright.__file__).resolve().parents[2]


def test_the_wheel_holds_every_module_and_data_file(tmp_path):
    source = tmp_path / "source"
    ignore = shutil.ignore_patterns(".*", "runs", "build", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, source, symlinks=True, ignore=ignore)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        tmp_path,
        source,
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    package = source / "src" / "gatewright"
    rooms = [path for path in package.iterdir() if path.is_dir()]
    names = {"benchmarks", "cli", "flow", "host", "hw", "sw", "cosim", "reports"}
    assert {path.name for path in rooms} == names
    wanted = {f"gatewright/{path.name}" for path in package.glob("*.py")}
    for room in rooms:
        wanted |= {
            f"gatewright/{room.name}/{path.relative_to(room)}"
            for path in room.rglob("*")
            if path.is_file() and "gallery" not in path.parts
        }
    assert wanted <= held
