"""Boards: their files against Amaranth's own, and what a build gets of them."""

import json
import re
from dataclasses import replace

import pytest
from amaranth_boards.orangecrab_r0_2 import OrangeCrabR0_2_25FPlatform
from amaranth_boards.ulx3s import ULX3S_12F_Platform, ULX3S_85F_Platform

from gatewright.cosim.workloads import random_bundle
from gatewright.errors import CapacityError, ConfigError
from gatewright.hw.boards import fit
from gatewright.hw.boards.board import Board, board, boards
from gatewright.hw.boards.files import board_files
from gatewright.hw.boards.fit import board_config, check_fit
from gatewright.hw.boards.folder import board_folder, read_board_folder
from gatewright.hw.bridge.line import LineKind
from gatewright.hw.config import AcceleratorConfig
from gatewright.sw.mode import POLICY

THEIRS = {
    "ulx3s-85f": ULX3S_85F_Platform,
    "ulx3s-12f": ULX3S_12F_Platform,
    "orangecrab-25f": OrangeCrabR0_2_25FPlatform,
}
DEVICES = {
    "LFE5U-85F": "ecp5-85k",
    "LFE5U-12F": "ecp5-12k",
    "LFE5U-25F": "ecp5-25k",
    "iCE40UP5K": "ice40-up5k",
}
PACKAGES = {"BG381": "CABGA381", "MG285": "CSFBGA285"}


def pins(platform, name, number=0, member=None):
    """Pins of a resource, with connectors resolved, and whether they are active low."""
    resource = platform.lookup(name, number)
    io = (
        resource.ios[0]
        if member is None
        else next(each for each in resource.ios if each.name == member).ios[0]
    )
    names = io.map_names(platform._conn_pins, resource)
    return names, io.invert


@pytest.mark.parametrize("name", THEIRS)
def test_pins_are_those_of_amaranth_boards(name):
    ours, theirs = board(name), THEIRS[name]()
    assert DEVICES[theirs.device] == ours.device
    assert PACKAGES[theirs.package] == ours.fpga.package
    assert ours.fpga.speed == getattr(theirs, "speed", ours.fpga.speed)
    assert pins(theirs, theirs.default_clk) == ([ours.clock], False)
    assert theirs.default_clk_frequency == ours.megahertz * 1e6
    if name == "orangecrab-25f":
        # It has no serial line; that of the header goes by the order of Feather boards.
        assert (theirs._conn_pins["io_0:0"], theirs._conn_pins["io_0:1"]) == (ours.rx, ours.tx)
    else:
        assert pins(theirs, "uart", member="rx") == ([ours.rx], False)
        assert pins(theirs, "uart", member="tx") == ([ours.tx], False)
    lamps = {"ulx3s-85f": ("led", 0, None), "ulx3s-12f": ("led", 0, None)}
    lamps |= {"orangecrab-25f": ("rgb_led", 0, "g")}
    assert pins(theirs, *lamps[name][:2], member=lamps[name][2]) == ([ours.led], ours.led_low)


def test_every_board_is_whole():
    assert set(boards()) == {"colorlight-i5", "orangecrab-25f", "ulx3s-12f", "ulx3s-85f"}
    for name in boards():
        ours = board(name)
        # The clock that every PLL makes exactly.
        files = board_files(ours, 48 if ours.megahertz == 48 else 50)
        assert files.baud == ours.baud == 1_000_000
        for pin in (ours.clock, ours.rx, ours.tx, ours.led):
            assert re.search(rf"\b{pin}\b", files.constraints)


def test_the_top_of_a_board():
    files = board_files(board("ulx3s-85f"), 83)
    assert 82 < files.megahertz <= 83
    assert f".divisor(16'd{round(files.megahertz)})" in files.verilog
    assert files.top == "gatewright_ulx3s_85f"
    assert "module gatewright_ulx3s_85f (" in files.verilog
    assert 'LOCATE COMP "clock" SITE "G2";' in files.constraints
    assert 'FREQUENCY PORT "clock" 25 MHZ;' in files.constraints


def test_a_folder_is_read_back(tmp_path):
    ours = board("orangecrab-25f")
    texts = board_folder(ours, 80)
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    found, files = read_board_folder(tmp_path / "orangecrab-25f")
    assert (found, files) == (ours, board_files(ours, 80))
    assert json.loads(texts["orangecrab-25f/board.json"])["megahertz"] == 80
    assert "openFPGALoader -b orangeCrab gatewright_orangecrab_25f.bit" in texts["orangecrab-25f/README.md"]


