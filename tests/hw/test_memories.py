from collections import Counter

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Shape
from amaranth.lib.memory import Memory

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import Region
from gatewright.hw.memories import UNITS, loaded_memories, memories, memory_bits
from gatewright.hw.rtl.accelerator import Accelerator
from gatewright.hw.rtl.sigma import BASE, TABLE

CONFIGS = [
    AcceleratorConfig(lanes=8),
    AcceleratorConfig(lanes=8, cell_lanes=1, groups=2, narrowest_weight=2, activation_bits=16, private=0),
    AcceleratorConfig(lanes=16, cell_lanes=4, zero_skipping=0, index_depth=0, column_depth=0),
    AcceleratorConfig(lanes=4, cell_lanes=1, serial_cell=1, block_accumulators=0, accumulator_bits=24),
    AcceleratorConfig(lanes=4, cell_lanes=1, single_port=1, column_depth=0),
]


@pytest.mark.slow
@pytest.mark.parametrize("config", CONFIGS)
def test_the_table_names_every_memory_of_the_hardware(config, monkeypatch):
    built = Counter()
    elaborate = Memory.elaborate

    def spy(memory, platform):
        built[Shape.cast(memory.shape).width, memory.depth] += 1
        return elaborate(memory, platform)

    monkeypatch.setattr(Memory, "elaborate", spy)
    rtlil.convert(Accelerator(config))
    listed = Counter()
    for kind in memories(config):
        for first in range(0, len(kind.widths) if kind.depth else 0, kind.parts):
            listed[sum(kind.widths[first : first + kind.parts]), kind.depth] += 1
    assert not listed - built
    # What is left are the tables of σ and tanh, and the queues of columns, results and inputs.
    left = built - listed
    tables = left.pop((Shape.cast(TABLE).width, 2 * len(BASE)))
    assert tables == (1 if config.serial_cell else 5 * config.cell_lanes)
    assert left.total() == 3
    assert all(depth < 16 for _, depth in left)


def test_regions_of_the_load_bus():
    assert {kind.region for kind in loaded_memories(CONFIGS[0])} == set(Region)


def test_every_memory_is_as_deep_as_a_value_of_the_configuration_says():
    assert {kind.setting for kind in memories(CONFIGS[0])} == set(UNITS)


def test_bits():
    config = AcceleratorConfig(lanes=8, weight_depth=100, bias_depth=6, accumulator_bits=24, cell_lanes=2)
    bits = memory_bits(config)
    assert bits["weight"] == 8 * 100 * 8
    assert bits["bias"] == 6 * 8 * 24
    # A copy for the lanes of a group, one for each lane, one for the output.
    assert bits["activation"] == 3 * 1024 * 8
    assert sum(bits.values()) == sum(kind.bits for kind in memories(config))
