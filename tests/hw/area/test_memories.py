import pytest
from amaranth.hdl import Module
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory as Storage
from amaranth.lib.wiring import In, Out

from gatewright.hw.area.memories import Memory, mapped
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.synthesis import synthesise
from gatewright.hw.fpga.verilog import emit_component


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
            style = {} if memory.style == "cheaper" else {"ram_style": memory.style}
            m.submodules[f"memory{k}"] = inner = Storage(
                shape=data.ArrayLayout(memory.bits, memory.parts),
                depth=memory.depth,
                init=[],
                attrs={"collision": "none", **style},
            )
            read, write = inner.read_port(), inner.write_port(granularity=1)
            huge = memory.style == "huge"
            m.d.comb += [
                read.addr.eq(write.addr if huge else getattr(self, f"read{k}")),
                read.en.eq(~write.en.any() if huge else 1),
                getattr(self, f"data{k}").eq(read.data),
                write.addr.eq(getattr(self, f"write{k}")),
                write.data.eq(getattr(self, f"new{k}")),
                write.en.eq(getattr(self, f"enable{k}")),
            ]
        return m


@pytest.mark.parametrize(
    "memories",
    [
        # The deepest that are cheaper as LUT RAM,
        [Memory(4, 320, style="cheaper"), Memory(7, 176, style="cheaper"), Memory(32, 32, 4, "cheaper")],
        # and those 16 words deeper.
        [Memory(4, 336, style="cheaper"), Memory(7, 192, style="cheaper"), Memory(32, 48, 4, "cheaper")],
        # Shapes of block RAM.
        [Memory(8, 4096), Memory(12, 2048), Memory(32, 1024), Memory(64, 512), Memory(20, 4)],
        [Memory(8, 1024, 2), Memory(16, 512, 2), Memory(8, 2048, 4), Memory(24, 512, 4), Memory(8, 2, 8)],
        # With one port, several parts in each word.
        [Memory(8, 2048, 4, "huge"), Memory(8, 1024, 4, "huge"), Memory(7, 4096, 8, "huge")],
        [Memory(8, 512, 4, "huge"), Memory(8, 1000, 8, "huge")],
        [Memory(8, 16, 4, "huge"), Memory(5, 32, 4, "huge")],
        # Of LUT RAM.
        [
            Memory(16, 4, style="distributed"),
            Memory(9, 17, style="distributed"),
            Memory(5, 40, 2, "distributed"),
        ],
    ],
)
def test_memories_are_mapped_as_predicted(memories):
    cells = synthesise(emit_component(Memories(memories), "memories"), top="memories").cells
    assert cells.get("DP16KD", 0) + cells.get("PDPW16KD", 0) == sum(each.block_rams for each in memories)
    assert cells.get("TRELLIS_DPR16X4", 0) == sum(each.lut_ram_cells for each in memories)
    assert len({each.block_rams > 0 for each in memories}) == 1


def test_memories_that_are_left_out():
    names = {name for name, _, _ in mapped(AcceleratorConfig())}
    less = AcceleratorConfig(index_depth=0, column_depth=0, zero_skipping=0)
    assert names - {name for name, _, _ in mapped(less)} == {"index", "column", "zero flag"}
