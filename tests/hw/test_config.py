import json

import pytest

from gatewright.errors import ConfigError
from gatewright.hw.config import AcceleratorConfig


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lanes", 24),
        ("lanes", 2),
        ("lanes", 1024),
        ("cell_lanes", 16),
        ("cell_lanes", 3),
        ("activation_bits", 12),
        ("weight_depth", 0),
        ("index_depth", 65537),
        ("accumulator_rows", 12),
        ("activation_depth", 17),
        ("bias_depth", 1),
        ("state_depth", -1),
        ("program_depth", 257),
        ("lanes", "32"),
        ("lanes", 32.0),
    ],
)
def test_illegal_values_are_refused_by_name(name, value):
    with pytest.raises(ConfigError, match=name):
        AcceleratorConfig(**{name: value})


def test_derived_sizes():
    config = AcceleratorConfig(lanes=32, cell_lanes=2, accumulator_rows=16, weight_depth=100)
    assert (config.quads, config.drain_lanes, config.index_bits) == (8, 8, 4)
    assert config.memory_bits["weight"] == 32 * 100 * 8


def test_json_round_trip(tmp_path):
    config = AcceleratorConfig(lanes=8, cell_lanes=1)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config.to_json()))
    assert AcceleratorConfig.load(path) == config


@pytest.mark.parametrize("text", ["{", "[]", '{"lane": 4}', '{"lanes": null}'])
def test_unreadable_files_are_refused(tmp_path, text):
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(ConfigError):
        AcceleratorConfig.load(path)
    with pytest.raises(ConfigError, match=r"missing\.json"):
        AcceleratorConfig.load(tmp_path / "missing.json")
