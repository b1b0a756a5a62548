"""From a model to a board, and back: build, verify, run."""

import json
import re
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from gatewright.cli import app
from gatewright.cli.app import ExitCode
from gatewright.cosim.board.simulated import SimulatedBoard
from gatewright.cosim.workloads import random_bundle
from gatewright.custody import Delivery, Proof
from gatewright.errors import CapacityError, ConfigError, DeviceError, MismatchError
from gatewright.flow import drive
from gatewright.flow.bitstream import bitstream
from gatewright.flow.build import build
from gatewright.flow.design import Design
from gatewright.flow.drive import drive_board
from gatewright.flow.settings import BuildSettings, DriveSettings, VerifySettings
from gatewright.flow.verify import verify
from gatewright.hw.compiler.choose import HardwareChoice
from gatewright.hw.fpga.driven import BOARD_TOP, MAPPED_TOP
from gatewright.results import read_rows

pytestmark = pytest.mark.slow

CHOICE = HardwareChoice(lanes=4)
SETTINGS = BuildSettings(("dense",), megahertz=50, mapped=True, board="colorlight-i5")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A build for a board, with the mapped top too."""
    path = tmp_path_factory.mktemp("boards") / "fpga"
    build({"small": random_bundle(2, inputs=3, hidden=5, classes=3, lanes=4)}, path, CHOICE, SETTINGS)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "mine.npz"
    rng = np.random.default_rng(1)
    np.savez(
        path, X=rng.normal(size=(20, 6, 3)).astype(np.float32), y=np.arange(20) % 3, labels=["a", "b", "c"]
    )
    return path


@pytest.fixture(scope="module")
def proof(folder, data):
    found = verify(folder, str(data), VerifySettings(recordings=3))
    assert found.holds, found.complaints
    return found.proof


def test_the_proof_covers_what_boards_run(folder, proof):
    assert {f"rtl/{MAPPED_TOP}.sv", f"rtl/{BOARD_TOP}.sv"} <= set(Delivery.load(folder).to_prove)
    compared = {claim.pair: claim.compared for claim in proof.claims}
    assert compared["golden = mapped"] == compared["golden = board"] == compared["golden = AXI"] > 0
    assert proof.verdict(folder) == "PASS"


@pytest.mark.parametrize("top", [MAPPED_TOP, BOARD_TOP])
def test_a_top_that_was_not_simulated_is_unproven(folder, proof, top):
    name = f"rtl/{top}.sv"
    less = Proof({each: sha for each, sha in proof.files.items() if each != name}, proof.claims)
    assert less.unproven(folder) == (name,)
    assert less.verdict(folder) == "UNPROVEN"


@pytest.mark.parametrize(("asked", "used"), [(None, 115_200), (9600, 9600)])
def test_the_line_has_the_rate_of_the_board_unless_asked_for_another(
    asked, used, folder, data, tmp_path, monkeypatch
):
    copy = tmp_path / "fpga"
    shutil.copytree(folder, copy)
    manifest = copy / "colorlight-i5" / "board.json"
    values = json.loads(manifest.read_text())
    values["board"]["baud"] = 115_200
    manifest.write_text(json.dumps(values))
    rates = []

    def line(port, *, baud):
        rates.append(baud)
        raise DeviceError("no such port")

    monkeypatch.setattr(drive, "SerialLine", line)
    with pytest.raises(DeviceError, match="no such port"):
        drive_board(copy, "/dev/none", str(data), DriveSettings(baud=asked))
    assert rates == [used]


def test_sequences_run_on_the_board_by_the_command_line(folder, data, proof):
    text = (folder / "rtl" / f"{BOARD_TOP}.sv").read_text()
    with SimulatedBoard(text) as board:
        command = ["run", str(folder), "--port", board.port, "--input", str(data)]
        shown = CliRunner().invoke(app, command)
        assert shown.exit_code == ExitCode.OK, shown.output
        assert re.search(r"3 sequences, 9 of 9 results equal to the golden model, 0 requests", shown.output)
        found = drive_board(folder, board.port, str(data), DriveSettings(recordings=2))
        assert [each.shape for each in found.outputs] == [(1, 3), (1, 3)]
        assert (found.labels, found.line) == (("class 0", "class 1", "class 2"), None)


def test_a_board_is_simulated_with_a_line_that_does_damage(folder, data, proof, tmp_path):
    command = ["run", str(folder), "--simulate", "--input", str(data), "--damage", "0.01", "--seed", "3"]
    shown = CliRunner().invoke(app, [*command, "--rows", str(tmp_path / "rows.json"), "--json"])
    assert shown.exit_code == ExitCode.OK, shown.output
    found = json.loads(shown.stdout)
    assert (found["compared"], found["mismatches"]) == (9, 0)
    assert found["line"]["changed"] > 0 < found["repeats"]
    rows = read_rows(tmp_path / "rows.json")
    assert {row.name: row.value for row in rows} == {
        "recordings": len(found["outputs"]),
        "integers_compared": 9,
        "mismatches": 0,
        "requests_repeated": found["repeats"],
        "line_bytes": found["line"]["bytes"],
        "line_bytes_changed": found["line"]["changed"],
        "line_bytes_lost": found["line"]["lost"],
    }
    assert {(row.parameters["damage"], row.parameters["split"], row.seed) for row in rows} == {
        (0.01, "test", 3)
    }


def test_a_board_or_a_simulation_is_wanted(folder, data):
    for more in ([], ["--simulate", "--port", "/dev/null"]):
        shown = CliRunner().invoke(app, ["run", str(folder), "--input", str(data), *more])
        assert shown.exit_code == ExitCode.INPUT
        assert "either the --port of a board or --simulate" in shown.output


def test_a_board_with_another_bitstream_is_refused(folder, data, proof, tmp_path):
    other = tmp_path / "other"
    bundle = random_bundle(2, inputs=3, hidden=40, classes=3, lanes=4)
    build({"large": bundle}, other, CHOICE, BuildSettings(("dense",)))
    with (
        SimulatedBoard((folder / "rtl" / f"{BOARD_TOP}.sv").read_text()) as board,
        pytest.raises(DeviceError, match=r"is not the one of this build: .*; load the build's own bitstream"),
    ):
        drive_board(other, board.port, str(data))


def test_a_build_for_no_board_has_no_bitstream(tmp_path):
    bundle = random_bundle(2, inputs=3, hidden=5, classes=3, lanes=4)
    build({"small": bundle}, tmp_path / "fpga", CHOICE, BuildSettings(("dense",)))
    with pytest.raises(ConfigError, match="is for no board; `gatewright build MODEL --board NAME"):
        bitstream(tmp_path / "fpga")


def test_no_bitstream_is_made_of_changed_files(folder, proof):
    (path,) = folder.glob("colorlight-i5/*.v")
    text = path.read_text()
    path.write_text(text.replace("assign led = !", "assign led = "))
    with pytest.raises(
        MismatchError, match=r"colorlight-i5/gatewright_colorlight_i5\.v changed since the build"
    ):
        bitstream(folder)
    path.write_text(text)


def test_what_does_not_fit_the_board_is_refused_before_anything_is_written(tmp_path):
    bundle = random_bundle(2, inputs=3, hidden=5, classes=3, lanes=32)
    settings = BuildSettings(("dense",), board="ulx3s-12f")
    with pytest.raises(CapacityError, match="ulx3s-12f: with 32 lanes"):
        build({"wide": bundle}, tmp_path / "fpga", HardwareChoice(lanes=32), settings)
    assert not (tmp_path / "fpga").exists()


def test_a_board_gets_the_most_lanes_that_fit_unless_told_otherwise(tmp_path, monkeypatch):
    # What is chosen is known before any Verilog is made.
    monkeypatch.setattr("gatewright.flow.build._lint", lambda design, progress: None)
    monkeypatch.setattr(Design, "write", lambda design, folder, **others: None)
    model = tmp_path / "small.npz"
    random_bundle(2, inputs=3, hidden=16, classes=3, lanes=4).save(model)
    command = ["build", str(model), "--board", "colorlight-i5", "--json", "-o", str(tmp_path / "fpga")]
    for more, lanes in (([], 16), (["--lanes", "8"], 8), (["--device", "ecp5-12k"], None)):
        shown = CliRunner().invoke(app, [*command, *more])
        assert shown.exit_code == ExitCode.OK, shown.output
        found = json.loads(shown.stdout)
        assert found["accelerator"]["lanes"] == lanes or lanes is None
        why = "16 lanes and 1 cell lane, the most for colorlight-i5: with 32 lanes"
        assert [note.startswith(why) for note in found["notes"]] == ([] if more else [True])
