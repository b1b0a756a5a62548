"""What a board is: its file, read and checked."""

import re
from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from gatewright.errors import ConfigError
from gatewright.hw.bridge.line import LineKind
from gatewright.hw.fpga.devices import DEVICES, ECP5, Device, device
from gatewright.limits import whole
from gatewright.texts import read_toml

_FOLDER = Path(__file__).parent
_SUFFIX = ".toml"

BAUD = 1_000_000
"""Bits per second on a board's serial line, unless its file says otherwise."""

SCK_MEGAHERTZ = 1.0
"""Clock of a board's SPI bus, unless its file says otherwise."""

_RATES = {LineKind.UART: "baud", LineKind.SPI: "sck_megahertz"}
"""What says how fast a line is."""


@dataclass(frozen=True)
class Board:
    """A board, as its file tells it.

    Parameters
    ----------
    name : str
        That of the file.
    title : str
        What people call it.
    device : str
        FPGA, by the name of one in `devices.DEVICES` that has the same die.
    package, speed : str
        As the placer writes them; empty for those of that device.
    clock : str
        Pin of the clock.
    megahertz : float
        Its frequency.
    rx, tx : str
        Pins of the serial line, from the FPGA's side; empty with SPI.
    led : str
        Pin of a lamp that is lit once a host has spoken; empty for none.
    led_low : bool
        The lamp is lit by a low level.
    reset : str
        Pin of a button that resets the accelerator; empty for none.
    reset_low : bool
        The button makes a low level.
    high : tuple of str
        Pins that must be kept high.
    io : str
        Standard of the pins, as the placer writes it.
    baud : int
        Bits per second on the serial line.
    sck, copi, select_n, cipo : str
        Pins of SPI; empty with a serial line.
    sck_megahertz : float
        Clock of sck.
    load : str
        Command that loads the bitstream whose name follows it.
    notes : str
        What its user has to know.

    Raises
    ------
    ConfigError
        A value is outside its range, or names no ECP5: smaller devices have no room for accelerator and bridge.
    """

    name: str
    title: str
    device: str
    clock: str
    megahertz: float
    rx: str = ""
    tx: str = ""
    package: str = ""
    speed: str = ""
    led: str = ""
    led_low: bool = False
    reset: str = ""
    reset_low: bool = False
    high: tuple[str, ...] = ()
    io: str = "LVCMOS33"
    baud: int = BAUD
    sck: str = ""
    copi: str = ""
    select_n: str = ""
    cipo: str = ""
    sck_megahertz: float = SCK_MEGAHERTZ
    load: str = "openFPGALoader"
    notes: str = ""

    def __post_init__(self):
        if device(self.device).family is not ECP5:
            known = [name for name, each in DEVICES.items() if each.family is ECP5]
            raise ConfigError(f"{self.name}: device must be one of {', '.join(known)}, not {self.device!r}")
        object.__setattr__(self, "high", tuple(self.high))
        # These go into the text of Verilog and of constraints.
        if not re.fullmatch(r"[a-z][a-z0-9-]*", self.name):
            raise ConfigError(
                f"{self.name}: the file of a board is named by small letters, digits and '-', and begins with a letter"
            )
        if not self.title.isprintable():
            raise ConfigError(f"{self.name}: title must be one line of text, not {self.title!r}")
        for name in ("package", "speed", "io"):
            if not re.fullmatch(r"\w*", getattr(self, name)):
                raise ConfigError(
                    f"{self.name}: {name} must have letters and digits only, not {getattr(self, name)!r}"
                )
        lines = self.line_pins.values()
        for pin in (self.clock, *lines, *filter(None, (self.led, self.reset, *self.high))):
            if not re.fullmatch(r"[A-Z]{1,2}[0-9]{1,2}", pin):
                raise ConfigError(f"{self.name}: {pin!r} is no pin: a pin is like G2")
        if not 1 <= self.megahertz <= 400:
            raise ConfigError(f"{self.name}: megahertz must be from 1 to 400, not {self.megahertz:g}")
        if not 1200 <= self.baud <= 12_000_000:
            raise ConfigError(f"{self.name}: baud must be from 1200 to 12000000, not {self.baud}")
        if not 0.001 <= self.sck_megahertz <= 50:
            raise ConfigError(
                f"{self.name}: sck_megahertz must be from 0.001 to 50, not {self.sck_megahertz:g}"
            )

    @property
    def line(self) -> LineKind:
        """What leads to its host."""
        pins = {name for kind in LineKind for name in kind.pins}
        return _line(self.name, {name for name in pins if getattr(self, name)})

    @property
    def line_pins(self) -> dict[str, str]:
        """Pins of that line by the names of `LineKind`."""
        return {name: getattr(self, name) for name in self.line.pins}

    @property
    def fpga(self) -> Device:
        """Its FPGA, in its own package and speed."""
        known = device(self.device)
        package, speed = self.package or known.package, self.speed or known.speed
        options = list(known.options)
        for option, value in (("--package", package), ("--speed", speed)):
            options[options.index(option) + 1] = value
        return replace(known, package=package, speed=speed, options=tuple(options))


def _line(what: object, given: Collection[str]) -> LineKind:
    """Return the kind of line whose values are given, and no value of another."""
    known = {name for kind in LineKind for name in (*kind.pins, _RATES[kind])}
    here = known & set(given)
    for kind in LineKind:
        if set(kind.pins) <= here <= {*kind.pins, _RATES[kind]}:
            return kind
    legal = "; or ".join(f"{', '.join(kind.pins)}, and optionally {_RATES[kind]}" for kind in LineKind)
    told = ", ".join(sorted(here)) or "none"
    raise ConfigError(f"{what}: a line to the host has the values {legal}; there are {told}")


def boards() -> dict[str, Path]:
    """Return the files of the boards that come with Gatewright, by name."""
    return {path.stem: path for path in sorted(_FOLDER.glob(f"*{_SUFFIX}"))}


def board(name: str) -> Board:
    """Return a board: one that comes with Gatewright by its name, any other by its file.

    Raises
    ------
    ConfigError
        There is none, or its file is malformed; the text names those that there are.
    """
    known = boards()
    path = Path(name) if name.endswith(_SUFFIX) else known.get(name)
    if path is None:
        raise ConfigError(
            f"unknown board {name!r}; known are {', '.join(known)}, and a file of your own: --board mine{_SUFFIX}"
        )
    what = "the file of a board"
    values = read_toml(path, what, ConfigError)
    with whole(path, what, ConfigError):
        return Board(name=path.stem, **_checked(path, values))


_KINDS: dict[str, tuple[type, ...]] = {
    "megahertz": (int, float),
    "baud": (int,),
    "sck_megahertz": (int, float),
    "led_low": (bool,),
    "reset_low": (bool,),
    "high": (list,),
}
"""What values of a file are, where they are no texts."""


def _checked(path: Path, values: dict[str, Any]) -> dict[str, Any]:
    known = [field.name for field in fields(Board) if field.name != "name"]
    if unknown := set(values) - set(known):
        raise ConfigError(f"{path}: unknown {', '.join(sorted(unknown))}; known are {', '.join(known)}")
    for name, value in values.items():
        # A truth value is an integer for Python, but no number here.
        if type(value) not in _KINDS.get(name, (str,)):
            kinds = " or ".join(kind.__name__ for kind in _KINDS.get(name, (str,)))
            raise ConfigError(f"{path}: {name} must be {kinds}, not {value!r}")
    _line(path, values)
    return values
