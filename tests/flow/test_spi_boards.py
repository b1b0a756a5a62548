"""From a model to a board behind SPI, and back: build, verify, run."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from gatewright.cli import app
from gatewright.cli.app import ExitCode
from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.errors import ConfigError, DeviceError
from gatewright.flow import drive
from gatewright.flow.build import build
from gatewright.flow.design import Design
from gatewright.flow.drive import drive_board
from gatewright.flow.ports import BOARD, prove_ports
from gatewright.flow.settings import BuildSettings, DriveSettings
from gatewright.hw.bridge.line import LineKind
from gatewright.hw.compiler.choose import HardwareChoice
from gatewright.hw.fpga.driven import BOARD_TOP
from gatewright.hw.skipping import Skip

pytestmark = pytest.mark.slow

FILE = """
title = "Mine"
device = "ecp5-25k"
clock = "P3"
megahertz = 25
sck = "H18"
copi = "J17"
select_n = "G20"
cipo = "F20"
sck_megahertz = 5
"""
BUNDLE = random_bundle(2, inputs=3, hidden=5, classes=3, lanes=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A build for a board of one's own, whose file is gone again."""
    place = tmp_path_factory.mktemp("boards")
    (place / "mine.toml").write_text(FILE)
    settings = BuildSettings(("dense",), megahertz=50, board=str(place / "mine.toml"))
    build({"small": BUNDLE}, place / "fpga", HardwareChoice(lanes=4), settings)
    (place / "mine.toml").unlink()
    return place / "fpga"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "mine.npz"
    rng = np.random.default_rng(1)
    np.savez(path, X=rng.normal(size=(20, 6, 3)).astype(np.float32), y=np.arange(20) % 3)
    return path


def test_the_board_is_simulated_behind_spi(folder, data):
    command = ["run", str(folder), "--simulate", "--input", str(data), "--json"]
    shown = CliRunner().invoke(app, [*command, "--damage", "0.01", "--seed", "3"])
    assert shown.exit_code == ExitCode.OK, shown.output
    found = json.loads(shown.stdout)
    assert (found["compared"], found["mismatches"]) == (9, 0)
    assert found["line"]["changed"] > 0 < found["repeats"]


def test_the_proof_drives_the_delivered_text(folder):
    model = Design.open(folder).model()
    x = random_inputs(1, BUNDLE, 4)
    given = {"skip": Skip.NEVER, "baked": False, "line": LineKind.SPI}
    ((top, claim, complaint),) = prove_ports(folder / "rtl", model, [x], [True], **given)
    assert (top, claim.pair, claim.compared, claim.mismatches, complaint) == (BOARD_TOP, BOARD, 3, 0, "")


def test_the_port_is_an_spi_device_with_the_clock_of_the_board(folder, data, monkeypatch):
    opened = []

    def line(port, *, megahertz):
        opened.append((port, megahertz))
        raise DeviceError("no such device")

    monkeypatch.setattr(drive, "SpidevLine", line)
    with pytest.raises(DeviceError, match="no such device"):
        drive_board(folder, "/dev/spidev0.0", str(data))
    assert opened == [("/dev/spidev0.0", 5)]
    with pytest.raises(ConfigError, match="mine is at the end of SPI, which has no --baud"):
        drive_board(folder, "/dev/spidev0.0", str(data), DriveSettings(baud=9600))
