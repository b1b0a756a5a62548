import pytest

from gatewright.errors import RunFolderError
from gatewright.run import RunFolder


def test_settings_are_noted(tmp_path):
    run = RunFolder.create(tmp_path / "a" / "b", {"task": "digits", "seed": 4}, overwrite=False)
    assert RunFolder.open(tmp_path / "a" / "b") == run
    assert (run.settings["task"], run.settings["seed"]) == ("digits", 4)


def test_an_existing_run_is_replaced_only_when_told(tmp_path):
    run = RunFolder.create(tmp_path / "a", {}, overwrite=False)
    run.float_model.write_text("old")
    with pytest.raises(RunFolderError, match="--overwrite"):
        RunFolder.create(tmp_path / "a", {}, overwrite=False)
    assert run.float_model.exists()
    RunFolder.create(tmp_path / "a", {}, overwrite=True)
    assert not run.float_model.exists()


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_no_run_is_never_touched(tmp_path, overwrite):
    (tmp_path / "file").write_text("mine")
    for target in (tmp_path, tmp_path / "file"):
        with pytest.raises(RunFolderError, match="no run folder"):
            RunFolder.create(target, {}, overwrite=overwrite)
    assert (tmp_path / "file").read_text() == "mine"


def finish(run, step):
    """Leave something for every output of a step."""
    run.start(step, overwrite=True)
    for path in {
        "train": [run.float_model],
        "compress": [run.bundle(density) for density in (0.0625, 1.0, 0.25)],
        "verilog": [run.flows / "README.md"],
    }.get(step, []):
        path.write_text("made")
    if step != "verilog":
        run.rows(step).write_text("made")


def test_densities_are_found_in_order(tmp_path):
    run = RunFolder.create(tmp_path / "a", {}, overwrite=False)
    finish(run, "compress")
    assert run.densities == [1.0, 0.25, 0.0625]


def test_a_step_refuses_what_it_made_before(tmp_path):
    run = RunFolder.create(tmp_path / "a", {}, overwrite=False)
    finish(run, "compress")
    with pytest.raises(RunFolderError, match="exists; --overwrite"):
        run.start("compress", overwrite=False)
    assert run.bundle(0.25).exists()


def test_a_repeated_step_removes_what_was_made_of_it_and_nothing_else(tmp_path):
    run = RunFolder.create(tmp_path / "a", {}, overwrite=False)
    for step in ("train", "compress", "compile", "verilog", "synth", "cosim", "report"):
        finish(run, step)
    run.start("verilog", overwrite=True)
    assert not list(run.flows.iterdir())
    run.need("train", "compress", "compile", "synth", "cosim", "report")
    run.start("synth", overwrite=True)
    run.need("train", "compress", "compile", "cosim")
    for step in ("synth", "report"):
        with pytest.raises(RunFolderError, match=f"gatewright {step}"):
            run.need(step)
    run.start("compress", overwrite=True)
    assert run.densities == []
    with pytest.raises(RunFolderError, match="gatewright cosim"):
        run.need("cosim")


def test_an_interrupted_step_is_not_taken_for_a_finished_one(tmp_path):
    run = RunFolder.create(tmp_path / "a", {}, overwrite=False)
    run.start("compress", overwrite=False)
    run.bundle(0.25).write_text("made")
    with pytest.raises(RunFolderError, match="gatewright compress"):
        run.need("compress")
