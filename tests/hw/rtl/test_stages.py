"""The pipeline's cycles as its documentation counts them: what each unit is written to."""

from gatewright.hw.rtl import stages
from gatewright.hw.rtl.column_layout import CREDITS, SLOTS

CYCLES = {
    "ADDRESS": 1,
    "ALIGNED": 3,
    "ROW": 3,
    "OPERANDS": 5,
    "ADD": 6,
    "WRITE": 7,
    "RETIRE": 4,
}
"""Of a word of weights."""

LATENCIES = {
    "READ": 2,
    "SUM_READ": 3,
    "REACH": 3,
    "ARRIVAL": 4,
    "TAKE": 1,
    "FIRST_LOOK": 4,
    "FIRST_WORD": 9,
    "FIRST_READ": 12,
    "DRAIN_ISSUE": 3,
    "STORE": 1,
    "COUNTED": 4,
    "LEAD": 8,
    "WRITE_LEAD": 1,
}


def test_cycles_are_the_documented_ones():
    values = {name: value for name, value in vars(stages).items() if name.isupper()}
    assert values == CYCLES | LATENCIES
    assert (CREDITS, SLOTS) == (6, 4)
