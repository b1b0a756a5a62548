"""Figures as people read them."""


def percent(share: float) -> str:
    """Write a share as a percentage without needless digits: 0.125 becomes ``12.5 %``."""
    return f"{100 * share:.4g}\N{NO-BREAK SPACE}%"


def number(value: float | None, digits: int = 0) -> str:
    """Write a figure with thousands separators; a dash where there is none."""
    return "–" if value is None else f"{value:,.{digits}f}"


def amount(value: float) -> str:
    """Write a figure with thousands separators and no needless digits: 250000.0 becomes ``250,000``."""
    return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"
