import re

import pytest
from small_board import CONFIG

from gatewright.cosim.toolchain import lint
from gatewright.hw.bridge.line import LineKind
from gatewright.hw.fpga.driven import BOARD_TOP, emit_on_board

PORTS = {
    LineKind.UART: ["rx", "tx", "divisor"],
    LineKind.SPI: ["sck", "copi", "select_n", "cipo"],
}


@pytest.mark.parametrize("line", LineKind)
def test_the_top_of_a_board_has_the_pins_of_its_line(line):
    text = emit_on_board(CONFIG, line=line)
    ports = (
        re.search(rf"^module {BOARD_TOP}\(([^)]*)\);", text, re.MULTILINE)[1].replace("\n", "").split(", ")
    )
    assert sorted(ports) == sorted(["clk", "rst", "connected", *PORTS[line]])
    assert lint(text, BOARD_TOP) == []
    assert "0x804 ro OUTPUT" in text.partition("/* verilator")[0]
