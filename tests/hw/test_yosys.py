import pytest

from gatewright.errors import ToolError
from gatewright.hw.fpga import yosys
from gatewright.hw.fpga.yosys import run_yosys

COUNTER = """
module counter(input clk, output reg [3:0] count);
  always @(posedge clk) count <= count + 1;
endmodule
"""


def test_text_in_text_out():
    done = []
    commands = ["read_verilog source", "proc", "write_verilog result"]
    text = run_yosys(COUNTER, commands, seconds=60, done=done.append)
    assert "module counter(" in text
    assert done == [1, 2, 3]


def test_failure_shows_the_end_of_the_log():
    with pytest.raises(ToolError, match=r"status 1.*\n(.*\n)*.*syntax error"):
        run_yosys("module broken(", ["read_verilog source", "write_verilog result"], seconds=60)


def test_no_result():
    with pytest.raises(ToolError, match="wrote no result"):
        run_yosys(COUNTER, ["read_verilog source"], seconds=60)


def test_time_limit():
    with pytest.raises(ToolError, match=r"after its 0\.2 s"):
        run_yosys(COUNTER, ["exec -- sleep 20"], seconds=0.2)


def test_missing_yosys(monkeypatch):
    monkeypatch.setattr(yosys.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match="pip install pyosys"):
        run_yosys(COUNTER, ["read_verilog source"], seconds=60)


def test_files_lie_beside_the_source(tmp_path):
    (tmp_path / "table.mem").write_text("05\n0a\n")
    rom = """
module rom(input address, output [7:0] word);
  reg [7:0] table_ [1:0];
  initial $readmemh("table.mem", table_);
  assign word = table_[address];
endmodule
"""
    commands = ["read_verilog -sv source", "proc", "memory_collect", "write_verilog result"]
    text = run_yosys(rom, commands, files=[tmp_path / "table.mem"], seconds=60)
    assert "8'h05" in text
    assert "8'h0a" in text