def test_a_board_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'title = "Mine"\ndevice = "ecp5-45k"\nclock = "A1"\nmegahertz = 12.5\nrx = "B2"\ntx = "C3"\nspeed = "7"\n'
    )
    found = board(str(path))
    assert found == Board("mine", "Mine", "ecp5-45k", "A1", 12.5, "B2", "C3", speed="7")
    assert found.fpga.options[:5] == ("--45k", "--package", "CABGA381", "--speed", "7")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('device = "gowin-gw1n9"', "device must be one of ecp5-12k"),
        ('clock = "25 MHz"', "'25 MHz' is no pin"),
        ("megahertz = 0.5", "megahertz must be from 1 to 400"),
        ('megahertz = "fast"', "megahertz must be int or float"),
        ("baud = 100", "baud must be from 1200"),
        ("led_low = 1", "led_low must be bool"),
        ('title = "two\\nlines"', "title must be one line of text"),
        ('speed = "6 --force"', "speed must have letters and digits only"),
        ('colour = "red"', "unknown colour; known are title"),
        ("title = ", "mine.toml"),
    ],
)
def test_a_malformed_file_is_refused(tmp_path, text, says):
    values = {
        "title": '"Mine"',
        "device": '"ecp5-45k"',
        "clock": '"A1"',
        "megahertz": "12.5",
        "rx": '"B2"',
        "tx": '"C3"',
    }
    name, _, value = text.partition(" = ")
    path = tmp_path / "mine.toml"
    path.write_text("".join(f"{key} = {each}\n" for key, each in (values | {name: value}).items()))
    with pytest.raises(ConfigError, match=says):
        board(str(path))


SPI = {"sck": "B11", "copi": "A10", "select_n": "A9", "cipo": "B9"}


def with_spi(name, **others):
    """A board with SPI in place of its UART."""
    return replace(board(name), rx="", tx="", **SPI, **others)


def lines(path, **values):
    """Write a board's file that has these values for its line."""
    values = {"title": "Mine", "device": "ecp5-45k", "clock": "A1", "megahertz": 12.5} | values
    path.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items()))
    return str(path)


def test_a_board_with_spi(tmp_path):
    found = board(lines(tmp_path / "mine.toml", **SPI, sck_megahertz=2))
    assert found == Board("mine", "Mine", "ecp5-45k", "A1", 12.5, **SPI, sck_megahertz=2)
    assert (found.line, found.line_pins) == (LineKind.SPI, SPI)
    assert {board(name).line for name in boards()} == {LineKind.UART}


@pytest.mark.parametrize(
    ("values", "there"),
    [
        ({}, "none"),
        ({"rx": "B1"}, "rx"),
        ({"sck": "B1", "copi": "B2", "cipo": "B3"}, "cipo, copi, sck"),
        (SPI | {"rx": "B1"}, "cipo, copi, rx, sck, select_n"),
        (SPI | {"baud": 9600}, "baud, cipo, copi, sck, select_n"),
        ({"rx": "B1", "tx": "B2", "sck_megahertz": 1}, "rx, sck_megahertz, tx"),
    ],
)
def test_what_is_no_line_is_told_what_is(tmp_path, values, there):
    legal = "rx, tx, and optionally baud; or sck, copi, select_n, cipo, and optionally sck_megahertz"
    with pytest.raises(ConfigError, match=f"mine.toml: a line .* has the values {legal}; there are {there}$"):
        board(lines(tmp_path / "mine.toml", **values))


def test_the_top_of_a_board_with_spi():
    ours = with_spi("ulx3s-12f")
    files = board_files(ours, 50)
    for name, pin in SPI.items():
        assert f'LOCATE COMP "{name}" SITE "{pin}";' in files.constraints
    assert 'PORT "select_n" IO_TYPE=LVCMOS33 PULLMODE=UP;' in files.constraints
    assert "assign cipo = select_n ? 1'bz : answered;" in files.verilog
    assert not re.search(r"\b(rx|tx|divisor|baud)\b", files.verilog + files.constraints)
    readme = board_folder(ours, 50)["ulx3s-12f/README.md"]
    # An eighth of 50 MHz.
    assert "SPI in mode 0, 8 bits, most significant bit first, with 1 MHz of sck; 6.25 MHz is what" in readme


def test_sck_is_as_fast_as_the_clock_bears():
    board_files(with_spi("ulx3s-12f", sck_megahertz=6.25), 50)
    with pytest.raises(
        ConfigError,
        match=r"50 MHz bear 6\.25 MHz of sck, a bit of 8 cycles, and sck_megahertz is 6\.3; ask for a higher",
    ):
        board_files(with_spi("ulx3s-12f", sck_megahertz=6.3), 50)
    with pytest.raises(ConfigError, match=r"sck_megahertz must be from 0\.001 to 50, not 0"):
        with_spi("ulx3s-12f", sck_megahertz=0)


