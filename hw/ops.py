"""The program of the accelerator: ops, their encoding, and nothing else.

A program runs once per time step, in order. Every op names a unit; it is issued as soon as that
unit can take it and every unit in its `wait` set is idle, so what runs at the same time is the
compiler's choice. The tables below are the only definition of the encoding: the compiler encodes
by them, the golden model decodes by them and the RTL takes its layouts from them.
"""

import enum
from dataclasses import dataclass, field

from amaranth.lib import data

from gatewright.errors import BundleError, ConfigError

OP_BITS = 128
"""Width of an op, four words of the load bus."""


class Unit(enum.IntFlag):
    """The units that ops run on; also the bits of an op's `wait` set."""

    INPUT = 1
    MATRIX = 2
    DRAIN = 4
    OUTPUT = 8


NO_UNITS = Unit(0)
"""The empty set of units."""


class Opcode(enum.IntEnum):
    """What an op does."""

    INPUT = 1
    """Take `count` elements from the input stream to activations [`destination` ...]."""

    MATVEC = 2
    """accumulators += W · activations[`source` : `source + columns`] << `shift` (see `Matvec`)."""

    CELL = 3
    """Drain gate accumulators through the cell unit into states and activations."""

    LOGITS = 4
    """Drain accumulators with their bias to the output stream, 32 bits each."""

    OUTPUT = 5
    """Send `count` activations from `source` to the output stream."""


class When(enum.IntEnum):
    """In which steps of a job an op runs."""

    ALWAYS = 0
    CARRIED = 1
    """Not in the first step of a fresh sequence, whose state is zero."""
    LAST = 2
    """In the last step only."""


UNIT_OF = {
    Opcode.INPUT: Unit.INPUT,
    Opcode.MATVEC: Unit.MATRIX,
    Opcode.CELL: Unit.DRAIN,
    Opcode.LOGITS: Unit.DRAIN,
    Opcode.OUTPUT: Unit.OUTPUT,
}

HEADER = {"opcode": 4, "when": 2, "end": 1, "wait": 4}
"""Fields of every op, from bit 0 up, in bits. `end` marks the last op of the program."""

ARGUMENTS = {
    Opcode.INPUT: {"destination": 16, "count": 16},
    Opcode.MATVEC: {
        "source": 16,
        "columns": 16,
        "entries": 16,
        "weight_base": 16,
        "index_base": 16,
        "shift": 5,
        "sparse": 1,
    },
    Opcode.CELL: {"groups": 16, "bias_base": 16, "state_base": 16, "destination": 16, "shift": 5},
    Opcode.LOGITS: {"count": 16, "bias_base": 16},
    Opcode.OUTPUT: {"source": 16, "count": 16},
}
"""Fields behind the header, in order, in bits.

MATVEC: for each column, `entries` weights in each lane, at consecutive words from `weight_base`.
Dense: entry k belongs to accumulator row k. Sparse: to the row in the index memory, consecutive from
`index_base`. CELL: `groups` groups of `drain_lanes` accumulators, i.e. `cell_lanes` units; `shift` is
the right shift to `STATE`. Group n is at row n // (quads / cell_lanes) of the lanes
[drain_lanes * (n mod (quads / cell_lanes)) ...]. LOGITS: `count` accumulators in the same order of groups and
lanes. Draining adds the bias (one group of the bias memory per group) and clears the accumulator.
"""

HEADER_LAYOUT = data.StructLayout(dict(HEADER))


def argument_layout(opcode: Opcode) -> data.StructLayout:
    """Layout of the arguments of one opcode, to be viewed on the bits behind the header."""
    return data.StructLayout(dict(ARGUMENTS[opcode]))


@dataclass(frozen=True)
class Op:
    """One op with named arguments.

    Parameters
    ----------
    opcode : Opcode
    arguments : dict of int
        Exactly the fields of `ARGUMENTS[opcode]`, each within its width.
    when : When
    wait : Unit
        Units that must be idle before the op is issued.
    end : bool
        Last op of the program.

    Raises
    ------
    ConfigError
        A field is missing, unknown or does not fit its width.
    """

    opcode: Opcode
    arguments: dict[str, int] = field(default_factory=dict)
    when: When = When.ALWAYS
    wait: Unit = NO_UNITS
    end: bool = False

    def __post_init__(self):
        fields = ARGUMENTS[self.opcode]
        if set(self.arguments) != set(fields):
            raise ConfigError(f"{self.opcode.name} takes {sorted(fields)}, not {sorted(self.arguments)}")
        for name, width in fields.items():
            value = self.arguments[name]
            if not 0 <= value < 1 << width:
                raise ConfigError(
                    f"{self.opcode.name}.{name} must be from 0 to {(1 << width) - 1}, not {value}"
                )

    def encode(self) -> int:
        """Give the op as an integer of `OP_BITS` bits."""
        header = {"opcode": self.opcode, "when": self.when, "end": int(self.end), "wait": self.wait}
        word, position = 0, 0
        for values, widths in ((header, HEADER), (self.arguments, ARGUMENTS[self.opcode])):
            for name, width in widths.items():
                word |= int(values[name]) << position
                position += width
        return word

    @classmethod
    def decode(cls, word: int) -> "Op":
        """Read an op back.

        Raises
        ------
        BundleError
            The opcode or the condition is unknown.
        """
        header = _unpack(word, HEADER)
        try:
            opcode, when = Opcode(header["opcode"]), When(header["when"])
        except ValueError as error:
            raise BundleError(f"malformed op {word:#034x}: {error}") from error
        arguments = _unpack(word >> sum(HEADER.values()), ARGUMENTS[opcode])
        return cls(opcode, arguments, when, Unit(header["wait"]), bool(header["end"]))


def _unpack(word: int, widths: dict[str, int]) -> dict[str, int]:
    values = {}
    for name, width in widths.items():
        values[name] = word & ((1 << width) - 1)
        word >>= width
    return values
