"""The parameters of a search space: their names, what each decides, and its legal values."""

from collections.abc import Mapping
from math import ceil
from typing import Any, Literal, get_args

from gatewright.errors import ConfigError
from gatewright.sw.spec import ACTIVATION_BITS, GATE_PRODUCTS, ProductSpec

Value = int | float | str | None
"""A candidate value: bits, lanes, units, a density, a pattern, or a rank, where None keeps the matrix whole."""

Choices = Mapping[str, tuple[Value, ...]]
"""Candidate values by the names of parameters."""

Shapes = Mapping[str, tuple[int, int]]
"""Rows and columns of every product of a network, by name."""

Kind = Literal["rank", "bits", "density"]
"""What is chosen for products."""

HARDWARE = ("lanes", "groups", "cell_lanes")
"""What may be chosen of the accelerator: fields of `AcceleratorConfig`."""

NETWORK = "network"
"""The scope of a parameter that holds for all products."""

HIDDEN = "hidden"
"""The kind that is chosen for layers: how many hidden units they keep."""

WIDE = ("activation_bits", "columns")
"""The kinds that are chosen for the whole network only: fields of `CompressionSpec`."""

PATTERNS = ("equal", "contribution")
"""Candidate values of ``columns``."""

ACTIVATIONS = f"{NETWORK}.{WIDE[0]}"

CELL_LANES = "hardware.cell_lanes"


def scopes(name: str) -> list[str]:
    """Give the scopes that a product or a layer is in, from wide to narrow."""
    layer = name.partition(".")[0]
    return [NETWORK, layer] if layer == name else [NETWORK, layer, name]


def counts(kind: str, product: str) -> bool:
    """Tell whether a kind is chosen for a product: ranks for gate matrices, densities for all but the head."""
    match kind:
        case "rank":
            return product.endswith(GATE_PRODUCTS)
        case "density":
            return product != "head"
    return kind == "bits"


def removable_units(shapes: Shapes) -> dict[str, int]:
    """Give the hidden units of the layers that may lose some, by name: not those that are the model's outputs."""
    names = dict.fromkeys(name.partition(".")[0] for name in shapes if name != "head")
    units = {layer: shapes[f"{layer}.recurrent"][0] // 4 for layer in names}
    last = next(reversed(units))
    if "head" not in shapes and f"{last}.projection" not in shapes:
        del units[last]
    return units


def legal_names(shapes: Shapes) -> list[str]:
    """Name all parameters that a space of these products may have."""
    names: dict[str, None] = {}
    for product in shapes:
        able = [kind for kind in get_args(Kind) if counts(kind, product)]
        names |= dict.fromkeys(f"{scope}.{kind}" for scope in scopes(product) for kind in able)
    for layer in removable_units(shapes):
        names |= dict.fromkeys(f"{scope}.{HIDDEN}" for scope in scopes(layer))
    names |= dict.fromkeys(f"{NETWORK}.{kind}" for kind in WIDE)
    return sorted([*names, *(f"hardware.{kind}" for kind in HARDWARE)])


def cut_shapes(shapes: Shapes, hidden: Mapping[str, int]) -> Shapes:
    """Give the shapes of the products where some layers have fewer hidden units, by their names."""

    def units(layer: str) -> int:
        return hidden.get(layer, shapes[f"{layer}.recurrent"][0] // 4)

    def outputs(layer: str) -> int:
        projection = shapes.get(f"{layer}.projection")
        return units(layer) if projection is None else projection[0]

    cut, below = {}, None
    for name, (rows, columns) in shapes.items():
        layer, _, kind = name.partition(".")
        match kind:
            case "input":
                taken = columns if below is None else outputs(below)
                cut[name] = 4 * units(layer), taken
                below = layer
            case "recurrent":
                cut[name] = 4 * units(layer), outputs(layer)
            case "projection":
                cut[name] = rows, units(layer)
            case _:
                cut[name] = rows, columns if below is None else outputs(below)
    return cut


def pays(rank: Value, rows: int, columns: int) -> bool:
    """Tell whether two factors of a rank have fewer weights than the whole matrix."""
    return isinstance(rank, int) and rank * (rows + columns) < rows * columns


def worth_having(ranks: tuple[Value, ...], shapes: list[tuple[int, int]]) -> tuple[Value, ...]:
    """Give the ranks that pay for some matrix, and the whole in place of those that do not."""
    paying = tuple(rank for rank in ranks if any(pays(rank, *shape) for shape in shapes))
    return paying if len(paying) == len(ranks) else (*paying, None)


def possible_units(counts: tuple[Value, ...], most: int) -> tuple[Value, ...]:
    """Give the numbers of units that a layer can keep, and all of them in place of larger ones."""
    fewer = tuple(count for count in counts if isinstance(count, int) and count < most)
    return fewer if len(fewer) == len(counts) else (*fewer, most)


def units_kept(share: float, units: int, lanes: int) -> int:
    """Return a share of a layer's hidden units, rounded up to whole quads of lanes, but at most all."""
    quads = max(1, lanes // 4)
    return min(units, quads * ceil(share * units / quads))


def ordered(values: tuple[Value, ...]) -> tuple[Value, ...]:
    """Sort values from small to large: a whole matrix is the largest rank, and patterns have the order of theirs."""

    def place(value: Value) -> tuple[bool, float]:
        if isinstance(value, str):
            return False, float(PATTERNS.index(value)) if value in PATTERNS else -1.0
        return value is None, value or 0.0

    return tuple(sorted(values, key=place))


def check_values(name: str, values: tuple[Value, ...], shapes: Shapes) -> None:
    """Refuse values that a parameter cannot have.

    Raises
    ------
    ConfigError
        There is none, one comes twice, or one is not legal; the text names the parameter.
    """
    if not values or len(set(values)) < len(values):
        raise ConfigError(f"the values of {name} must be at least one and all different, not {values}")
    scope, _, kind = name.rpartition(".")
    for value in values:
        try:
            if kind in get_args(Kind):
                chosen: dict[str, Any] = {kind: value}
                ProductSpec(**chosen)
                continue
        except ConfigError as error:
            raise ConfigError(f"a value of {name} is not legal: {error}") from None
        if problem := _problem(scope, kind, value, shapes):
            raise ConfigError(f"a value of {name} is not legal: it must be {problem}, not {value!r}")


def _problem(scope: str, kind: str, value: Value, shapes: Shapes) -> str:
    """Say what a value must be, where it is something else; nothing where it is legal."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if kind == "columns":
        return "" if value in PATTERNS else " or ".join(PATTERNS)
    if kind == "activation_bits":
        return "" if whole and value in ACTIVATION_BITS else " or ".join(map(str, ACTIVATION_BITS))
    if kind == HIDDEN:
        units = removable_units(shapes)
        most = max(units.values()) if scope == NETWORK else units[scope]
        return (
            "" if isinstance(value, int) and whole and 1 <= value <= most else f"an integer from 1 to {most}"
        )
    power = isinstance(value, int) and whole and value > 0 and not value & (value - 1)
    return "" if power else "a power of two"
