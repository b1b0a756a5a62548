import re

import numpy as np
import pytest

from gatewright.cosim import engines, simulator
from gatewright.cosim.cxxrtl import translate
from gatewright.cosim.cxxrtl.play import play, run_player
from gatewright.cosim.delivered import verify_plain
from gatewright.cosim.measurement import Measurement
from gatewright.cosim.player import prepare
from gatewright.cosim.testbenches import played, recordings
from gatewright.cosim.traffic import JobFile, Run, read_log
from gatewright.cosim.verify import measure, verify
from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.errors import BrokenRuleError, ToolError
from gatewright.hw.compiler import compile_bundle, smallest_config
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.verilog import TOP, emit
from gatewright.hw.interface import ErrorCode

pytestmark = pytest.mark.slow

# The least that the player can drive: never busy, and with a check that breaks at the first job.
IDLE = """
module \\gatewright_accelerator.checks (input clk, input job__valid);
  always @(posedge clk) never_a_job: assert (!job__valid);
endmodule
module gatewright_accelerator (
  input clk, input rst, input job__valid, output job__ready, input [40:0] job__payload, input i__valid,
  output i__ready, input [16:0] i__payload, output o__valid, input o__ready, output [32:0] o__payload,
  output busy, output [2:0] error, output [319:0] counters
);
  assign {job__ready, i__ready, o__valid, o__payload, busy, error, counters} = 0;
  \\gatewright_accelerator.checks checks (.clk(clk), .job__valid(job__valid));
endmodule
"""


