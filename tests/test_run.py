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


def test_densities_are_found_in_order(tmp_path):
    run = RunFolder.create(tmp_path / "a", {}, overwrite=False)
    with pytest.raises(RunFolderError, match="gatewright compress"):
        run.need_densities()
    for density in (0.0625, 1.0, 0.25):
        run.start([run.bundle(density)], overwrite=False)
        run.bundle(density).write_text("")
    assert run.need_densities() == [1.0, 0.25, 0.0625]


def test_a_step_refuses_or_removes_what_it_made_before(tmp_path):
    run = RunFolder.create(tmp_path / "a", {}, overwrite=False)
    outputs = [run.verilog, run.config]
    run.start(outputs, overwrite=False)
    run.verilog.write_text("old")
    with pytest.raises(RunFolderError, match="exists; --overwrite"):
        run.start(outputs, overwrite=False)
    run.start(outputs, overwrite=True)
    assert not run.verilog.exists()