def test_a_file_whose_name_is_no_module_is_refused(tmp_path):
    path = tmp_path / "My board.toml"
    path.write_text((boards()["colorlight-i5"]).read_text())
    with pytest.raises(ConfigError, match="My board: the file of a board is named by small letters"):
        board(str(path))


def test_an_unknown_board_names_those_that_there_are():
    with pytest.raises(
        ConfigError, match=r"unknown board 'none'; known are colorlight-i5, .*--board mine\.toml"
    ):
        board("none")


def test_a_clock_that_does_not_divide_to_the_baud_rate():
    with pytest.raises(ConfigError, match="cannot be divided to 12000000 baud"):
        board_files(replace(board("ulx3s-85f"), baud=12_000_000), 50)


def test_what_does_not_fit_is_refused_with_what_to_type():
    large = AcceleratorConfig(lanes=32)
    check_fit(large, board("ulx3s-85f"))
    with pytest.raises(
        CapacityError,
        match=r"ulx3s-12f: with 32 lanes and 2 cell lanes it needs .*\d+ block RAMs, has 32.*--lanes",
    ):
        check_fit(large, board("ulx3s-12f"))


def small(hidden):
    """What a board is to run: one model of some LSTM units, stored as suits it."""
    return [(random_bundle(2, inputs=3, hidden=hidden, classes=3, lanes=4), POLICY)]


def test_the_widest_is_held_back_by_the_multipliers():
    # A lane has one, the column front end one, a cell lane eight: 16 + 1 + 8 = 25 of 28, and 32 + 1 + 8 = 41.
    config, why = board_config(small(16), board("colorlight-i5"))
    assert (config.lanes, config.cell_lanes) == (16, 1)
    assert why.startswith(
        "16 lanes and 1 cell lane, the most for colorlight-i5: with 32 lanes and 1 cell lane it "
    )
    assert why.endswith("needs 41 multipliers, has 28")
    check_fit(config, board("colorlight-i5"))
    with pytest.raises(CapacityError, match="41 multipliers"):
        check_fit(replace(config, lanes=32), board("colorlight-i5"))


def test_sums_are_in_look_up_tables_where_block_ram_is_short():
    models = [(random_bundle(2, inputs=3, hidden=16, classes=3, lanes=4, weight_bits=(2, 2, 2)), POLICY)]
    config, _ = board_config(models, board("colorlight-i5"))
    assert (config.lanes, config.block_accumulators) == (8, 0)
    check_fit(config, board("colorlight-i5"))
    with pytest.raises(CapacityError, match="83 block RAMs, has 56"):
        check_fit(replace(config, block_accumulators=1), board("colorlight-i5"))
    settled, _ = board_config(models, board("colorlight-i5"), block_accumulators=1)
    assert (settled.lanes, settled.block_accumulators) == (4, 1)


def test_the_widest_has_no_more_lanes_than_rows():
    # Four gates of 10 units are 40 rows.
    config, why = board_config(small(10), board("ulx3s-85f"))
    assert (config.lanes, config.cell_lanes) == (32, AcceleratorConfig.cell_lanes)
    assert why.endswith("for ulx3s-85f: the largest layer has 40 rows")


def test_settled_cell_lanes_stay():
    # 8 + 1 + 2 * 8 = 25 of 28.
    config, why = board_config(small(16), board("colorlight-i5"), cell_lanes=2)
    assert (config.lanes, config.cell_lanes) == (8, 2)
    assert re.search("with 16 lanes and 2 cell lanes it .*needs 33 multipliers, has 28", why)


def test_a_share_of_the_look_up_tables_is_left_free(monkeypatch):
    most, _ = board_config(small(16), board("ulx3s-85f"))
    monkeypatch.setattr(fit, "FILLED", 0.2)
    config, why = board_config(small(16), board("ulx3s-85f"))
    assert config.lanes < most.lanes
    assert re.search(r"needs \d+ look-up tables, has 83640 and fills 16728 at most", why)


def test_what_no_lanes_hold_says_what_is_short_and_by_how_much():
    # 4 * 512 * 515 weights of 8 bits are 512 block RAMs of 2 KiB, whatever the lanes.
    with pytest.raises(
        CapacityError,
        match=r"colorlight-i5 has no room: with \d+ lanes .*needs (5|6|1\d)\d\d block RAMs, has 56.*;",
    ):
        board_config(small(512), board("colorlight-i5"))
