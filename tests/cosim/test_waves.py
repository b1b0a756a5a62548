"""Waves of a job: read back with the parser of another project, and held against what is known of the job."""

import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from vcd.reader import TokenKind, tokenize

from gatewright.cosim.golden import Golden
from gatewright.cosim.measurement import Measurement
from gatewright.cosim.view import groups, view_module, without_temporaries
from gatewright.cosim.waves import write_waves
from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.errors import DataError, MismatchError, ToolError
from gatewright.hw.compiler import compile_bundle, smallest_config
from gatewright.hw.cycles.model import predict
from gatewright.hw.fpga.verilog import emit
from gatewright.hw.ops import Opcode, When

pytestmark = pytest.mark.slow

JOB, STEPS = 2, 3
PERIOD = 10_000
"""Of the bench's clock, in units of the file."""


@pytest.fixture(scope="module")
def measurement():
    bundle = random_bundle(4, inputs=2, hidden=5, classes=3, kept=2, lanes=4)
    config = smallest_config([(bundle, "sparse")], lanes=4, cell_lanes=1)
    compiled = compile_bundle(bundle, config, mode="sparse", hidden_results="all")
    sequences = [random_inputs(k, bundle, steps) for k, steps in enumerate((1, 5, STEPS))]
    return Measurement(compiled, sequences, fresh=[True, True, False])


@pytest.fixture(scope="module")
def folder(measurement, tmp_path_factory):
    target = tmp_path_factory.mktemp("waves") / "waves"
    said = write_waves(target, emit(measurement.compiled.config), measurement, JOB)
    assert said.startswith("PASS: 2 jobs")
    return target


@pytest.fixture(scope="module")
def changes(folder):
    """Times and values of every signal, by its path."""
    scope, paths, found, time = [], {}, {}, 0
    with (folder / "waves.vcd").open("rb") as stream:
        for token in tokenize(stream):
            if token.kind is TokenKind.SCOPE:
                scope.append(token.scope.ident)
            elif token.kind is TokenKind.UPSCOPE:
                scope.pop()
            elif token.kind is TokenKind.VAR:
                path = ".".join([*scope, token.var.reference])
                found[path] = paths.setdefault(token.var.id_code, [])
            elif token.kind is TokenKind.CHANGE_TIME:
                time = token.time_change
            elif token.kind in (TokenKind.CHANGE_SCALAR, TokenKind.CHANGE_VECTOR):
                change = token.data
                paths[change.id_code].append((time, change.value))
    return found


def clocked(changes, path):
    """Return the values of a signal in front of each rising edge of the clock."""
    edges = [time for time, value in changes["gatewright_bench.clk"] if int(value) == 1]
    times = [time for time, _ in changes[path]]
    values = [int(value) for _, value in changes[path]]
    return [values[k - 1] for edge in edges if (k := int(np.searchsorted(times, edge))) > 0]


def signed(value, bits):
    return value - (value >> bits - 1 << bits)


def test_the_layouts_show_signals_that_are_there(folder, changes):
    shown = [wave.path for signals in groups().values() for wave in signals]
    assert set(shown) <= set(changes)
    saved = (folder / "waves.gtkw").read_text()
    assert re.findall(r"^gatewright_bench\.\S+$", saved, re.MULTILINE) == shown
    commands = (folder / "waves.sucl").read_text()
    assert re.findall(r"^variable_add (\S+)$", commands, re.MULTILINE) == shown
    assert re.findall(r'^divider_add "(.*)"$', commands, re.MULTILINE) == list(groups())


def test_ops_have_their_names(folder, changes):
    names = dict(line.split() for line in (folder / "ops.txt").read_text().splitlines())
    assert names == {"0": "-", **{str(opcode.value): opcode.name for opcode in Opcode}}
    assert "^1 ops.txt\ngatewright_bench.view.op\n" in (folder / "waves.gtkw").read_text()
    spelt = {
        int(value).to_bytes(6, "big").strip(b"\0").decode()
        for _, value in changes["gatewright_bench.view.op_name"]
    }
    assert spelt == {names[str(int(value))] for _, value in changes["gatewright_bench.view.op"]}
    assert {"-", "MATVEC", "CELL"} <= spelt


