import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.errors import BundleError, ConfigError
from gatewright.hw.ops import (
    ARGUMENTS,
    HEADER,
    HEADER_LAYOUT,
    OP_BITS,
    Op,
    Opcode,
    When,
    argument_layout,
)


@st.composite
def ops(draw):
    opcode = draw(st.sampled_from(Opcode))
    arguments = {name: draw(st.integers(0, (1 << width) - 1)) for name, width in ARGUMENTS[opcode].items()}
    return Op(opcode, arguments, draw(st.sampled_from(When)), draw(st.booleans()))


@settings(derandomize=True)
@given(ops())
def test_decode_inverts_encode(op):
    word = op.encode()
    assert 0 <= word < 1 << OP_BITS
    assert Op.decode(word) == op


@settings(derandomize=True)
@given(ops())
def test_layouts_of_the_rtl_see_the_same_fields(op):
    word = op.encode()
    header = HEADER_LAYOUT.from_bits(word & ((1 << HEADER_LAYOUT.size) - 1))
    assert (header.opcode, header.when, header.end) == (op.opcode, op.when, op.end)
    layout = argument_layout(op.opcode)
    fields = layout.from_bits((word >> HEADER_LAYOUT.size) & ((1 << layout.size) - 1))
    assert {name: getattr(fields, name) for name in ARGUMENTS[op.opcode]} == op.arguments


@pytest.mark.parametrize("opcode", Opcode)
def test_every_op_fits(opcode):
    assert sum(HEADER.values()) + sum(ARGUMENTS[opcode].values()) <= OP_BITS


@pytest.mark.parametrize(
    "arguments",
    [{}, {"destination": 0}, {"destination": 0, "count": 1 << 16}, {"destination": -1, "count": 0},
     {"destination": 0, "count": 1, "extra": 0}],
)  # fmt: skip
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(ConfigError, match="INPUT"):
        Op(Opcode.INPUT, arguments)


@pytest.mark.parametrize("word", [0, 7, 5 << 3 | 1])
def test_unknown_codes_are_refused(word):
    with pytest.raises(BundleError, match="malformed op"):
        Op.decode(word)
