"""How much of a device a configuration takes, in percent."""

from dataclasses import dataclass
from math import inf

from gatewright.hw.area.estimate import estimate_resources
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.demand import demand
from gatewright.hw.fpga.devices import ECP5, OPEN_DEVICES, Device


@dataclass(frozen=True)
class Utilisation:
    """One resource of a device.

    Parameters
    ----------
    resource : str
        A name of `gatewright.quantities.COUNTED`.
    used, available : int
    bound : bool
        Whether `used` is a lower bound; else it is the estimate.
    """

    resource: str
    used: int
    available: int
    bound: bool

    @property
    def percent(self) -> float:
        """Share of what the device has; above 100 where it has too little, infinite where it has none."""
        return 100 * self.used / self.available if self.available else inf if self.used else 0.0


def utilisation(config: AcceleratorConfig, device: Device) -> list[Utilisation]:
    """Return how much of each resource that a device has a configuration takes.

    For ECP5 by the resource estimate, which is fitted to it; for other families by the lower bound that follows from
    the configuration.
    """
    bound = device.family is not ECP5
    if bound:
        needs = demand(config, device.family)
        used = {"multipliers": needs.multipliers, "block_ram": needs.block_rams, "luts": needs.luts}
    else:
        counts = estimate_resources(config)
        used = {"multipliers": counts.multipliers, "block_ram": counts.block_ram, "luts": counts.luts}
    available = {
        "multipliers": device.multipliers,
        "block_ram": device.block_rams,
        "luts": device.luts,
    }
    return [Utilisation(name, count, available[name], bound) for name, count in used.items()]


def smallest_ecp5(config: AcceleratorConfig) -> Device:
    """Return the smallest ECP5 that has what a configuration needs; the largest where none has."""
    devices = [device for device in OPEN_DEVICES if device.family is ECP5]
    for device in devices:
        if all(each.percent <= 100 for each in utilisation(config, device)):
            return device
    return devices[-1]
