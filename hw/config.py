"""Parameters of one accelerator, fixed when its Verilog is emitted."""

import dataclasses
import json
import operator
from dataclasses import dataclass
from pathlib import Path

from gatewright.errors import ConfigError
from gatewright.sw.numbers import ACCUMULATOR, STATE, Fixed, hidden_format

WEIGHT_BITS = 8
"""Width of a word of a weight memory."""

_MAX_DEPTH = 65536

_RANGES = {
    "weight_depth": (16, _MAX_DEPTH),
    "index_depth": (16, _MAX_DEPTH),
    "accumulator_rows": (2, 1024),
    "activation_depth": (16, _MAX_DEPTH),
    "bias_depth": (2, _MAX_DEPTH),
    "state_depth": (2, _MAX_DEPTH),
    "program_depth": (4, 256),
}


@dataclass(frozen=True)
class AcceleratorConfig:
    """What the generated hardware has; the model itself is loaded at run time.

    Parameters
    ----------
    lanes : int
        Weight streams with one multiplier each: a power of two, 4 to 512.
    cell_lanes : int
        LSTM units finished per cycle: a power of two that divides ``lanes // 4``.
    activation_bits : int
        Width of inputs and hidden values, 8 or 16 bits.
    weight_depth : int
        8-bit words in each lane's weight memory.
    index_depth : int
        Entries in each lane's index memory, which sparse matrices occupy in step with the weights.
    accumulator_rows : int
        Accumulators in each lane: a power of two.
    activation_depth : int
        Elements of the activation memory (inputs and hidden vectors); a multiple of ``cell_lanes``.
    bias_depth : int
        Groups of ``4 * cell_lanes`` 32-bit biases.
    state_depth : int
        Groups of ``cell_lanes`` 16-bit cell states.
    program_depth : int
        Ops in the program memory.

    Raises
    ------
    ConfigError
        A value is outside its range; the text gives the range.
    """

    lanes: int = 32
    cell_lanes: int = 2
    activation_bits: int = 8
    weight_depth: int = 4096
    index_depth: int = 1024
    accumulator_rows: int = 16
    activation_depth: int = 512
    bias_depth: int = 128
    state_depth: int = 128
    program_depth: int = 16

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            try:
                object.__setattr__(self, field.name, operator.index(value))
            except TypeError:
                raise ConfigError(f"{field.name} must be an integer, not {value!r}") from None
        _check_power_of_two("lanes", self.lanes, 4, 512)
        _check_power_of_two("cell_lanes", self.cell_lanes, 1, self.lanes // 4)
        if self.activation_bits not in (8, 16):
            raise ConfigError(f"activation_bits must be 8 or 16, not {self.activation_bits}")
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f"{name} must be from {low} to {high}, not {value}")
        _check_power_of_two("accumulator_rows", self.accumulator_rows, *_RANGES["accumulator_rows"])
        if self.activation_depth % self.cell_lanes:
            raise ConfigError(
                f"activation_depth must be a multiple of cell_lanes = {self.cell_lanes}, not {self.activation_depth}"
            )

    @property
    def quads(self) -> int:
        """Groups of four lanes that hold the four gates of one unit."""
        return self.lanes // 4

    @property
    def drain_lanes(self) -> int:
        """Accumulators read at once when they are drained: four for each cell lane."""
        return 4 * self.cell_lanes

    @property
    def index_bits(self) -> int:
        """Width of an index: the row of an accumulator inside its lane."""
        return (self.accumulator_rows - 1).bit_length()

    @property
    def hidden_format(self) -> Fixed:
        """Format of hidden vectors."""
        return hidden_format(self.activation_bits)

    @property
    def memory_bits(self) -> dict[str, int]:
        """Capacity of each kind of memory, in bits."""
        return {
            "weight": self.lanes * self.weight_depth * WEIGHT_BITS,
            "index": self.lanes * self.index_depth * self.index_bits,
            "accumulator": self.lanes * self.accumulator_rows * ACCUMULATOR.bits,
            "activation": self.activation_depth * self.activation_bits,
            "bias": self.bias_depth * self.drain_lanes * ACCUMULATOR.bits,
            "state": self.state_depth * self.cell_lanes * STATE.bits,
        }

    def to_json(self) -> dict:
        """Give the parameters as plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict) -> "AcceleratorConfig":
        """Make a configuration from named values; unknown names are refused."""
        known = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(values, dict) or set(values) - known:
            extra = sorted(set(values) - known) if isinstance(values, dict) else repr(values)
            raise ConfigError(f"unknown configuration values {extra}; known are {sorted(known)}")
        return cls(**values)

    @classmethod
    def load(cls, path: Path) -> "AcceleratorConfig":
        """Read a configuration from a JSON file."""
        try:
            return cls.from_json(json.loads(Path(path).read_text()))
        except (OSError, ValueError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(f"{path}: not a readable configuration ({error})") from error


def _check_power_of_two(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high or value & (value - 1):
        raise ConfigError(f"{name} must be a power of two from {low} to {high}, not {value}")
