"""Cycles in the units of a user: the clock that turns them into time, and what each layer does in a step."""

from dataclasses import dataclass

from gatewright.clock import Clock
from gatewright.reports.resources import Synthesis
from gatewright.results import Rows

_WORK = ("layer_cycles", "words_read", "words_written", "products", "useful_products")


@dataclass(frozen=True)
class LayerWork:
    """What a layer, or the head, does in a steady step without skipped zeros.

    Parameters
    ----------
    name : str
    cycles : float
        In which the lanes have its weights.
    read, written : float
        Words of memories.
    products, useful : float
        Multiplications, and those whose weight is not zero.
    """

    name: str
    cycles: float
    read: float
    written: float
    products: float
    useful: float


def read_clock(build: Rows, synthesis: Synthesis | None) -> Clock | None:
    """Return the clock that placement met on the first device; else the one that the build asked for, if rows tell."""
    for placement in synthesis.placements if synthesis else ():
        return Clock(placement.median, f"met on {placement.device}, placed and routed (an estimate)")
    asked = build.value("clock")
    return Clock(asked, "asked for") if asked else None


def read_layers(rows: Rows) -> dict[tuple[str, str], list[LayerWork]]:
    """Return what each layer does, by name and mode of the compiled model."""
    found: dict[tuple[str, str], list[LayerWork]] = {}
    for (model, mode, layer), values in rows.collect(_WORK, "model", "mode", "layer").items():
        found.setdefault((model, mode), []).append(LayerWork(layer, *(values[name] for name in _WORK)))
    return found
