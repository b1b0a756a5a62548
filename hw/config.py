"""Parameters of one accelerator, fixed when its Verilog is emitted."""

import dataclasses
import operator
from dataclasses import dataclass
from pathlib import Path

from gatewright.errors import ConfigError
from gatewright.limits import whole
from gatewright.sw.numbers import ACCUMULATOR, MAX_ALIGNMENT, Fixed, hidden_format
from gatewright.texts import read_object

WEIGHT_BITS = 8
"""Width of a word of a weight memory: one 8-bit, two 4-bit or four 2-bit weights."""

_MAX_DEPTH = 65536

_RANGES = {
    "weight_depth": (16, _MAX_DEPTH),
    "index_depth": (0, _MAX_DEPTH),
    "column_depth": (0, _MAX_DEPTH),
    "accumulator_rows": (4, 1024),
    "activation_depth": (16, _MAX_DEPTH),
    "bias_depth": (2, _MAX_DEPTH),
    "state_depth": (2, _MAX_DEPTH),
    "program_depth": (4, 256),
    "alignment_bits": (0, MAX_ALIGNMENT),
    "accumulator_bits": (16, ACCUMULATOR.bits),
}

_SWITCHES = (
    "private",
    "zero_skipping",
    "auto_skipping",
    "block_accumulators",
    "serial_cell",
    "counters",
    "single_port",
)


