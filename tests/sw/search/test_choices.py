import json

import pytest

from gatewright.errors import ConfigError
from gatewright.sw.search.choices import read_choices

WANTED = {
    "rank": (8, 16, None),
    "network.columns": ("equal", "contribution"),
    "layer0.hidden": (32, 64),
    "layer0.recurrent.density": (0.25, 1),
    "hardware.lanes": (16,),
}


def test_lines():
    lines = [
        "rank=8,16,none",
        "network.columns = equal, contribution",
        "layer0.hidden=32,64",
        "layer0.recurrent.density=0.25,1",
        "hardware.lanes=16",
    ]
    assert read_choices(lines) == WANTED
    assert read_choices([]) == {}


def test_files_and_mappings(tmp_path):
    values = {
        "rank": [8, 16, "none"],
        "network": {"columns": ["equal", "contribution"]},
        "layer0": {"hidden": [32, 64], "recurrent": {"density": [0.25, 1]}},
        "hardware.lanes": 16,
    }
    assert read_choices(values) == WANTED
    (tmp_path / "space.json").write_text(json.dumps(values))
    assert read_choices(tmp_path / "space.json") == WANTED
    (tmp_path / "space.toml").write_text(
        'rank = [8, 16, "none"]\n[network]\ncolumns = ["equal", "contribution"]\n'
        "[layer0]\nhidden = [32, 64]\nrecurrent.density = [0.25, 1]\n[hardware]\nlanes = 16\n"
    )
    assert read_choices(tmp_path / "space.toml") == WANTED


@pytest.mark.parametrize("line", ["rank", "rank=", "=8", ""])
def test_other_lines_are_refused(line):
    with pytest.raises(ConfigError, match="must be written as rank=8,16,none"):
        read_choices([line])


def test_names_come_once():
    with pytest.raises(ConfigError, match="rank is chosen twice"):
        read_choices(["rank=8", "rank=16"])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("space.yaml", "", r"must be a file ending in \.toml or \.json"),
        ("space.toml", "rank = ", "not a readable file of choices"),
        ("space.json", "[1]", "not a readable file of choices: must be a JSON object"),
        ("space.json", '{"rank": [[1]]}', "a value of rank must be a number or a text"),
    ],
)
def test_other_files_are_refused(name, text, message, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_choices(tmp_path / name)
    with pytest.raises(ConfigError, match="no such file"):
        read_choices(tmp_path / "missing.toml")
