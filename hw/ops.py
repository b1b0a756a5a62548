"""The program of the accelerator: ops, their encoding, and nothing else.

A program runs once per time step, in order. Every op names a unit and is issued as soon as that unit can take it and no
hazard stands against it, so that ops of different units overlap but the results are those of one op after
another. Hazards are seen through the names of what an op reads and writes: the first word of a vector, and the
accumulator buffer. So a vector must always be named by the same first word, and vectors with different first words
must not overlap.

The tables below are the only definition of the encoding: the compiler encodes by them, the golden model decodes by
them and the RTL takes its layouts from them.
"""

import enum
from dataclasses import dataclass, field

from amaranth.lib import data

from gatewright.errors import BundleError, ConfigError

OP_BITS = 128
"""Width of an op, four words of the load bus."""


class Opcode(enum.IntEnum):
    """What an op does, and on which unit."""

    INPUT = 1
    """Input unit: take `count` elements from the input stream to the vector at `destination`."""

    MATVEC = 2
    """Matrix engine: accumulators += W · (vector at `source`) << `shift`."""

    CELL = 3
    """Drain unit: gate accumulators through the cell unit into states and the vector at `destination`."""

    REDUCE = 4
    """Drain unit: plain accumulators to the vector at `destination`, or unrounded to the output stream."""

    OUTPUT = 5
    """Output unit: send the first `count` elements of the vector at `source` to the output stream."""


class When(enum.IntEnum):
    """In which steps of a job an op runs."""

    ALWAYS = 0
    CARRIED = 1
    """Not in the first step of a fresh sequence, whose state is zero."""
    FIRST = 2
    """In the first step of the job only, fresh or not."""
    LAST = 3
    """In the last step only."""
    NOT_LAST = 4
    """In all steps but the last."""


HEADER = {"opcode": 3, "when": 3, "end": 1}
"""Fields of every op, from bit 0 up, in bits. `end` marks the last op of the program."""

_ACCUMULATORS = {"buffer": 1, "alternate": 1, "row": 10}

ARGUMENTS = {
    Opcode.INPUT: {"destination": 12, "count": 16},
    Opcode.MATVEC: {
        "source": 12,
        **_ACCUMULATORS,
        "columns": 16,
        "words": 12,
        "weight_base": 16,
        "index_base": 16,
        "table_base": 16,
        "shift": 4,
        "split": 2,
        "sparse": 1,
        "table": 1,
        "private": 1,
        "tail": 8,
    },
    Opcode.CELL: {
        "destination": 12,
        **_ACCUMULATORS,
        "groups": 16,
        "bias_base": 16,
        "shift": 5,
        "state_base": 16,
    },
    Opcode.REDUCE: {
        "destination": 12,
        **_ACCUMULATORS,
        "count": 16,
        "bias_base": 16,
        "shift": 5,
        "private": 1,
        "biased": 1,
        "send": 1,
    },
    Opcode.OUTPUT: {"source": 12, "count": 16},
}
"""Fields behind the header, in order, in bits. The vector and the accumulators have the same place in all ops, and so
has all that CELL and REDUCE share, `groups` and `count` included: what reads them need not know the op.

Vectors: `source` and `destination` are words of the activation memory, `lanes` elements each.

Accumulators: the buffer is ``buffer ^ (alternate & s)`` with s = number of the step in the job modulo 2. The region
begins at row `row`, a multiple of its size rounded up to a power of two and of `banks`, so that ``row | k`` is its k-th
row. Accumulators are zero before their first product and again once drained.

MATVEC in broadcast orientation (`private` = 0): in column step k, the lanes of group g multiply with element
``groups * k + g``. In private orientation, lane l multiplies with element ``lanes * k + l``, and `shift` is 0. There
are `columns` steps. In broadcast orientation the last has `tail` elements of the vector, or `groups` if `tail` is 0: by
these alone zeros are skipped, as behind them may lie anything, with zero weights.

A weight word holds 1, 2 or 4 weights (`split` = 0, 1, 2; S = 1 << `split`); slot s is at bit
``8 / S * s``. Each step takes `words` words in each lane, at ``weight_base + words * k``; with `table`, entry
``table_base + k`` of the column table has the offset from `weight_base` and the count, which may be zero, instead.
Dense: slot s of the step's word n belongs to row ``S * n + s``. Sparse: to row ``S * i + s`` with i from slot s of the
index word, which is as far from `index_base` as the weight word is from `weight_base`. Rows count within the region.

CELL: `groups` groups of `cell_lanes` units; group n is in row ``n // q`` of the lanes ``drain_lanes * (n % q)`` and up
of every group of lanes, with q = quads / cell_lanes; partial sums of the groups of lanes are added. The bias holds the
rounding constant of `shift`, the right shift to `STATE`.

REDUCE: `count` values. Broadcast: value n is in row ``n // group_lanes`` of lane ``n % group_lanes`` of every group of
lanes, whose partial sums are added. Private: value n is the sum of row n over all lanes. With `biased`, value n gets
bias ``n % drain_lanes`` of group ``bias_base + n // drain_lanes``. With `send` the sums go to the output stream; else
they are rounded half up by `shift`, saturated and written to the vector.
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
    end : bool
        Last op of the program.
    name : str
        What it works on, for people: ``layer0.recurrent``, ``head``. It is not encoded, and equal ops may differ in it.

    Raises
    ------
    ConfigError
        A field is missing, unknown or does not fit its width.
    """

    opcode: Opcode
    arguments: dict[str, int] = field(default_factory=dict)
    when: When = When.ALWAYS
    end: bool = False
    name: str = field(default="", compare=False)

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
        header = {"opcode": self.opcode, "when": self.when, "end": int(self.end)}
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
        return cls(opcode, arguments, when, bool(header["end"]))


def _unpack(word: int, widths: dict[str, int]) -> dict[str, int]:
    values = {}
    for name, width in widths.items():
        values[name] = word & ((1 << width) - 1)
        word >>= width
    return values
