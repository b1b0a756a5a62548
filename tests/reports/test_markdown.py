import pytest

from gatewright.reports.markdown import markdown, plain
from gatewright.results import Row


def test_a_row_is_a_line():
    text = markdown(
        [
            Row("counter", "cycles", 12345, {"mode": "dense", "lanes": 32}, 0),
            Row("stopped", "reason", "a|b\nc"),
        ]
    )
    assert text.splitlines()[2:] == [
        "| counter | mode dense, lanes 32 | 0 | 12,345 | cycles |",
        r"| stopped |  |  | a\|b c | reason |",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1234567, "1,234,567"), (99.777777, "99.778"), (2.5e9, "2,500,000,000"), ("yes", "yes")],
)
def test_values_are_readable(value, text):
    assert plain(value) == text
