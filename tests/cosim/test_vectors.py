"""The bench that comes with vectors, as a reader of its README runs it: it passes, and it can fail."""

import os
import re
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest

from gatewright.cosim import toolchain
from gatewright.cosim.golden import Golden
from gatewright.cosim.measurement import Measurement
from gatewright.cosim.vectors import Vectors, result_payloads
from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.hw.compiler import compile_bundle, smallest_config
from gatewright.hw.fpga.verilog import emit
from gatewright.hw.interface import ErrorCode, Region, load_address

pytestmark = pytest.mark.slow

FRESH = [True, True, False]


@pytest.fixture(scope="module")
def measurement():
    """A model whose hidden size fills no lanes, with results of both kinds, on sequences that carry on."""
    bundle = random_bundle(4, inputs=2, hidden=5, classes=3, kept=2, lanes=4)
    config = smallest_config([(bundle, "sparse")], lanes=4, cell_lanes=1)
    compiled = compile_bundle(bundle, config, mode="sparse", hidden_results="all")
    sequences = [random_inputs(k, bundle, steps) for k, steps in enumerate((1, 5, 3))]
    return Measurement(compiled, sequences, fresh=FRESH)


@pytest.fixture(scope="module")
def written(measurement, tmp_path_factory):
    root = tmp_path_factory.mktemp("vectors")
    verilog = root / "delivered.sv"
    verilog.write_text(emit(measurement.compiled.config))
    Vectors(measurement).write(root / "vectors", verilog, "model.sparse")
    return root / "vectors"


def commands(folder, program):
    """Return the two commands of the README for a simulator: one builds, one runs."""
    block = rf"^    ({program} .*)\n    (.*)$"
    (found,) = re.findall(block, (folder / "README.md").read_text(), re.MULTILINE)
    return [shlex.split(each) for each in found]


@pytest.fixture(scope="module", params=["iverilog", "verilator"])
def bench(request, written, tmp_path_factory):
    """A function that runs the bench on other files; it is built once."""
    if request.param == "iverilog" and not shutil.which("iverilog"):
        pytest.skip("iverilog is not installed")
    built = tmp_path_factory.mktemp(request.param) / "vectors"
    shutil.copytree(written, built)
    build, play = commands(built, request.param)
    with toolchain.environment(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKEFLAGS", f"{os.environ['MAKEFLAGS']} OPT_FAST=-O0")
        subprocess.run(build, cwd=built, check=True, capture_output=True)

    def run(changes, *arguments):
        for name in ("loads", "jobs", "inputs", "expected"):
            text = (written / f"{name}.hex").read_text()
            changed = changes[name](text) if name in changes else text
            assert (changed != text) == (name in changes)
            (built / f"{name}.hex").write_text(changed)
        done = subprocess.run([*play, *arguments], cwd=built, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    return run


def other_digit(text):
    """Change one digit of the last line but one, in the low half of its data."""
    place = text.rindex("\n", 0, len(text) - 1) - 1
    return text[:place] + f"{int(text[place], 16) ^ 8:x}" + text[place + 1 :]


def other_bias(text):
    """Change the bias of the first unit's input gate by 2^16."""
    address = load_address(Region.BIAS, 0, 0)
    (line,) = re.findall(rf"^{address:08x}\w+$", text, re.MULTILINE)
    return text.replace(line, f"{int(line, 16) ^ 1 << 16:016x}")


def more_results(by):
    """Change how many results the last job has."""

    def change(text):
        lines = text.splitlines()
        word = int(lines[-1], 16) + (by << 96)
        return "\n".join([*lines[:-1], f"{word:040x}"]) + "\n"

    return change


def more_steps(text):
    """Let the last job ask for a step more than its sequence has."""
    lines = text.splitlines()
    return "\n".join([*lines[:-1], f"{int(lines[-1], 16) + 1:040x}"]) + "\n"


def test_vectors_are_what_the_golden_model_takes_and_gives(measurement, written):
    golden = Golden(measurement.compiled)
    expected = []
    for x, fresh in zip(measurement.sequences, FRESH, strict=True):
        expected += [int(q) & 0xFFFFFFFF for q in golden.run(x, fresh)]
    told = [int(line, 16) for line in (written / "expected.hex").read_text().split()]
    assert [word & 0xFFFFFFFF for word in told] == expected
    # Each step has a vector of 5 and the last one of a sequence one of 3.
    ends = [5 * k for k in range(1, 2)] + [8]
    assert [k + 1 for k, word in enumerate(told[:8]) if word >> 32] == ends
    inputs = [int(line, 16) & 0xFF for line in (written / "inputs.hex").read_text().split()]
    assert inputs == [int(q) & 0xFF for x in measurement.sequences for q in np.ravel(x)]


def test_payloads_mark_the_final_result_of_each_vector(measurement):
    payloads = result_payloads(measurement.compiled, np.arange(-1, 12), 2)
    assert [int(word) & 0xFFFFFFFF for word in payloads] == [0xFFFFFFFF, *range(12)]
    assert [k for k, word in enumerate(payloads.tolist()) if word >> 32] == [4, 9, 12]


def test_the_bench_passes(bench, measurement):
    status, told = bench({})
    compared = sum(measurement.compiled.result_count(len(x)) for x in measurement.sequences)
    assert (status, f"PASS: 3 jobs, {compared} results compared, 0 wrong" in told) == (0, True), told


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"expected": other_digit}, r"result \d+ of job 2: expected"),
        ({"loads": other_bias}, r"result \d+ of job 0: expected"),
        ({"inputs": other_digit}, r"result \d+ of job 2: expected"),
        ({"jobs": more_results(1)}, r"no end within \d+ cycles: 1 results are missing"),
        ({"jobs": more_steps}, f"reports error code {ErrorCode.LENGTH.value}"),
        ({"jobs": more_results(-1)}, r"result \d+ \(\w+\) is one too many for job 2"),
    ],
)
def test_the_bench_fails(bench, changes, says):
    status, told = bench(changes)
    assert status != 0
    assert re.search(says, told), told
    assert "FAIL: job" in told
    assert "PASS" not in told


