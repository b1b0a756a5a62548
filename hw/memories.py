"""The one table of an accelerator's memories: what holds how much, how deep, and what the load bus calls it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gatewright.hw.config import WEIGHT_BITS, AcceleratorConfig
from gatewright.hw.interface import LOAD, Region
from gatewright.hw.ops import OP_BITS
from gatewright.sw.numbers import STATE

UNITS = {
    "weight_depth": "words per lane",
    "index_depth": "words per lane",
    "column_depth": "columns",
    "bias_depth": "groups",
    "program_depth": "ops",
    "accumulator_rows": "accumulators per lane and buffer",
    "activation_depth": "elements",
    "state_depth": "groups",
}
"""The values of `AcceleratorConfig` that say how deep memories are, and what they count, for people."""

Contents = Mapping[str, Sequence[Sequence[int]]]
"""What memories hold, by the name of their kind: the words of each instance from the first on, parts side by side."""


Style = Literal["block", "distributed", "cheaper", "huge"]
"""What memories are made of: block RAM, look-up tables used as RAM, what the tool finds cheaper, or the large RAMs of
one port that some devices have; on all others these are what is cheaper."""


@dataclass(frozen=True)
class MemoryKind:
    """Memories of one kind: `instances` of `depth` words each.

    Parameters
    ----------
    name : str
        What the memories hold; several kinds may hold the same.
    setting : str
        The value of the configuration that says how deep they are, one of `UNITS`.
    depth : int
        Words in each; 0 where the hardware has no such memory.
    widths : tuple of int
        Bits of each part of a word, of all instances. A part is written by itself.
    parts : int
        Parts in a word.
    style : "block", "distributed", "cheaper" or "huge"
    """

    name: str
    setting: str
    depth: int
    widths: tuple[int, ...]
    parts: int = 1
    style: Style = "block"

    @property
    def instances(self) -> int:
        """Memories of this kind."""
        return len(self.widths) // self.parts

    @property
    def region(self) -> Region:
        """Where the load bus finds what is loaded: the region of this name, whose lane k is part k."""
        return Region[self.name.upper()]

    @property
    def lut_ram(self) -> bool:
        """Whether they are look-up tables, whatever that costs."""
        return self.style == "distributed"

    @property
    def bits(self) -> int:
        """Capacity of all instances."""
        return self.depth * sum(self.widths)


def loaded_memories(config: AcceleratorConfig) -> tuple[MemoryKind, ...]:
    """Give the memories that hold a model, one kind for each region of the load bus."""
    word = LOAD["data"].width
    return (
        _of_lanes(config, "weight", config.weight_depth, WEIGHT_BITS),
        _of_lanes(config, "index", config.index_depth, config.index_bits),
        MemoryKind("column", "column_depth", config.column_depth, config.column_widths, style="cheaper"),
        MemoryKind(
            "bias",
            "bias_depth",
            config.bias_depth,
            (config.accumulator_bits,) * config.drain_lanes,
            config.drain_lanes,
        ),
        MemoryKind(
            "program",
            "program_depth",
            config.program_depth,
            (word,) * (OP_BITS // word),
            OP_BITS // word,
        ),
    )


def _of_lanes(config: AcceleratorConfig, name: str, depth: int, bits: int) -> MemoryKind:
    """Give one memory for each lane, or one for all of them, with a part of its words for each."""
    widths = (bits,) * config.lanes
    if config.single_port:
        return MemoryKind(name, f"{name}_depth", depth, widths, config.lanes, "huge")
    return MemoryKind(name, f"{name}_depth", depth, widths, style="cheaper")


def memories(config: AcceleratorConfig) -> tuple[MemoryKind, ...]:
    """Give all memories of an accelerator but the tables of σ and tanh, and queues."""
    return (
        *loaded_memories(config),
        MemoryKind(
            "accumulator",
            "accumulator_rows",
            config.accumulator_depth // config.banks,
            (config.accumulator_bits,) * (2 * config.banks * config.lanes),
            style="block" if config.block_accumulators else "distributed",
        ),
        *(_activation_copy(config, elements) for elements in activation_copies(config)),
        MemoryKind(
            "zero flag",
            "activation_depth",
            config.vectors,
            (config.lanes,) * config.zero_skipping,
            style="distributed",
        ),
        MemoryKind("state", "state_depth", config.state_depth, (STATE.bits * config.cell_lanes,)),
    )


def activation_copies(config: AcceleratorConfig) -> tuple[int, ...]:
    """Return the elements in a row of each copy of the activations: for lanes of a group, for each lane, for output."""
    return (config.groups, *(config.private * (config.lanes,)), 1)


def _activation_copy(config: AcceleratorConfig, elements: int) -> MemoryKind:
    """Give a copy with so many elements in a row; one that has less than a unit is as many memories."""
    row = max(elements, config.cell_lanes)
    widths = (config.activation_bits,) * row
    return MemoryKind("activation", "activation_depth", config.activation_depth // row, widths, elements)


def memory_bits(config: AcceleratorConfig) -> dict[str, int]:
    """Give the capacity of the memories by what they hold, in bits."""
    found: dict[str, int] = {}
    for kind in memories(config):
        found[kind.name] = found.get(kind.name, 0) + kind.bits
    return found
