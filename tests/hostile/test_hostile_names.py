"""Names that a shell, a page or a script would take for more than a name."""

import os
import shlex

import pytest

from gatewright.cosim.workloads import random_bundle
from gatewright.errors import ConfigError
from gatewright.flow.design import compile_models
from gatewright.run import RunFolder

NAMES = (
    "two words",
    "it's",
    'a "quoted" one',
    "line\nbreak",
    "$(touch executed)",
    "`touch executed`",
    "a;b&c|d",
    "<script>alert(1)</script>",
    "größe",
    "-o",
    "{root}",
    "100%",
    "*",
)


@pytest.mark.parametrize("name", NAMES)
def test_commands_that_are_shown_take_a_folder_by_its_name(name, tmp_path):
    root = tmp_path / name.replace("/", "")
    for step in ("verify", "synth", "point"):
        words = shlex.split(RunFolder(root).command(step))
        assert (words[0], words.count(str(root))) == ("gatewright", 1)


@pytest.mark.parametrize("name", NAMES)
def test_commands_that_are_told_next_take_a_file_by_its_name(name, attacked, tmp_path):
    path = tmp_path / f"{name.replace('/', '')}.pt"
    path.write_bytes(b"")
    found = attacked(["quantise", str(path), "--data", "digits"], tmp_path)
    assert found["status"] == 3, found["said"]
    command = found["said"].split("`gatewright ", 1)[1].rsplit("` takes it over first", 1)[0]
    assert shlex.split(command) == ["import", str(path), "-o", "model.pt"]
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("name", [each for each in NAMES if each != "größe"])
def test_models_of_such_names_are_refused(name):
    with pytest.raises(ConfigError, match="a model's name has letters"):
        compile_models({name: random_bundle(1)})


def test_models_of_other_letters_are_taken(tmp_path):
    design = compile_models({"größe": random_bundle(1)})
    assert [each.name for each in design.models] == ["größe"]
    assert os.fsencode("größe") in os.fsencode(RunFolder(tmp_path).model("größe"))
