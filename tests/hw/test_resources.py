import pytest
from amaranth.hdl import Module
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.synthesis import synthesise
from gatewright.hw.fpga.verilog import emit_component
from gatewright.hw.memories import memory_bits
from gatewright.hw.resources import _Memory, block_rams, estimate_resources

SIZES = {
    "weight_depth": 2048,
    "index_depth": 512,
    "column_depth": 128,
    "accumulator_rows": 16,
    "activation_depth": 128,
    "bias_depth": 64,
    "state_depth": 64,
    "program_depth": 32,
}

SYNTHESISED = [
    ({"lanes": 4, "cell_lanes": 1, "narrowest_weight": 8}, 13, 18, 6394, 3330),
    ({"lanes": 4, "cell_lanes": 1, "narrowest_weight": 2}, 17, 18, 10828, 3979),
    ({"lanes": 8, "cell_lanes": 1, "narrowest_weight": 4}, 25, 26, 10969, 4489),
    ({"lanes": 8, "cell_lanes": 2, "accumulator_rows": 64}, 33, 36, 18548, 6732),
    (
        {
            "lanes": 8,
            "cell_lanes": 1,
            "groups": 2,
            "activation_bits": 16,
            "narrowest_weight": 8,
            "activation_depth": 512,
        },
        25,
        27,
        9427,
        4330,
    ),
    ({"lanes": 16, "cell_lanes": 1, "index_depth": 0, "column_depth": 0}, 41, 25, 28326, 7405),
    ({"lanes": 16, "cell_lanes": 4, "narrowest_weight": 8}, 49, 71, 15830, 8737),
    (
        {"lanes": 16, "cell_lanes": 2, "groups": 2, "activation_bits": 16, "narrowest_weight": 4},
        81,
        53,
        19469,
        8215,
    ),
    ({"lanes": 16, "cell_lanes": 1, "groups": 4, "accumulator_rows": 32}, 41, 42, 28827, 8244),
    ({"lanes": 4, "cell_lanes": 1, "activation_bits": 16, "accumulator_rows": 64}, 25, 19, 11610, 4484),
    ({"lanes": 32, "cell_lanes": 2}, 81, 84, 55410, 14637),
    (
        {
            "lanes": 16,
            "cell_lanes": 2,
            "narrowest_weight": 8,
            "weight_depth": 4096,
            "index_depth": 4096,
            "state_depth": 256,
            "bias_depth": 256,
        },
        33,
        68,
        12841,
        6613,
    ),
    (
        {
            "lanes": 4,
            "cell_lanes": 1,
            "narrowest_weight": 8,
            "weight_depth": 4096,
            "index_depth": 4096,
            "accumulator_rows": 256,
            "activation_depth": 256,
            "bias_depth": 256,
            "state_depth": 128,
            "program_depth": 16,
            "column_depth": 0,
        },
        13,
        27,
        15986,
        3490,
    ),
    (
        {
            "lanes": 8,
            "cell_lanes": 1,
            "narrowest_weight": 2,
            "index_depth": 2048,
            "accumulator_rows": 128,
            "activation_depth": 256,
            "bias_depth": 256,
            "state_depth": 128,
            "program_depth": 16,
            "column_depth": 0,
        },
        25,
        43,
        22301,
        5791,
    ),
    (
        {
            "lanes": 16,
            "cell_lanes": 1,
            "narrowest_weight": 8,
            "weight_depth": 1024,
            "index_depth": 1024,
            "accumulator_rows": 64,
            "activation_depth": 256,
            "bias_depth": 256,
            "state_depth": 128,
            "program_depth": 16,
            "column_depth": 0,
        },
        25,
        43,
        18869,
        5643,
    ),
    (
        {
            "lanes": 32,
            "cell_lanes": 2,
            "narrowest_weight": 8,
            "weight_depth": 4096,
            "index_depth": 1024,
            "accumulator_rows": 32,
            "activation_depth": 256,
            "bias_depth": 128,
            "program_depth": 16,
            "column_depth": 0,
        },
        49,
        116,
        24753,
        9568,
    ),
]
"""Configurations and what ``synth_ecp5`` made of them: multipliers, block RAMs, look-up tables and flip-flops."""


class Memories(wiring.Component):
    """Memories side by side, each with ports of its own."""

    def __init__(self, memories):
        self.memories = memories
        members = {}
        for k, memory in enumerate(memories):
            address, width = (memory.depth - 1).bit_length(), memory.bits * memory.parts
            members |= {
                f"read{k}": In(address),
                f"data{k}": Out(width),
                f"write{k}": In(address),
                f"new{k}": In(width),
                f"enable{k}": In(memory.parts),
            }
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        for k, memory in enumerate(self.memories):
            m.submodules[f"memory{k}"] = inner = Memory(
                shape=data.ArrayLayout(memory.bits, memory.parts), depth=memory.depth, init=[]
            )
            read, write = inner.read_port(), inner.write_port(granularity=1)
            m.d.comb += [
                read.addr.eq(getattr(self, f"read{k}")),
                getattr(self, f"data{k}").eq(read.data),
                write.addr.eq(getattr(self, f"write{k}")),
                write.data.eq(getattr(self, f"new{k}")),
                write.en.eq(getattr(self, f"enable{k}")),
            ]
            if not memory.collides:
                m.d.comb += read.en.eq(~write.en.any())
        return m


@pytest.mark.parametrize(
    "memories",
    [
        # The deepest that are LUT RAM,
        [
            (4, 336),
            (8, 176),
            (16, 96),
            (32, 48, 4),
            (4, 320, 1, False),
            (7, 176, 1, False),
            (32, 32, 4, False),
        ],
        # and those 16 words deeper.
        [
            (4, 352),
            (8, 192),
            (16, 112),
            (32, 64, 4),
            (4, 336, 1, False),
            (7, 192, 1, False),
            (32, 48, 4, False),
        ],
        # Shapes of block RAM.
        [(8, 4096), (8, 2048), (12, 2048), (32, 1024), (64, 512), (8, 1024, 2), (16, 512, 2), (8, 2048, 4)],
    ],
)
def test_memories_are_mapped_as_predicted(memories):
    given = [_Memory(*each[:2], *(each[2:3] or (1,)), collides=each[3:] != (False,)) for each in memories]
    resources = synthesise(emit_component(Memories(given), "memories"), top="memories")
    assert resources.block_ram == sum(memory.block_rams for memory in given)
    assert len({memory.block_rams > 0 for memory in given}) == 1


@pytest.mark.parametrize(("values", "multipliers", "block_ram", "luts", "flip_flops"), SYNTHESISED)
def test_what_was_synthesised(values, multipliers, block_ram, luts, flip_flops):
    config = AcceleratorConfig(**SIZES | values)
    found = estimate_resources(config)
    assert (found.multipliers, found.block_ram) == (multipliers, block_ram)
    assert found.block_ram == block_rams(config)
    assert found.luts == pytest.approx(luts, rel=0.051)
    assert found.flip_flops == pytest.approx(flip_flops, rel=0.09)


def test_memory_bits_are_the_capacity():
    config = AcceleratorConfig()
    assert estimate_resources(config).memory_bits == memory_bits(config)
    assert ("multipliers", "81") in estimate_resources(config).lines()
