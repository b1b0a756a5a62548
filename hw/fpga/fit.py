"""Whether a device has what a configuration needs."""

from gatewright.hw.area.estimate import estimate_resources
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.demand import demand, shortages
from gatewright.hw.fpga.devices import ECP5, Device


def exceeded(config: AcceleratorConfig, device: Device) -> list[str]:
    """Say what a device has too little of for a configuration; nothing where it may fit.

    The resource estimate decides for ECP5, which it is fitted to; for other families, the lower bound that follows
    from the configuration.
    """
    if device.family is not ECP5:
        return shortages(demand(config, device.family), device)
    needs = estimate_resources(config)
    pairs = {
        "look-up tables": (needs.luts, device.luts),
        "block RAMs": (needs.block_ram, device.block_rams),
        "multipliers": (needs.multipliers, device.multipliers),
    }
    return [f"needs {need} {name}, has {has}" for name, (need, has) in pairs.items() if need > has]
