"""Latency in seconds and in cycles, and limits as a user writes them."""

import re
from collections.abc import Iterable
from dataclasses import fields

from gatewright.cosim.search.settings import Limits
from gatewright.errors import ConfigError

_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def cycles_of(latency: str, megahertz: float) -> float:
    """Give the cycles per step that a latency per step has room for.

    Parameters
    ----------
    latency : str
        A number with its unit: ``50us``, ``1.5 ms``, ``800ns``.
    megahertz : float
        Clock frequency, above 0.

    Raises
    ------
    ConfigError
        The latency has another form or is not above 0, or the frequency is not.
    """
    found = re.fullmatch(r"\s*([0-9.]+(?:e-?[0-9]+)?)\s*([a-zµ]+)\s*", latency)
    try:
        seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    except (KeyError, ValueError):
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ConfigError(
            f"a latency must be a number above 0 with its unit ({', '.join(_UNITS)}), such as 50us, not {latency!r}"
        )
    if not 0 < megahertz < float("inf"):
        raise ConfigError(f"a clock must be above 0 MHz, not {megahertz!r}")
    return seconds * megahertz * 1e6


def limits_of(lines: Iterable[str], megahertz: float) -> Limits:
    """Read limits, each a name of `Limits`, or ``latency``, an equals sign and a value.

    Raises
    ------
    ConfigError
        A line has another form, a name comes twice, or a value is not legal.
    """
    kinds = {field.name: int if "int" in str(field.type) else float for field in fields(Limits)}
    limits: dict[str, float] = {}
    for line in lines:
        name, _, text = (part.strip() for part in line.partition("="))
        try:
            value = cycles_of(text, megahertz) if name == "latency" else kinds[name](text)
        except (KeyError, ValueError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(
                f"a limit must be written as cycles=500; there are latency, {', '.join(kinds)}; not {line!r}"
            ) from None
        name = "cycles" if name == "latency" else name
        if name in limits:
            raise ConfigError(f"{name} is limited twice")
        limits[name] = value
    return Limits(**limits)  # type: ignore[arg-type]
