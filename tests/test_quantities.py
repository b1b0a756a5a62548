"""Whoever writes rows uses names of the one table."""

import ast
import re
from pathlib import Path

import pytest

import gatewright
from gatewright.quantities import METRIC, PARAMETERS, QUANTITIES

ROOT = Path(gatewright.__file__).parent
WRITERS = ("Row", "score_row", "row")


def names_written(path):
    """Give the names in calls that make rows, as regular expressions: what an f-string leaves open fits anything."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = getattr(node.func, "id", getattr(node.func, "attr", None))
        first = node.args[0]
        if called not in WRITERS:
            continue
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield re.escape(first.value)
        elif isinstance(first, ast.JoinedStr):
            yield "".join(
                re.escape(part.value) if isinstance(part, ast.Constant) else r"\w+" for part in first.values
            )


def test_every_writer_uses_names_of_the_table():
    files = sorted(ROOT.rglob("*.py"))
    written = {(path, name) for path in files for name in names_written(path)}
    assert len(written) > 50
    # The finished points of a study have a prefix that their writer puts before the name.
    unknown = [
        f"{path.relative_to(ROOT)}: {name}"
        for path, name in sorted(written)
        if not any(re.fullmatch(f"(point_)?{name}", known) for known in QUANTITIES)
    ]
    assert not unknown


@pytest.mark.parametrize("name", QUANTITIES)
def test_every_quantity_says_what_it_is(name):
    quantity = QUANTITIES[name]
    assert name.isidentifier()
    assert name.islower()
    assert quantity.meaning == quantity.meaning.strip(" .")
    assert quantity.takes(quantity.unit if isinstance(quantity.unit, str) else quantity.unit[0])
    assert quantity.takes("furlongs") == (quantity.unit == METRIC)


def test_parameters_have_one_kind_each():
    assert list(PARAMETERS) == sorted(PARAMETERS)
    assert "text" not in PARAMETERS.values()
