"""FPGAs that flows are written for: capacities and the names that tools know them by."""

from dataclasses import dataclass

from gatewright.errors import ConfigError


@dataclass(frozen=True)
class Device:
    """One FPGA in one package.

    Parameters
    ----------
    name : str
        Short name, also of the flow's folder.
    family : str
        Name of the family.
    luts : int
        4-input look-up tables (6-input for Xilinx).
    block_rams : int
        Block RAMs.
    block_ram_bits : int
        Capacity of each, in bits.
    multipliers : int
        Multipliers of at least 16x16 bits.
    lut_ram : bool
        Whether look-up tables can be RAM with asynchronous read.
    package : str
        Package, as the tools write it.
    speed : str
        Speed grade, as the tools write it.
    synthesis : str
        Yosys's commands for the family, if it is the tool, with the fields `top` (module) and `json` (file).
    placer : str
        Program that places and routes.
    options : tuple of str
        Its options that select the device.
    """

    name: str
    family: str
    luts: int
    block_rams: int
    block_ram_bits: int
    multipliers: int
    lut_ram: bool
    package: str
    speed: str
    synthesis: str
    placer: str
    options: tuple[str, ...]


ECP5_LUTS = ("abc9 -W 1000", "clean")
"""Yosys's commands for the stage ``map_luts`` of ``synth_ecp5``: what it does there, but with 1000 ps for a wire, as
routing gives them, instead of 300. With these it saves look-up tables where levels of logic count."""


_TIMING_FIRST = ("--placer-heap-critexp", "4", "--placer-heap-timingweight", "25")
"""The placer's options that weigh slow paths more than wire length."""


def _ecp5(size: str, luts: int, block_rams: int, multipliers: int, package: str) -> Device:
    return Device(
        name=f"ecp5-{size}",
        family="ECP5",
        luts=luts,
        block_rams=block_rams,
        block_ram_bits=18 * 1024,
        multipliers=multipliers,
        lut_ram=True,
        package=package,
        speed="6",
        synthesis="; ".join(
            (
                "synth_ecp5 -top {top} -run begin:map_luts",
                *ECP5_LUTS,
                "synth_ecp5 -top {top} -run map_cells: -json {json}",
            )
        ),
        placer="nextpnr-ecp5",
        options=(f"--{size}", "--package", package, "--speed", "6", *_TIMING_FIRST),
    )


def _ice40(size: str, luts: int, block_rams: int, multipliers: int, package: str, synthesis: str) -> Device:
    return Device(
        name=f"ice40-{size}",
        family="iCE40",
        luts=luts,
        block_rams=block_rams,
        block_ram_bits=4 * 1024,
        multipliers=multipliers,
        lut_ram=False,
        package=package,
        speed=size[:2],
        synthesis=f"{synthesis} -top {{top}} -json {{json}}",
        placer="nextpnr-ice40",
        options=(f"--{size}", "--package", package),
    )


OPEN_DEVICES = (
    _ecp5("25k", 24_288, 56, 28, "CABGA381"),
    _ecp5("45k", 43_848, 108, 72, "CABGA381"),
    _ecp5("85k", 83_640, 208, 156, "CABGA381"),
    _ice40("up5k", 5_280, 30, 8, "sg48", "synth_ice40 -dsp"),
    _ice40("hx8k", 7_680, 32, 0, "ct256", "synth_ice40"),
    Device(
        name="gowin-gw2a18",
        family="Gowin GW2A",
        luts=20_736,
        block_rams=46,
        block_ram_bits=18 * 1024,
        multipliers=48,
        lut_ram=True,
        package="PBGA256",
        speed="C8/I7",
        synthesis="synth_gowin -top {top} -json {json}",
        placer="nextpnr-himbaechel",
        options=("--device", "GW2A-LV18PG256C8/I7", "--vopt", "family=GW2A-18"),
    ),
)
"""Devices for Yosys and nextpnr, smallest of each family first."""

VIVADO_DEVICE = Device(
    name="vivado-xc7a100t",
    family="Artix-7",
    luts=63_400,
    block_rams=270,
    block_ram_bits=18 * 1024,
    multipliers=240,
    lut_ram=True,
    package="csg324",
    speed="-1",
    synthesis="",
    placer="vivado",
    options=("xc7a100tcsg324-1",),
)
"""The device of the Vivado project, which the script lets the user change."""

DEVICES = {known.name: known for known in (*OPEN_DEVICES, VIVADO_DEVICE)}
"""All devices by name."""


DEVICES = {known.name: known for known in (*OPEN_DEVICES, VIVADO_DEVICE)}
"""All devices by name: the choices of a command."""


def device(name: str) -> Device:
    """Return the device of a name.

    Raises
    ------
    ConfigError
        There is no such device; the text names those that there are.
    """
    if name not in DEVICES:
        raise ConfigError(f"unknown device {name!r}; known are {', '.join(DEVICES)}")
    return DEVICES[name]
