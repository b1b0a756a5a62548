"""The roads' models import and quantise; the whole way is the benchmark's own work."""

import json
import os
import subprocess
import sys

import pytest

from gatewright.benchmarks import roads
from gatewright.errors import ConfigError, ToolError
from gatewright.flow.quantise import quantise
from gatewright.flow.settings import CompressChoice
from gatewright.sw.importers import import_model

QUICK = CompressChoice(prune_epochs=2, quantise_epochs=1)


def options_of(road):
    given = dict(zip(road.options[::2], road.options[1::2], strict=True))
    return {"lstm": given.get("--lstm"), "head": given.get("--head")}


@pytest.mark.parametrize(
    "name", ["classifier, state dict", "2-layer LSTMP, class per step", "one direction of two"]
)
def test_a_road_begins(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    roads.make(name)
    (road,) = (each for each in roads._roads(tmp_path) if each.name == name)
    imported = import_model(tmp_path / road.file, **options_of(road))
    found = quantise(imported, str(tmp_path / road.data), choice=QUICK)
    assert found.bundle.notes["scores"]["test"] > (5 if "direction" in name else 50)


def test_what_a_command_says_is_told_where_it_fails(tmp_path):
    with pytest.raises(ToolError, match="no such file"):
        roads._call([sys.executable, "-m", "gatewright", "import", "none.pt"], tmp_path)


def test_the_headless_model_is_asked_for(tmp_path):
    for folder in (None, tmp_path):
        with pytest.raises(ConfigError, match=r"speech.npz: give --silero FOLDER"):
            roads.bench_roads(folder)


def test_commands_can_be_run_from_any_folder(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "gatewright", "table", os.devnull],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 3
    assert json.dumps(done.stdout) == '""'