@dataclass(frozen=True)
class AcceleratorConfig:
    """What the generated hardware has; the model itself is loaded at run time.

    Parameters
    ----------
    lanes : int
        Weight streams with one multiplier each: a power of two, 4 to 1024.
    groups : int
        A power of two. In broadcast orientation, lanes ``g * lanes / groups`` and up work on the columns
        j = g mod `groups`, and draining adds the groups' partial sums.
    cell_lanes : int
        LSTM units finished per cycle: a power of two, at most ``lanes / groups / 4``.
    activation_bits : int
        Width of inputs and hidden values, 8 or 16 bits.
    narrowest_weight : int
        Narrowest weights that are computed at proportional speed: 2, 4 or 8 bits. Each lane has
        ``8 / narrowest_weight`` banks of accumulators.
    weight_depth : int
        8-bit words in each lane's weight memory.
    index_depth : int
        Words in each lane's index memory, which sparse matrices occupy in step with the weights; 0 for hardware
        without sparse mode.
    column_depth : int
        Entries of the column table, of which a matrix whose columns differ in length takes one per column; 0 for
        hardware without it.
    accumulator_rows : int
        Rows in each of a lane's two accumulator buffers: a power of two.
    activation_depth : int
        Elements of the activation memory (all vectors); a multiple of ``lanes``.
    bias_depth : int
        Groups of ``4 * cell_lanes`` 32-bit biases.
    state_depth : int
        Groups of ``cell_lanes`` 16-bit cell states.
    program_depth : int
        Ops in the program memory.
    alignment_bits : int
        Bits by which an activation can be shifted to the left, to align the products of a layer's two matrices. With
        activations and alignment of more than 18 bits together, a lane needs two multipliers.
    accumulator_bits : int
        Width of the accumulators. The compiler proves that no input overflows them.
    private : int
        1 for hardware with private orientation, which matrices of few rows need to keep all lanes busy; 0 without.
    zero_skipping : int
        1 for hardware that can pass over zero activations; 0 without.
    auto_skipping : int
        1 for hardware that decides by itself, from step to step, whether to pass over zeros; 0 without. Needs
        ``zero_skipping = 1``.
    block_accumulators : int
        1 for accumulators in block RAM, two in each lane and bank; 0 for look-up tables used as RAM.
    serial_cell : int
        1 for a cell unit with one σ/tanh unit and two multipliers, which takes five cycles for an LSTM unit; 0 for
        cell lanes with five and eight, that take one. Needs ``cell_lanes = 1``.
    counters : int
        1 for hardware with performance counters; 0 without: they read as zero, and cycles cannot be measured.
    single_port : int
        1 for memories of weights and indices that are read or written in a cycle, with the words of all lanes side by
        side, as the large RAMs of iCE40 UltraPlus want it; 0 for one of each in every lane, with two ports.

    Raises
    ------
    ConfigError
        A value is outside its range; the text gives the range.
    """

    lanes: int = 32
    groups: int = 1
    cell_lanes: int = 2
    activation_bits: int = 8
    narrowest_weight: int = 8
    weight_depth: int = 4096
    index_depth: int = 1024
    column_depth: int = 256
    accumulator_rows: int = 32
    activation_depth: int = 1024
    bias_depth: int = 128
    state_depth: int = 128
    program_depth: int = 32
    alignment_bits: int = MAX_ALIGNMENT
    accumulator_bits: int = ACCUMULATOR.bits
    private: int = 1
    zero_skipping: int = 1
    auto_skipping: int = 0
    block_accumulators: int = 1
    serial_cell: int = 0
    counters: int = 1
    single_port: int = 0

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            try:
                object.__setattr__(self, field.name, operator.index(value))
            except TypeError:
                raise ConfigError(f"{field.name} must be an integer, not {value!r}") from None
        _check_power_of_two("lanes", self.lanes, 4, 1024)
        _check_power_of_two("groups", self.groups, 1, self.lanes // 4)
        _check_power_of_two("cell_lanes", self.cell_lanes, 1, self.group_lanes // 4)
        if self.activation_bits not in (8, 16):
            raise ConfigError(f"activation_bits must be 8 or 16, not {self.activation_bits}")
        if self.narrowest_weight not in (2, 4, 8):
            raise ConfigError(f"narrowest_weight must be 2, 4 or 8, not {self.narrowest_weight}")
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f"{name} must be from {low} to {high}, not {value}")
        for name in _SWITCHES:
            if getattr(self, name) not in (0, 1):
                raise ConfigError(f"{name} must be 0 (without) or 1 (with), not {getattr(self, name)}")
        if self.auto_skipping and not self.zero_skipping:
            raise ConfigError(
                "auto_skipping = 1 needs zero_skipping = 1: there is nothing to decide without it"
            )
        if self.serial_cell and self.cell_lanes != 1:
            raise ConfigError(
                f"serial_cell = 1 needs cell_lanes = 1, not {self.cell_lanes}: the serial cell unit has one σ/tanh unit"
            )
        _check_power_of_two("accumulator_rows", self.accumulator_rows, *_RANGES["accumulator_rows"])
        if self.column_depth and not self.index_depth:
            raise ConfigError(
                "column_depth must be 0 where index_depth is 0: only sparse matrices use the table"
            )
        if self.activation_depth % self.lanes:
            raise ConfigError(
                f"activation_depth must be a multiple of lanes = {self.lanes}, not {self.activation_depth}"
            )

    @staticmethod
    def range_of(name: str) -> tuple[int, int]:
        """Return the smallest and the largest legal depth of a memory, by its field's name."""
        return _RANGES[name]

    @property
    def group_lanes(self) -> int:
        """Lanes in each group."""
        return self.lanes // self.groups

    @property
    def quads(self) -> int:
        """Sets of four lanes in a group, that hold the four gates of one unit."""
        return self.group_lanes // 4

    @property
    def drain_lanes(self) -> int:
        """Accumulators that enter the cell unit at once: four for each cell lane."""
        return 4 * self.cell_lanes

    @property
    def banks(self) -> int:
        """Accumulators that a lane adds to in one cycle: row r is in bank r mod `banks`."""
        return WEIGHT_BITS // self.narrowest_weight

    @property
    def accumulator_depth(self) -> int:
        """Rows that an accumulator memory has, all its banks together.

        In block RAM, which is deep, there are as many again that stay zero: what is not selected is read there.
        """
        return self.accumulator_rows << self.block_accumulators

    @property
    def row_bits(self) -> int:
        """Width of the address of an accumulator row inside its buffer."""
        return (self.accumulator_rows - 1).bit_length()

    @property
    def index_bits(self) -> int:
        """Width of a word of an index memory: the widest of what weights of each width need."""
        return max(slots * self.slot_index_bits(slots) for slots in (1, 2, 4) if slots <= self.banks)

    def slot_index_bits(self, slots: int) -> int:
        """Width of one index in an index word that goes with `slots` weights: slot s is at bit s * this.

        The index i of slot s means accumulator row ``slots * i + s`` of the op's region.
        """
        return self.row_bits - (slots.bit_length() - 1)

    @property
    def vectors(self) -> int:
        """Words of the activation memory, `lanes` elements each; every vector starts at one."""
        return self.activation_depth // self.lanes

    def check_skip(self, skip: int) -> None:
        """Refuse to pass over zeros where the hardware cannot.

        Raises
        ------
        ConfigError
            `skip` is wanted, and there is no zero skipping.
        """
        if skip and not self.zero_skipping:
            raise ConfigError(
                "this accelerator cannot pass over zero activations: generate it with zero_skipping = 1, or do not skip"
            )

    @property
    def count_bits(self) -> int:
        """Width of a count of activations: no vector has more than the words of the memory."""
        return (self.vectors - 1).bit_length() + self.lanes.bit_length()

    @property
    def operand_bits(self) -> int:
        """Width of an activation that is shifted into alignment, the second operand of every multiplier."""
        return self.activation_bits + self.alignment_bits

    @property
    def hidden_format(self) -> Fixed:
        """Format of hidden vectors."""
        return hidden_format(self.activation_bits)

    @property
    def column_widths(self) -> tuple[int, int]:
        """Widths of an entry of the column table: the offset of the column's first word, and its count of words."""
        return (self.weight_depth - 1).bit_length(), self.row_bits + 1

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
        what = "a readable configuration"
        values = read_object(path, what, ConfigError)
        with whole(path, what, ConfigError):
            return cls.from_json(values)


def _check_power_of_two(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high or value & (value - 1):
        raise ConfigError(f"{name} must be a power of two from {low} to {high}, not {value}")
