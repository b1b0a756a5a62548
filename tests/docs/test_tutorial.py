"""The tutorial, block by block, as a reader types it."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gatewright.custody import Proof

pytestmark = pytest.mark.slow

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"


def blocks():
    return re.findall(r"^```(python|sh)\n(.*?)^```", TUTORIAL.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.timeout(900)
def test_every_block_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    assert {kind for kind, _ in blocks()} == {"python", "sh"}
    for kind, text in blocks():
        if kind == "python":
            exec(compile(text, "tutorial", "exec"), names)
            continue
        for line in text.strip().splitlines():
            program, *arguments = shlex.split(line)
            assert program == "gatewright"
            done = subprocess.run(
                [sys.executable, "-m", "gatewright", *arguments], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    for folder in ("fpga", "fpga-from-python"):
        proof = Proof.load(tmp_path / folder)
        assert proof.verdict(tmp_path / folder) == "PASS"
        assert proof.compared > 1000
