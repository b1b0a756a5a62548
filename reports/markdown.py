"""Result rows as a Markdown table."""

from collections.abc import Sequence

from gatewright.results import Row


def markdown(rows: Sequence[Row]) -> str:
    """Give one line for each row: name, parameters, seed, value, unit."""
    lines = ["| figure | parameters | seed | value | unit |", "|---|---|---|---|---|"]
    for row in rows:
        parameters = ", ".join(f"{key} {value}" for key, value in row.parameters.items())
        seed = "" if row.seed is None else str(row.seed)
        cells = (row.name, parameters, seed, plain(row.value), row.unit)
        lines.append("| " + " | ".join(cell.replace("|", r"\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def plain(value: float | int | str) -> str:
    """Give a value for people: thousands separated, five significant digits of a float."""
    if isinstance(value, float) and abs(value) < 1e5:
        return f"{value:.5g}"
    return f"{value:,.0f}" if isinstance(value, int | float) else str(value)
