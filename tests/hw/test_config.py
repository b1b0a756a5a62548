import json

import pytest

from gatewright.errors import ConfigError
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.memories import memory_bits


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lanes", 24),
        ("lanes", 2),
        ("lanes", 2048),
        ("groups", 16),
        ("groups", 3),
        ("narrowest_weight", 1),
        ("cell_lanes", 16),
        ("cell_lanes", 3),
        ("activation_bits", 12),
        ("weight_depth", 0),
        ("index_depth", 65537),
        ("accumulator_rows", 12),
        ("activation_depth", 48),
        ("index_depth", 0),
        ("bias_depth", 1),
        ("state_depth", -1),
        ("program_depth", 257),
        ("serial_cell", 2),
        ("counters", -1),
        ("single_port", 2),
        ("serial_cell", 1),
        ("lanes", "32"),
        ("lanes", 32.0),
    ],
)
def test_illegal_values_are_refused_by_name(name, value):
    with pytest.raises(ConfigError, match=name):
        AcceleratorConfig(**{name: value})


def test_derived_sizes():
    config = AcceleratorConfig(lanes=32, groups=2, cell_lanes=2, accumulator_rows=16, weight_depth=100)
    assert (config.group_lanes, config.quads, config.drain_lanes) == (16, 4, 8)
    assert (config.vectors, config.operand_bits) == (32, 18)
    assert memory_bits(config)["weight"] == 32 * 100 * 8
    assert config.column_widths == (7, 5)


@pytest.mark.parametrize(("narrowest", "banks", "bits"), [(8, 1, 4), (4, 2, 6), (2, 4, 8)])
def test_index_words_hold_an_index_for_every_weight(narrowest, banks, bits):
    config = AcceleratorConfig(narrowest_weight=narrowest, accumulator_rows=16)
    assert (config.banks, config.index_bits) == (banks, bits)


def test_hardware_without_sparse_mode():
    config = AcceleratorConfig(index_depth=0, column_depth=0)
    assert memory_bits(config)["index"] == memory_bits(config)["column"] == 0


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
