import secrets
from types import SimpleNamespace

import pytest

from gatewright.cosim import compilation, simulator
from gatewright.errors import ToolError

TOP = "gatewright_accelerator"


def build():
    """Build a counter that was not built before."""
    text = f"""
module {TOP}(input clk, output reg [31:0] count);
  initial count = 0;
  always @(posedge clk) count <= count + 32'd{secrets.randbits(31)};
endmodule
"""
    simulator.build_verilog(text, {}, top=TOP, cycles=0)


@pytest.fixture
def made(monkeypatch, tmp_path):
    """What make is asked for, which then costs no time, in a cache of its own."""
    calls, linked = [], []
    plain = compilation._make

    def make(folder, words, log):
        if "--dry-run" in words:
            plain(folder, words, log)
            return
        calls.append(words)
        linked.append((folder / "objects").resolve())
        (folder / ("verilated.o" if words[0] == "library" else TOP)).write_text("made")

    monkeypatch.setattr(compilation, "_make", make)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return SimpleNamespace(calls=calls, linked=linked)


def test_the_library_is_compiled_once_for_all_simulations(made):
    build()
    build()
    assert [words[0] for words in made.calls] == ["library", "program", "program"]
    assert made.linked[1] == made.linked[2]
    assert (made.linked[1] / "verilated.o").is_file()


def test_a_library_for_other_flags_is_another(made, monkeypatch):
    build()
    monkeypatch.setattr(simulator, "_BUILD_ARGS", [*simulator._BUILD_ARGS, "--trace"])
    build()
    assert [words[0] for words in made.calls] == ["library", "program", "library", "program"]
    assert made.linked[1] != made.linked[3]


def test_large_models_are_compiled_in_units(made, monkeypatch):
    build()
    monkeypatch.setattr(compilation, "UNIT_BYTES", 1)
    build()
    units = [words[1].removeprefix("UNITS=").split() for words in made.calls if words[0] == "program"]
    assert units[0] == ["fast0", "slow0"]
    assert {"fast1", "slow1"} < set(units[1])


def test_a_compiler_that_fails_is_an_error_with_its_last_words(monkeypatch, tmp_path):
    main = tmp_path / "main.cpp"
    main.write_text("int main() { return nothing; }")
    monkeypatch.setattr(compilation, "_MAIN", main)
    with pytest.raises(ToolError, match=r"(?s)building the simulation failed.*nothing"):
        build()


def test_what_make_refuses_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a cache"))
    with pytest.raises(ToolError, match="cannot build in directories containing spaces"):
        build()
