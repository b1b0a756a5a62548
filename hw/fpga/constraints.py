"""Files that tell placers the clock and the pins of the serial top."""

from gatewright.hw.fpga.devices import Device

_PIN_LINES = {
    ".cst": 'IO_LOC "{port}" {pin};\n',
    ".pdc": "ldc_set_location -site {{{pin}}} [get_ports {port}]\n",
}
"""How a format says where a port goes."""


def constraints_file(device: Device, megahertz: float) -> tuple[str, str]:
    """Give the name and the text of the file for a device, which the devices of a family share if they have no pins.

    Both are empty where the placer chooses the pins and is told the clock by its option ``--freq`` alone.
    """
    if device.pins:
        suffix = device.family.format
        lines = (_PIN_LINES[suffix].format(port=port, pin=pin) for port, pin in device.pins.items())
        return f"{device.name}{suffix}", "".join(lines)
    if device.family.format == ".lpf":
        return "gatewright.lpf", f'FREQUENCY PORT "clk" {megahertz:g} MHZ;\n'
    return "", ""


def placer_options(device: Device, file: str, megahertz: float) -> list[str]:
    """Give the placer's options for a device, a file of constraints (empty: none) and a clock."""
    named = [option.format(file=file) for option in device.family.constraints] if file else []
    return [*device.options, *named, "--freq", f"{megahertz:g}"]
