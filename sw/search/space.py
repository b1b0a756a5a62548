"""What a search may choose: ranks, widths and densities of products, and the hardware's parallelism."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import prod
from random import Random
from typing import TYPE_CHECKING, Any, Literal, get_args

from gatewright.errors import ConfigError
from gatewright.sw.spec import GATE_PRODUCTS, WEIGHT_BITS, Columns, CompressionSpec, ProductSpec

if TYPE_CHECKING:
    from gatewright.sw.network import LstmNetwork

Value = int | float | None
"""A candidate value: bits, lanes, a density, or a rank, where None keeps the matrix whole."""

Candidate = dict[str, Value]
"""One value for every parameter of a space."""

Kind = Literal["rank", "bits", "density"]
"""What is chosen for products."""

Granularity = Literal["network", "matrix"]
"""One rank for the network and bits and density for each layer, as the source of the search states it; or all three
for each matrix."""

HARDWARE = ("lanes", "groups", "cell_lanes")
"""What may be chosen of the accelerator: fields of `AcceleratorConfig`."""

NETWORK = "network"
"""The scope of a parameter that holds for all products."""

RANKS = (4, 8, 16, 32, 64, None)
DENSITIES = (0.0625, 0.125, 0.25, 0.5, 1.0)

_WHOLE: dict[Kind, Value] = {"rank": None, "bits": max(WEIGHT_BITS), "density": 1.0}


@dataclass(frozen=True)
class SearchSpace:
    """Candidate values of every parameter.

    A parameter is named ``scope.kind``: the scope is ``network``, a layer (``layer0``), or a product
    (``layer0.recurrent``, ``head``); the narrowest scope counts. Parameters of the hardware are named
    ``hardware.lanes`` and so on. What is not chosen keeps its matrix whole, 8 bits and all weights.

    Parameters
    ----------
    shapes : dict of (rows, columns)
        Every product of the network, by name.
    choices : dict of tuples
        Candidate values of every parameter, from small to large.
    lanes : int
        Lanes of one group that patterns are balanced for, where the hardware is not searched.
    activation_bits : int
    columns : Columns
        As `CompressionSpec` has them.

    Raises
    ------
    ConfigError
        A parameter's name or a value is not legal; the text names it.
    """

    shapes: Mapping[str, tuple[int, int]]
    choices: Mapping[str, tuple[Value, ...]]
    lanes: int = CompressionSpec.lanes
    activation_bits: int = CompressionSpec.activation_bits
    columns: Columns = CompressionSpec.columns

    def __post_init__(self):
        shapes = {name: (int(rows), int(columns)) for name, (rows, columns) in self.shapes.items()}
        object.__setattr__(self, "shapes", shapes)
        object.__setattr__(self, "choices", {name: tuple(values) for name, values in self.choices.items()})
        for name, values in self.choices.items():
            self._check(name, values)

    @classmethod
    def of(
        cls,
        network: "LstmNetwork",
        granularity: Granularity = "network",
        *,
        ranks: tuple[Value, ...] = RANKS,
        bits: tuple[Value, ...] = WEIGHT_BITS,
        densities: tuple[Value, ...] = DENSITIES,
        lanes: int = CompressionSpec.lanes,
        activation_bits: int = CompressionSpec.activation_bits,
        columns: Columns = CompressionSpec.columns,
        hardware: Mapping[str, tuple[Value, ...]] | None = None,
    ) -> "SearchSpace":
        """Give the space of a network: the head is never factorised or pruned, as it is small.

        Ranks whose two factors have no fewer weights than the whole matrix are left to that.

        Parameters
        ----------
        network : LstmNetwork
        granularity : "network" or "matrix"
        ranks, bits, densities : tuples
            Candidate values.
        lanes, activation_bits, columns
            As the space has them.
        hardware : dict of tuples, optional
            Candidate values of `HARDWARE`, by their names there.
        """
        shapes = {name: (each.rows, each.columns) for name, each in network.products().items()}
        gates = [name for name in shapes if name.endswith(GATE_PRODUCTS)]
        choices: dict[str, tuple[Value, ...]] = {}
        if granularity == "network":
            choices[f"{NETWORK}.rank"] = _worth_having(ranks, [shapes[name] for name in gates])
            pruned = list(dict.fromkeys(_scopes(name)[1] for name in shapes if name != "head"))
        else:
            choices |= {f"{name}.rank": _worth_having(ranks, [shapes[name]]) for name in gates}
            pruned = [name for name in shapes if name != "head"]
        widths = pruned + [name for name in shapes if name == "head"]
        choices |= {f"{scope}.bits": bits for scope in widths}
        choices |= {f"{scope}.density": densities for scope in pruned}
        choices |= {f"hardware.{name}": values for name, values in (hardware or {}).items()}
        return cls(shapes, choices, lanes, activation_bits, columns)

    @property
    def size(self) -> int:
        """Number of candidates."""
        return prod(len(values) for values in self.choices.values())

    @property
    def largest(self) -> Candidate:
        """The candidate with the largest of every parameter's values: the last."""
        return {name: values[-1] for name, values in self.choices.items()}

    @property
    def smallest(self) -> Candidate:
        """The candidate with the smallest of every parameter's values: the first."""
        return {name: values[0] for name, values in self.choices.items()}

    def sample(self, random: Random) -> Candidate:
        """Draw a candidate, every value with the same probability."""
        return {name: random.choice(values) for name, values in self.choices.items()}

    def fixed(self, values: Candidate) -> "SearchSpace":
        """Give the space in which some parameters have one candidate value only."""
        choices = {**self.choices, **{name: (value,) for name, value in values.items()}}
        return SearchSpace(self.shapes, choices, self.lanes, self.activation_bits, self.columns)

    def spec(self, candidate: Candidate) -> CompressionSpec:
        """Give the specification of a candidate.

        A rank counts for gate matrices, and where two factors of it have fewer weights than the whole; a density counts
        for all but the head.

        Raises
        ------
        ConfigError
            The candidate lacks a parameter, or has a value that the space does not.
        """
        for name, values in self.choices.items():
            if name not in candidate or candidate[name] not in values:
                raise ConfigError(f"{name} must be one of {values}, not {candidate.get(name, 'missing')!r}")
        products = {}
        for name, (rows, columns) in self.shapes.items():
            rank, bits, density = (self._chosen(candidate, name, kind) for kind in get_args(Kind))
            factors = _pays(rank, rows, columns) and name.endswith(GATE_PRODUCTS)
            products[name] = ProductSpec(rank if factors else None, bits, 1.0 if name == "head" else density)
        return CompressionSpec(products, self.activation_bits, self._group_lanes(candidate), self.columns)

    def parameter(self, product: str, kind: Kind) -> str | None:
        """Name the parameter that chooses a kind for a product: that of its narrowest scope; None if none does."""
        names = (f"{scope}.{kind}" for scope in reversed(_scopes(product)))
        return next((name for name in names if name in self.choices), None)

    def hardware(self, candidate: Candidate) -> dict[str, int]:
        """Give the fields of `AcceleratorConfig` that a candidate chooses."""
        chosen = {name: candidate.get(f"hardware.{name}") for name in HARDWARE}
        return {name: value for name, value in chosen.items() if isinstance(value, int)}

    def to_json(self) -> dict:
        """Give the space as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict) -> "SearchSpace":
        """Read what `to_json` gave.

        Raises
        ------
        ConfigError
            It is not a space.
        """
        try:
            return cls(**values)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"not a search space (missing or wrong entry {error})") from error

    def _chosen(self, candidate: Candidate, product: str, kind: Kind):
        name = self.parameter(product, kind)
        return _WHOLE[kind] if name is None else candidate[name]

    def _group_lanes(self, candidate: Candidate) -> int:
        hardware = self.hardware(candidate)
        return hardware["lanes"] // hardware.get("groups", 1) if "lanes" in hardware else self.lanes

    def _check(self, name: str, values: tuple[Value, ...]) -> None:
        scope, _, kind = name.rpartition(".")
        legal = {"hardware": HARDWARE} | {
            scope: get_args(Kind) for product in self.shapes for scope in _scopes(product)
        }
        if kind not in legal.get(scope, ()):
            names = sorted(f"{scope}.{kind}" for scope, kinds in legal.items() for kind in kinds)
            raise ConfigError(
                f"{name!r} is no parameter of this space; its parameters are {', '.join(names)}"
            )
        if not values or len(set(values)) < len(values):
            raise ConfigError(f"the values of {name} must be at least one and all different, not {values}")
        for value in values:
            try:
                _check_value(kind, value)
            except ConfigError as error:
                raise ConfigError(f"a value of {name} is not legal: {error}") from None


def _pays(rank: Value, rows: int, columns: int) -> bool:
    """Tell whether two factors of a rank have fewer weights than the whole matrix."""
    return rank is not None and rank * (rows + columns) < rows * columns


def _worth_having(ranks: tuple[Value, ...], shapes: list[tuple[int, int]]) -> tuple[Value, ...]:
    """Give the ranks that pay for some matrix, and the whole in place of those that do not."""
    paying = tuple(rank for rank in ranks if any(_pays(rank, *shape) for shape in shapes))
    return paying if len(paying) == len(ranks) else (*paying, None)


def _check_value(kind: str, value: Value) -> None:
    if kind in get_args(Kind):
        chosen: dict[str, Any] = {kind: value}
        ProductSpec(**chosen)
    elif isinstance(value, bool) or not isinstance(value, int) or value < 1 or value & (value - 1):
        raise ConfigError(f"it must be a power of two, not {value!r}")


def _scopes(product: str) -> list[str]:
    """Give the scopes that a product is in, from wide to narrow."""
    layer = product.partition(".")[0]
    return [NETWORK, layer] if layer == product else [NETWORK, layer, product]
