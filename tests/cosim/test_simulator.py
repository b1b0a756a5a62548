import os
import re

import pytest

from gatewright.cosim import simulator
from gatewright.cosim.testbenches import played
from gatewright.errors import ToolError

PARAMETERS = {"LOAD_BITS": 64}


class Builder:
    """Stands in for cocotb's runner: writes what a build would leave."""

    def __init__(self):
        self.builds = 0
        self.fails = False

    def __call__(self, watch=None):
        return self

    def build(self, *, build_dir, log_file, hdl_toplevel, **_):
        self.builds += 1
        log_file.write_text("first line\nlast words\n")
        if self.fails:
            raise RuntimeError("command failed")

    def compile(self, folder, program, log):
        (folder / program).write_text(f"program {os.environ['MAKEFLAGS']}")


@pytest.fixture
def builder(monkeypatch, tmp_path):
    made = Builder()
    monkeypatch.setattr(simulator, "_Runner", made)
    monkeypatch.setattr(simulator, "compile_program", made.compile)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return made


def test_same_text_is_built_once(builder):
    first = simulator.build_verilog("module a; endmodule", PARAMETERS)
    assert (first / simulator.TOP).exists()
    assert (first / "accelerator.sv").read_text() == "module a; endmodule"
    assert simulator.build_verilog("module a; endmodule", PARAMETERS) == first
    assert builder.builds == 1


def test_everything_that_matters_is_in_the_key(builder, monkeypatch, tmp_path):
    entries = {
        simulator.build_verilog("module a; endmodule", PARAMETERS),
        simulator.build_verilog("module b; endmodule", PARAMETERS),
        simulator.build_verilog("module a; endmodule", {"LOAD_BITS": 65}),
    }
    monkeypatch.setattr(simulator, "versions", lambda: "verilator 6")
    entries.add(simulator.build_verilog("module a; endmodule", PARAMETERS))
    monkeypatch.setattr(simulator, "_BUILD_ARGS", ["-O0"])
    entries.add(simulator.build_verilog("module a; endmodule", PARAMETERS))
    harness = tmp_path / "harness.sv"
    harness.write_text("module gatewright_harness; endmodule")
    monkeypatch.setattr(simulator, "HARNESS", harness)
    entries.add(simulator.build_verilog("module a; endmodule", PARAMETERS))
    entries.add(simulator.build_verilog("module a; endmodule", PARAMETERS, top="a"))
    entries.add(simulator.build_verilog("module a; endmodule", PARAMETERS, cycles=100_000_000))
    entries.add(simulator.build_verilog("module a; endmodule", PARAMETERS, adapter="module b; endmodule"))
    assert len(entries) == builder.builds == 9


def test_power_up_takes_away_what_registers_and_memories_of_zeros_begin_with(builder, config):
    text = simulator.emit(config)
    plain = simulator.build_verilog(text, PARAMETERS)
    entry = simulator.build_verilog(text, PARAMETERS, power_up=True)
    assert entry != plain
    left = (entry / "accelerator.sv").read_text()
    assert not re.search(r"^ +(output )?reg .*=|initial begin", left, re.MULTILINE)
    tables = re.findall(r"^  initial for .*", text, re.MULTILINE)
    assert tables
    assert re.findall(r"^  initial for .*", left, re.MULTILINE) == tables


@pytest.mark.parametrize(
    ("cycles", "level"),
    [
        (0, "-O0"),
        (999_999, "-O0"),
        (1_000_000, "-O1"),
        (9_999_999, "-O1"),
        (10_000_000, "-O2"),
        (10**12, "-O2"),
    ],
)
def test_the_compiler_takes_as_long_as_is_worth_it(builder, cycles, level):
    entry = simulator.build_verilog("module a; endmodule", PARAMETERS, cycles=cycles)
    assert f"OPT_FAST={level}" in (entry / simulator.TOP).read_text()


def test_what_was_built_for_more_cycles_serves_fewer(builder):
    few, some, many = 0, 1_000_000, 10_000_000
    entries = [
        simulator.build_verilog("module a; endmodule", PARAMETERS, cycles=cycles) for cycles in (some, few)
    ]
    assert entries[0] == entries[1]
    assert simulator.build_verilog("module a; endmodule", PARAMETERS, cycles=many) != entries[0]
    assert builder.builds == 2


def test_failed_build_shows_the_log_and_is_not_cached(builder):
    builder.fails = True
    with pytest.raises(ToolError, match="command failed\nfirst line\nlast words"):
        simulator.build_verilog("module a; endmodule", PARAMETERS)
    builder.fails = False
    assert simulator.build_verilog("module a; endmodule", PARAMETERS).is_dir()
    assert builder.builds == 2


def test_remains_of_a_killed_build_are_not_taken_for_one(builder):
    entry = simulator.build_verilog("module a; endmodule", PARAMETERS)
    left = entry.with_name(f"{entry.name}.left.partial")
    entry.rename(left)
    assert simulator.build_verilog("module a; endmodule", PARAMETERS) == entry
    assert builder.builds == 2
    assert not left.exists()


def test_progress_of_a_build(builder):
    seen = []
    simulator.build_verilog("module a; endmodule", PARAMETERS, lambda *what: seen.append(what))
    assert seen == [("building the simulation", 0, 1, "compiling")]


def test_tests_that_do_not_run_are_an_error(config, tmp_path):
    simulation = simulator.build(config, cycles=0)
    with pytest.raises(ToolError, match="0 of 1 tests ran"):
        simulator.simulate(simulation, played.NAME, tmp_path, tests=["nothing_of_this_name"])


def test_bench_that_does_not_exist_is_an_error(config, tmp_path):
    simulation = simulator.build(config, cycles=0)
    with pytest.raises(ToolError, match="ModuleNotFoundError"):
        simulator.simulate(simulation, "gatewright.cosim.testbenches.nothing", tmp_path, tests=["played"])


def test_failing_bench_is_counted(config, tmp_path):
    # Without job files the bench cannot but fail.
    outcome = simulator.simulate(simulator.build(config, cycles=0), played.NAME, tmp_path, tests=played.TESTS)
    assert outcome.failed == 1
    assert "FAIL=1" in outcome.log