@pytest.fixture(scope="module", autouse=True)
def built_quickly():
    """Compiling takes longer than all that is simulated here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(translate, "QUICK_LANES", 0)
        yield


@pytest.fixture(scope="module")
def small():
    """A model on a smaller accelerator."""
    bundle = random_bundle(11, inputs=3, hidden=5, classes=2, kept=2, lanes=4, activation_bits=8)
    config = smallest_config([(bundle, "sparse")], lanes=4, cell_lanes=1)
    sequences = [random_inputs(k, bundle, steps, zeros=0.3) for k, steps in enumerate((1, 4))]
    return compile_bundle(bundle, config, mode="sparse", hidden_results="all"), sequences


@pytest.mark.parametrize("mode", ["dense", "sparse"])
def test_results_and_predicted_cycles_agree(compiled, config, sequences, mode):
    wanted = Measurement(compiled[mode], sequences, [False, True, True], [True, True, False])
    (found,) = measure(config, [wanted], engine="cxxrtl")
    assert found.integers_compared == sum(compiled[mode].result_count(len(x)) for x in sequences)
    for number, prediction in enumerate(wanted.predict()):
        for name, value in prediction.counters.items():
            assert found.counters[name][number] == value


def test_both_engines_log_the_same_bytes(compiled, config, sequences, tmp_path):
    given = prepare(Measurement(compiled["sparse"], sequences, True), stalls=True, seed=5)
    jobs = [*recordings.Examiner(given).jobs(), *awkward(config, sequences)]
    logs = []
    for name in ("verilator", "cxxrtl"):
        folder = tmp_path / name
        folder.mkdir()
        for number, job in enumerate(jobs):
            job.write(folder / f"{number}.job")
        if name == "cxxrtl":
            run_player(translate.build(config) / "player", folder, len(jobs))
        else:
            simulator.simulate(simulator.build(config, cycles=0), played.NAME, folder, tests=played.TESTS)
        logs.append([(folder / f"{number}.seen").read_bytes() for number in range(len(jobs))])
    assert [len(log) > 0 for log in logs[0]] == [True] * len(jobs)
    assert logs[0] == logs[1]
    (late,) = read_log(folder / f"{len(sequences)}.seen", config)
    (short,) = read_log(folder / f"{len(sequences) + 1}.seen", config)
    (hung,) = read_log(folder / f"{len(sequences) + 2}.seen", config)
    assert late.error == ErrorCode.LOAD_BUSY
    assert (short.error, len(short.jobs)) == (ErrorCode.LENGTH, 2)
    assert hung.limited


def awkward(config, sequences):
    """Job files with a load while a job runs, with an error in the first of two jobs, and with a limit that is met."""
    x = sequences[1]
    late, short, hung = (JobFile(config, seed=seed, gaps=0.2, stalls=0.2) for seed in range(3))
    late.intrude(np.zeros((1, 2), dtype=np.uint32), 5)
    late.run(x, 10_000)
    short.run_all([Run(x[:-1], len(x)), Run(x, len(x))], 10_000)
    hung.run(x, 20)
    return [late, short, hung]


def test_progress_counts_sequences(compiled, config, sequences):
    told = []
    given = prepare(Measurement(compiled["dense"], sequences))
    play(translate.build(config), [given], lambda *what: told.append(what))
    assert told[-1] == ("simulating", 3, 3, "")
    assert all(done <= total for _, done, total, _ in told)


def test_planted_fault_is_found(small):
    compiled, sequences = small
    text, count = re.subn(r"^(  assign .*) \* ", r"\1 + ", emit(compiled.config), count=1, flags=re.MULTILINE)
    assert count == 1
    found = verify(compiled, sequences, verilog=text, engine="cxxrtl")
    assert 0 < found.mismatches <= found.integers_compared
    assert "sequence 1, step 1, output" in found.report


def test_a_baked_text_needs_no_loading(small, tmp_path):
    compiled, sequences = small
    (tmp_path / f"{TOP}.sv").write_text(emit(compiled.config, compiled.image))
    found = verify_plain(tmp_path, compiled, sequences, baked=True, engine="cxxrtl")
    assert found.mismatches == 0, found.report
    assert found.integers_compared == sum(compiled.result_count(len(x)) for x in sequences)
    assert found.simulated_cycles < sum(found.counters["cycles"]) + len(compiled.image.load_words())


@pytest.fixture(scope="module")
def idle():
    return translate.build_design(IDLE, ["read_verilog -sv -nosynthesis source"], quick=True)


def write_job(folder, run):
    job = JobFile(AcceleratorConfig(lanes=8, activation_bits=16))
    run(job)
    job.write(folder / "0.job")


def test_broken_check_is_named(idle, tmp_path, sequences):
    write_job(tmp_path, lambda job: job.run(sequences[0], 5))
    with pytest.raises(BrokenRuleError, match=r"never may: a job \(in the top\)"):
        run_player(idle / "player", tmp_path, 1)


def test_command_of_another_kind_is_refused(idle, tmp_path):
    write_job(tmp_path, lambda job: None)
    words = (tmp_path / "0.job").read_bytes()
    (tmp_path / "0.job").write_bytes(words[:8] + bytes([9, *[0] * 7]))
    with pytest.raises(
        ToolError, match=r"failed \(status 1\): job 0 has a command that this player does not"
    ):
        run_player(idle / "player", tmp_path, 1)


def test_player_that_is_damaged_is_an_error(tmp_path):
    (tmp_path / "player").write_text("no program")
    with pytest.raises(ToolError, match=r"failed \(status 126\).*; remove "):
        run_player(tmp_path / "player", tmp_path, 1)


def test_text_that_is_no_verilog_is_an_error(config):
    with pytest.raises(ToolError, match="Yosys failed"):
        translate.build(config, verilog="module gatewright_accelerator")


@pytest.mark.parametrize("lost", ["pyosys", "headers"])
def test_missing_yosys_says_what_to_install(monkeypatch, tmp_path, lost):
    found = None if lost == "pyosys" else type("Spec", (), {"origin": str(tmp_path / "__init__.py")})
    monkeypatch.setattr(translate.util, "find_spec", lambda name: found)
    (tmp_path / "share").mkdir()
    with pytest.raises(ToolError, match="pip install"):
        engines.check("cxxrtl")


def test_cxxrtl_needs_neither_make_nor_perl(monkeypatch):
    for name in ("make", "perl"):
        monkeypatch.setattr(engines.toolchain.shutil, "which", _without(name, engines.toolchain.shutil.which))
    engines.toolchain.compiler.cache_clear()
    try:
        engines.check("cxxrtl")
        with pytest.raises(ToolError, match="make"):
            engines.check("verilator")
    finally:
        engines.toolchain.compiler.cache_clear()


def _without(name, which):
    return lambda wanted: None if wanted == name else which(wanted)
