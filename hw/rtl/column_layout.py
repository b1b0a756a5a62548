"""What the matrix engine's parts tell each other of matrix ops and of columns."""

from amaranth.hdl import Value
from amaranth.lib import data
from amaranth.utils import ceil_log2, exact_log2

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.ops import Opcode, argument_layout
from gatewright.hw.rtl.activations import vector_bits
from gatewright.hw.rtl.stages import ARRIVAL

SLOTS = 4
"""Matrix ops that are under way at once."""

CREDITS = ARRIVAL + 2
"""Columns between their selection and the lanes; also the depth of their queue. As many as hide the way there, and that
of a credit back, when a column goes to the lanes in every cycle."""

MATRIX_OP = data.StructLayout({"arguments": argument_layout(Opcode.MATVEC), "skip": 1})
"""A matrix op with its `buffer` resolved, so that `alternate` means nothing any more; `skip` passes over
columns whose activations are zero, unless the op is private."""


def skips(op) -> Value:
    """Whether an op passes over zeros."""
    return op.skip & ~op.arguments.private


def passed_on(config: AcceleratorConfig) -> dict[str, int]:
    """Arguments of an op that the lanes need, in the bits that the accelerator uses of them."""
    return {
        "shift": config.alignment_bits.bit_length(),
        "split": (config.banks.bit_length() - 1).bit_length(),
        "sparse": int(config.index_depth > 0),
        "private": config.private,
        "buffer": 1,
        "row": config.row_bits,
    }


def column_layout(config: AcceleratorConfig) -> data.StructLayout:
    """What the lanes need to know of a column.

    The addresses of its first weight and index word, its count of `words` (never 0), the activation word and the
    step in it that hold its elements, the `slot` of its op, and those of the op's arguments that concern the lanes.
    """
    return data.StructLayout(
        {
            "weight": ceil_log2(config.weight_depth),
            "index": ceil_log2(config.index_depth),
            "words": config.row_bits + 1,
            "word": vector_bits(config),
            "step": exact_log2(config.group_lanes),
            "slot": range(SLOTS),
            **passed_on(config),
        }
    )


TASK = data.StructLayout({"op": MATRIX_OP, "slot": range(SLOTS)})
"""A matrix op and its name."""


def chosen_layout(config: AcceleratorConfig) -> data.StructLayout:
    """What is known of a chosen column beside its task and its step: the address and the number of its word."""
    return data.StructLayout({"word": vector_bits(config), "number": config.count_bits})
