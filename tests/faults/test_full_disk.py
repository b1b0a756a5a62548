"""The disk is full at every single write: nothing half-written is left, and the same command then completes."""

import shutil
from dataclasses import replace

import pytest
import studies
from failing_disk import full_disk
from typer.testing import CliRunner

from gatewright.cli import app
from gatewright.cli.app import ExitCode
from gatewright.cosim.search.folder import TASK, StudyFolder
from gatewright.cosim.search.study import run_study
from gatewright.cosim.workloads import random_bundle
from gatewright.custody import Claim, Delivery, Proof
from gatewright.errors import GatewrightError, StorageError
from gatewright.flow import verify
from gatewright.flow.design import Design, compile_models
from gatewright.flow.report import report
from gatewright.flow.settings import BuildSettings
from gatewright.hw.fpga import flows
from gatewright.results import Row, read_rows
from gatewright.run import RunFolder
from gatewright.storage import REMAINS
from gatewright.sw.bundle import Bundle
from gatewright.sw.tasks import DataSettings


@pytest.fixture(scope="module")
def bundle():
    return random_bundle(1, inputs=2, hidden=4, classes=2, kept=2, lanes=4)


@pytest.fixture(scope="module")
def design(bundle):
    """A design whose Verilog is a text: what is tested is that it is written, a hundred times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flows, "_rtl", lambda *_: [("rtl/a.sv", "module a; endmodule")])
        patch.setattr(flows, "DEVICES", {"ecp5-25k": flows.DEVICES["ecp5-25k"]})
        yield compile_models({"a": bundle}, settings=BuildSettings(("dense",)))


def refused(work):
    """Do some work; gives the text of its error, if it has one."""
    try:
        work()
    except GatewrightError as error:
        return str(error)
    return ""


def every_failure(folder, work, sound, step=1):
    """Let each write of some work fail, one after the other, and say how many there were.

    Parameters
    ----------
    folder : Path
        Where it writes.
    work : callable
        Done until it gets through.
    sound : callable
        Checks what is there after each failure.
    step : int
        Let every so many-th write fail only, where the work takes long.
    """
    failing = 1
    while True:
        with full_disk(folder, failing) as disk:
            said = refused(work)
        if not said:
            assert disk.done < failing
            return failing - 1
        assert "the disk is full; free some space" in said
        assert not [*folder.rglob(REMAINS)]
        sound()
        failing += step


def test_a_model(tmp_path, bundle):
    path = tmp_path / "a.npz"
    assert every_failure(tmp_path, lambda: bundle.save(path), lambda: None) == 5
    before = path.read_bytes()
    other = replace(bundle, notes={"other": 1})
    states = set()

    def sound():
        Bundle.load(path)
        states.add(path.read_bytes() == before)

    every_failure(tmp_path, lambda: other.save(path), sound)
    # Only where the names in the folder cannot be brought to the disk, the new file is there already.
    assert states == {True, False}


def test_a_new_build(tmp_path, design):
    root = tmp_path / "fpga"

    def sound():
        assert not (root / "custody.json").exists()
        assert not (root / "rows" / "build.json").exists()

    def work():
        shutil.rmtree(root, ignore_errors=True) if (root / "rows" / "build.json").exists() else None
        design.write(root)

    assert every_failure(tmp_path, work, sound) > 50
    assert not Delivery.load(root).changed(root)
    assert Design.open(root).config == design.config


def test_a_build_in_place_of_another(tmp_path, design):
    root = tmp_path / "fpga"
    design.write(root)
    (root / "mine.txt").write_text("mine")
    whole = []

    def sound():
        assert (root / "mine.txt").read_text() == "mine"
        whole.append((root / "custody.json").exists())
        if whole[-1]:
            assert not Delivery.load(root).changed(root)

    every_failure(tmp_path, lambda: design.write(root, overwrite=True), sound)
    assert not any(whole)
    assert not Delivery.load(root).changed(root)


def test_a_proof_and_a_report(tmp_path, design):
    run = design.write(tmp_path / "fpga")
    hashes = {name: file.sha256 for name, file in Delivery.load(run.root).files.items()}
    proof = Proof(hashes, (Claim("golden = RTL", "a", "dense", 8, 0),))

    def work():
        proof.save(run.root)
        report(run.root)

    def sound():
        assert Proof.load(run.root) in (None, proof)
        for path in run.rows("build").parent.glob("*.json"):
            read_rows(path)

    assert every_failure(tmp_path, work, sound, step=4) > 20
    assert (run.root / "report.html").read_text().rstrip().endswith("</html>")


def command(*words):
    """Run a command; gives the text of its error, if it has one, with the status of bad input."""
    result = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "10000"})
    assert result.exit_code in (ExitCode.OK, ExitCode.INPUT), result.output
    return result.stderr if result.exit_code else ""


def every_failure_of(folder, words, sound):
    """Do what `every_failure` does, for a command."""

    def work():
        if said := command(*words):
            raise GatewrightError(said)

    return every_failure(folder, work, sound)


def test_the_command_that_quantises(tmp_path):
    studies.write_task(tmp_path / "task.npz")
    studies.model().save(tmp_path / "model.pt")
    made = tmp_path / "made"
    made.mkdir()
    quick = ("--lanes", "4", "--prune-epochs", "2", "--quantise-epochs", "1", "--overwrite")
    words = ("quantise", tmp_path / "model.pt", "--data", tmp_path / "task.npz", *quick, "-o", made / "a.npz")
    states = set()

    def sound():
        assert {path.name for path in made.iterdir()} <= {"a.npz", "a.npz.toml"}
        states.add((made / "a.npz").exists() and len(Bundle.load(made / "a.npz").layers))

    assert every_failure_of(made, words, sound) > 5
    assert states == {False, 1}
    assert command("quantise", "--config", made / "a.npz.toml") == ""


def test_the_command_that_verifies(tmp_path, design, monkeypatch):
    """The proof itself is made once: what is tested is that it is written, whole or not at all."""
    run = design.write(tmp_path / "fpga")
    hashes = {name: file.sha256 for name, file in Delivery.load(run.root).files.items()}
    proof = Proof(hashes, (Claim("golden = RTL", "a", "dense", 8, 0),))
    rows = [Row("recordings", "recordings", 1, {"model": "a", "mode": "dense"})]
    monkeypatch.setattr(verify, "_prove", lambda *given: verify.Verified(proof, rows, ()))
    proven = []

    def sound():
        proven.append(Proof.load(run.root))
        if run.rows("verify").exists():
            assert len(read_rows(run.rows("verify"))) == 1

    assert every_failure_of(tmp_path, ("verify", run.root), sound) > 5
    assert proven[0] is None
    assert proven[-1] == proof
    assert proof.verdict(run.root) == "PASS"


def test_a_study_that_begins(tmp_path):
    plan = replace(studies.plan_of(tmp_path / "study"), data=DataSettings(TASK))
    task = studies.task_of(studies.plan_of(tmp_path / "study"))
    root = tmp_path / "study"

    def sound():
        assert not root.exists() or not any(root.iterdir()) or StudyFolder.open(root).plan == plan

    def work():
        if (root / "settings.json").exists():
            shutil.rmtree(root)
        StudyFolder.create(root, plan, studies.model(), task)

    assert every_failure(root, work, sound) > 10
    assert StudyFolder.open(root).plan == plan


def test_a_study_that_runs(tmp_path):
    """Trials on the disk are never lost or torn, and the end is that of a study without a failure."""
    (tmp_path / "plain").mkdir()
    plain = studies.make(tmp_path / "plain" / "study", trials=3, rounds=1)
    run_study(plain.root, evaluate=studies.Formula())
    folder = studies.make(tmp_path / "study", trials=3, rounds=1)
    said = []
    for failing in (1, 2, 3, 5, 8, 13, 21, 34, 55):
        with full_disk(folder.root, failing):
            said.append(refused(lambda: run_study(folder.root, evaluate=studies.Formula())))
    assert not [each for each in said if each and "full" not in each and "No space" not in each]
    assert sum("the disk is full" in each or "No space left" in each for each in said) >= 4
    assert run_study(folder.root, evaluate=studies.Formula()).trials == 3
    assert [row.value for row in read_rows(folder.trials) if row.name == "trial_reward"] == [
        row.value for row in read_rows(plain.trials) if row.name == "trial_reward"
    ]


def test_a_folder_that_cannot_be_made(tmp_path):
    with full_disk(tmp_path, 1), pytest.raises(StorageError, match="a cannot be written: the disk is full"):
        RunFolder.create(tmp_path / "a")
    assert not [*tmp_path.iterdir()]
    assert RunFolder.create(tmp_path / "a").notes["format"]
