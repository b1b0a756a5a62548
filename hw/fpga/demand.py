"""What an accelerator takes at least, and whether a device has it."""

from dataclasses import dataclass

from gatewright.hw.area.estimate import multipliers
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.devices import Device
from gatewright.hw.memories import memories

_LUT_RAM_BITS = 64 / 6
"""Bits of RAM for each look-up table, addresses and write ports included, on the ECP5."""


@dataclass(frozen=True)
class Demand:
    """What a design takes.

    Parameters
    ----------
    luts : int
        4-input look-up tables, those that are not RAM.
    lut_ram_bits : int
        Memories with asynchronous read.
    block_ram_bits : int
        Memories of block RAM.
    multipliers : int
    """

    luts: int
    lut_ram_bits: int
    block_ram_bits: int
    multipliers: int


def demand(config: AcceleratorConfig) -> Demand:
    """Give a lower bound that follows from the configuration alone: memories, multipliers and accumulating adders."""
    kinds = memories(config)
    return Demand(
        luts=config.lanes * config.banks * config.accumulator_bits,
        lut_ram_bits=sum(kind.bits for kind in kinds if kind.lut_ram),
        block_ram_bits=sum(kind.bits for kind in kinds if not kind.lut_ram),
        multipliers=sum(multipliers(config).values()),
    )


def shortages(needs: Demand, device: Device) -> list[str]:
    """Say what a device has too little of; nothing when the design may fit."""
    family = device.family
    block_ram_bits = device.block_rams * family.block_ram_bits + device.single_port_bits
    luts = needs.luts + (round(needs.lut_ram_bits / _LUT_RAM_BITS) if family.lut_ram else needs.lut_ram_bits)
    pairs = {
        "look-up tables": (luts, device.luts),
        "bits of block RAM": (needs.block_ram_bits, block_ram_bits),
        "multipliers": (needs.multipliers, device.multipliers),
    }
    return [f"needs {need} {name}, has {has}" for name, (need, has) in pairs.items() if need > has]
