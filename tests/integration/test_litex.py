"""The example SoC: LiteX, a VexRiscv, and the C driver, held against the golden model."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gatewright
from gatewright.cosim.golden import Golden
from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.flow.design import compile_models
from gatewright.flow.settings import BuildSettings
from gatewright.hw.compiler.choose import HardwareChoice

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "litex" / "soc.py"
STEPS = 5


@pytest.fixture(scope="module")
def design():
    bundle = random_bundle(1, inputs=2, hidden=4, classes=2, kept=2, lanes=4)
    settings = BuildSettings(("dense",), every_step=True, mapped=True)
    return compile_models({"small": bundle}, HardwareChoice(lanes=4, cell_lanes=1), settings)


@pytest.fixture(scope="module")
def example(design, tmp_path_factory):
    """A function that makes the SoC of the example for a sequence, runs it, and returns status and output."""
    root = tmp_path_factory.mktemp("litex")
    design.write(root / "fpga")

    def run(elements, name):
        np.savetxt(root / f"{name}.txt", elements, fmt="%d")
        command = [sys.executable, EXAMPLE, root / "fpga", "--model", "small.dense"]
        command += ["--elements", root / f"{name}.txt", "-o", root / name]
        paths = os.pathsep.join([str(Path(gatewright.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [*map(str, command)],
            env={**os.environ, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def test_the_soft_core_computes_what_the_golden_model_does(design, example):
    x = random_inputs(1, design.model().bundle, STEPS)
    status, said = example(x, "soc")
    assert status == 0, said
    results = [int(number) for number in re.findall(r"^result (-?\d+)$", said, re.MULTILINE)]
    assert results == [int(q) for q in Golden(design.model().compiled).run(x)]
    assert len(results) == STEPS * 2
    assert re.search(r"^done 0$", said, re.MULTILINE)