def test_a_time_limit_ends_the_bench(bench):
    def hasten(text):
        lines = text.splitlines()
        word = int(lines[1], 16) & (1 << 128) - 1 | 20 << 128
        return "\n".join([lines[0], f"{word:040x}", lines[2]]) + "\n"

    status, told = bench({"jobs": hasten})
    assert status != 0
    assert re.search(r"no end within \d+ cycles: \d+ results are missing", told), told


@pytest.mark.parametrize("target", ["default", "sim", "icarus"])
def test_fusesoc_runs_the_bench(written, target, tmp_path, monkeypatch):
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    # Verilator's build is that of the README; Icarus is quick enough to run once more.
    run = target == "icarus" and shutil.which("iverilog")
    options = [] if run else ["--setup"]
    command = [sys.executable, "-m", "fusesoc.main", "--cores-root", str(written), "run", *options]
    command += ["--target", target, "--build-root", "build", "gatewright_vectors"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    if run:
        assert "PASS: 3 jobs" in done.stdout + done.stderr
    else:
        (settings,) = (tmp_path / "build").rglob("*.eda.yml")
        assert "toplevel: gatewright_bench" in settings.read_text()
        assert {path.name for path in (tmp_path / "build").rglob("*.hex")} == {
            path.name for path in written.glob("*.hex")
        }


def test_a_baked_model_needs_no_loads(measurement, tmp_path):
    if not shutil.which("iverilog"):
        pytest.skip("iverilog is not installed")
    compiled = measurement.compiled
    (tmp_path / "delivered.sv").write_text(emit(compiled.config, compiled.image))
    vectors = tmp_path / "vectors"
    Vectors(measurement, baked=True).write(vectors, tmp_path / "delivered.sv", "model.sparse")
    assert (vectors / "loads.hex").read_text() == ""
    build, play = commands(vectors, "iverilog")
    subprocess.run(build, cwd=vectors, check=True, capture_output=True)
    done = subprocess.run(play, cwd=vectors, capture_output=True, text=True, check=False)
    assert (done.returncode, "PASS: 3 jobs" in done.stdout) == (0, True), done.stdout
