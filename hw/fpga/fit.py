"""Whether a device has what a configuration needs, and where the sums lie so that it has."""

from collections.abc import Callable, Container
from dataclasses import replace

from gatewright.hw.area.estimate import estimate_resources
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.demand import demand, shortages
from gatewright.hw.fpga.devices import ECP5, Device


def exceeded(config: AcceleratorConfig, device: Device) -> list[str]:
    """Say what a device has too little of for a configuration; nothing where it may fit.

    The resource estimate decides for ECP5, which it is fitted to; for other families, the lower bound that follows
    from the configuration. Without LUT RAM sums are to be in block RAM: registers in its place would need more logic to
    read them than the bound has.
    """
    if not (device.family.lut_ram or config.block_accumulators):
        return ["needs LUT RAM for its sums, has none"]
    if device.family is not ECP5:
        return shortages(demand(config, device.family), device)
    needs = estimate_resources(config)
    pairs = {
        "look-up tables": (needs.luts, device.luts),
        "block RAMs": (needs.block_ram, device.block_rams),
        "multipliers": (needs.multipliers, device.multipliers),
    }
    return [f"needs {need} {name}, has {has}" for name, (need, has) in pairs.items() if need > has]


def fitted(
    config: AcceleratorConfig, problem: Callable[[AcceleratorConfig], object], fixed: Container[str] = ()
) -> AcceleratorConfig:
    """Move the sums to look-up tables where a configuration fits only so; cycles stay the same.

    In block RAM a lane takes two for each bank, however few its sums are: most with narrow weights.

    Parameters
    ----------
    config : AcceleratorConfig
    problem : callable
        What speaks against a configuration; empty where nothing does.
    fixed : container of str
        Names of values that are settled.
    """
    if "block_accumulators" in fixed or not problem(config):
        return config
    moved = replace(config, block_accumulators=0)
    return config if problem(moved) else moved