def test_the_waves_cover_the_job_and_no_other(measurement, changes):
    busy = clocked(changes, "gatewright_bench.view.busy")
    assert (busy[0], busy[-1]) == (0, 0)
    prediction = predict(measurement.compiled, STEPS, fresh=False)
    assert sum(busy) >= prediction.cycles
    rises = sum(after > before for before, after in pairwise(busy))
    assert rises == 1


def test_the_waves_have_the_inputs_the_results_and_the_ops_of_the_job(measurement, changes):
    golden = Golden(measurement.compiled)
    results = [
        golden.run(x, fresh) for x, fresh in zip(measurement.sequences, (True, True, False), strict=True)
    ]
    bits = measurement.compiled.config.activation_bits
    scope = "gatewright_bench"
    taken = [
        signed(x, bits)
        for x, valid, ready in zip(
            *(clocked(changes, f"{scope}.{name}") for name in ("view.x", "i_valid", "i_ready")), strict=True
        )
        if valid and ready
    ]
    assert taken == measurement.sequences[JOB].ravel().tolist()
    sent = [
        signed(value, 32)
        for value, valid in zip(
            *(clocked(changes, f"{scope}.view.{name}") for name in ("result", "result_valid")), strict=True
        )
        if valid
    ]
    assert sent == results[JOB].tolist()
    times = {When.ALWAYS: STEPS, When.CARRIED: STEPS, When.FIRST: 1, When.LAST: 1, When.NOT_LAST: STEPS - 1}
    wanted = Counter()
    for op in measurement.compiled.image.program:
        wanted[op.opcode] += times[op.when]
    issued = Counter(clocked(changes, f"{scope}.view.op"))
    del issued[0]
    assert issued == wanted


def test_a_wrong_result_is_a_mismatch_and_leaves_its_waves(measurement, tmp_path, monkeypatch):
    # The simulation is the one that the other tests have built: only what must come out is another.
    from gatewright.cosim import waves

    class Wrong(waves.Vectors):
        def files(self):
            files = super().files()
            first = files["expected.hex"][:8]
            return files | {"expected.hex": f"{int(first, 16) ^ 1:08x}" + files["expected.hex"][8:]}

    monkeypatch.setattr(waves, "Vectors", Wrong)
    with pytest.raises(MismatchError, match="result 0 of job 0: expected"):
        write_waves(tmp_path / "waves", emit(measurement.compiled.config), measurement, JOB)
    assert (tmp_path / "waves" / "waves.vcd").stat().st_size > 1000


def test_only_comments_are_added_to_what_is_traced(measurement):
    text = emit(measurement.compiled.config)
    traced = without_temporaries(text)
    assert re.sub(r"/\* verilator tracing_\w+ \*/\n?", "", traced).split("\n") == text.split("\n")
    quiet = "".join(re.findall(r"tracing_off \*/\n(.*?)/\* verilator tracing_on", traced, re.DOTALL))
    named = re.findall(r"^  (?:wire|reg) .*?(\\?\S+) (?: = .*)?;$", text, re.MULTILINE)
    assert all((name in quiet) for name in named if name.startswith("\\$"))
    assert " \\$1 ;" in quiet


def test_a_job_that_is_none_is_refused(measurement, tmp_path):
    with pytest.raises(DataError, match="there are jobs 0 to 2, no job 3"):
        write_waves(tmp_path / "waves", "", measurement, 3)


def test_a_text_without_the_units_is_refused(measurement):
    with pytest.raises(ToolError, match="no unit 'input'"):
        view_module("module a; endmodule", measurement.compiled.config)
