"""A bitstream of a board, with a small design in the accelerator's place."""

import json
import re
from dataclasses import replace

import pytest
from amaranth_boards.ulx3s import ULX3S_12F_Platform

from gatewright.errors import ToolError
from gatewright.hw.boards.bitstream import bitstream
from gatewright.hw.boards.board import board
from gatewright.hw.boards.files import board_files
from gatewright.hw.fpga.driven import BOARD_TOP
from gatewright.hw.fpga.synthesis import netlist

SLOW = f"""
module {BOARD_TOP} (
    input clk, input rst, input rx, output reg tx, input [15:0] divisor, output reg connected
);
    reg [31:0] seen = 1;
    wire [31:0] product = seen * {{seen[15:0], divisor}};
    always @(posedge clk) begin
        seen <= {{product[30:0] ^ seen[31:1], rx}};
        tx <= ^product;
        connected <= !rst;
    end
endmodule
"""


@pytest.mark.slow
def test_a_bitstream_is_for_the_die_of_its_board():
    ours = board("orangecrab-25f")
    made = bitstream(ours, board_files(ours, 48), SLOW)
    # What ECP5 bitstreams begin with, the preamble, and the command that checks the die: an LFE5U-25F.
    assert made.contents[:2] == b"\xff\x00"
    assert b"\xbd\xb3" in made.contents
    assert b"\xe2\x00\x00\x00" + bytes.fromhex("41111043") in made.contents
    assert made.megahertz == 48 <= made.placement.megahertz
    assert made.placement.used["multipliers"] > 0


QUICK = f"""
module {BOARD_TOP} (
    input clk, input rst, input sck, input copi, input select_n, output reg cipo, output reg connected
);
    always @(posedge clk) begin
        cipo <= copi ^ sck ^ select_n;
        connected <= !rst;
    end
endmodule
"""


@pytest.mark.slow
def test_a_bitstream_with_spi_releases_cipo_while_it_is_not_selected():
    """At the pins 0 to 3 of the ULX3S' connector, as Amaranth's board has them."""
    pins = [ULX3S_12F_Platform()._conn_pins[f"gpio_0:{number}+"] for number in range(4)]
    ours = replace(
        board("ulx3s-12f"), rx="", tx="", **dict(zip(("sck", "copi", "select_n", "cipo"), pins, strict=True))
    )
    files = board_files(ours, 50)
    (cells,) = (
        module["cells"].values()
        for name, module in json.loads(netlist(QUICK + files.verilog, top=files.top))["modules"].items()
        if name == files.top
    )
    assert [cell["type"] for cell in cells].count("$_TBUF_") == 1
    made = bitstream(ours, files, QUICK)
    assert made.megahertz == 50 <= made.placement.megahertz


@pytest.mark.slow
def test_a_clock_that_is_missed_is_an_error_that_says_what_to_type():
    ours = board("orangecrab-25f")
    with pytest.raises(ToolError) as raised:
        bitstream(ours, board_files(ours, 300), SLOW)
    told = str(raised.value)
    met = re.search(
        r"misses its clock of 300 MHz: (\d+)\.\d MHz would be met with seed 1; the slowest path: ", told
    )
    assert f"Build with `--board orangecrab-25f --clock {met[1]}`" in told
    assert "`--seed 2`" in told
