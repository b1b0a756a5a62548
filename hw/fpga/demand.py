"""What an accelerator takes at least, and whether a device has it."""

from dataclasses import dataclass

from gatewright.hw.area.estimate import multipliers
from gatewright.hw.area.memories import Memory, mapped
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.devices import Device, Family
from gatewright.hw.memories import memories

_LUT_RAM_BITS = 64 / 6
"""Bits of RAM for each look-up table, addresses and write ports included, on the ECP5."""


@dataclass(frozen=True)
class Demand:
    """What a design takes of the devices of a family.

    Parameters
    ----------
    luts : int
        Look-up tables, those that are RAM included, or the registers that take their place.
    block_rams, single_port_rams : int
    multipliers : int
    """

    luts: int
    block_rams: int
    single_port_rams: int
    multipliers: int


def demand(config: AcceleratorConfig, family: Family) -> Demand:
    """Give a lower bound that follows from the configuration alone: memories, multipliers and accumulating adders.

    Where the shapes of the family's block RAMs are known, and of its single-port RAMs, their numbers are exact.
    """
    kinds = memories(config)
    lut_ram_bits = sum(kind.bits for kind in kinds if kind.lut_ram)
    lut_ram = round(lut_ram_bits / _LUT_RAM_BITS) if family.lut_ram else lut_ram_bits
    blocks = single = 0
    for _, count, memory in mapped(config):
        if memory.style == "huge" and family.single_port_ram:
            single += count * _single_port_rams(memory, family.single_port_ram)
        elif memory.style != "distributed" and family.block_ram_shapes:
            blocks += count * _block_rams(memory, family)
    if not family.block_ram_shapes:
        blocks = -(-sum(kind.bits for kind in kinds if not kind.lut_ram) // family.block_ram_bits)
    return Demand(
        luts=config.lanes * config.banks * config.accumulator_bits + lut_ram,
        block_rams=blocks,
        single_port_rams=single,
        multipliers=sum(multipliers(config).values()),
    )


def _block_rams(memory: Memory, family: Family) -> int:
    """Give the block RAMs that a memory takes; in the widest shape, each bit can be written by itself."""
    widest, _ = family.block_ram_shapes[0]

    def side_by_side(width: int) -> int:
        if width == widest:
            return -(-memory.parts * memory.bits // width)
        return memory.parts * -(-memory.bits // width)

    return min(side_by_side(width) * -(-memory.depth // depth) for width, depth in family.block_ram_shapes)


def _single_port_rams(memory: Memory, shape: tuple[int, int]) -> int:
    """Give the single-port RAMs that a memory takes: their words are written by whole nibbles."""
    width, depth = shape
    nibbles = memory.parts * -(-memory.bits // 4)
    return -(-nibbles * 4 // width) * -(-memory.depth // depth)


def shortages(needs: Demand, device: Device) -> list[str]:
    """Say what a device has too little of; nothing when the design may fit."""
    pairs = {
        "look-up tables": (needs.luts, device.luts),
        "block RAMs": (needs.block_rams, device.block_rams),
        "single-port RAMs": (needs.single_port_rams, device.single_port_rams),
        "multipliers": (needs.multipliers, device.multipliers),
    }
    return [f"needs {need} {name}, has {has}" for name, (need, has) in pairs.items() if need > has]
