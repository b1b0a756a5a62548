"""What a search may choose: units of layers, ranks, widths and densities of products, and the hardware."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from math import prod
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Literal, get_args

from gatewright.errors import ConfigError
from gatewright.sw.search.choices import read_choices
from gatewright.sw.search.distinct import Key, model_key
from gatewright.sw.search.parameters import (
    ACTIVATIONS,
    HARDWARE,
    HIDDEN,
    NETWORK,
    WIDE,
    Choices,
    Kind,
    Shapes,
    Value,
    check_values,
    counts,
    cut_shapes,
    legal_names,
    ordered,
    pays,
    possible_units,
    removable_units,
    scopes,
    units_kept,
    worth_having,
)
from gatewright.sw.spec import GATE_PRODUCTS, WEIGHT_BITS, Columns, CompressionSpec, ProductSpec

if TYPE_CHECKING:
    from gatewright.sw.network import LstmNetwork

Candidate = dict[str, Value]
"""One value for every parameter of a space."""

Granularity = Literal["network", "matrix"]
"""One rank for the network and bits and density for each layer, as the source of the search states it; or all three
for each matrix."""

RANKS = (4, 8, 16, 32, 64, None)
DENSITIES = (0.0625, 0.125, 0.25, 0.5, 1.0)
HIDDEN_SHARES = (0.125, 0.25, 0.375, 0.5, 0.75, 1.0)
"""Small enough that the found front of a study does not sit on the fewest units."""

_WHOLE: dict[Kind, Value] = {"rank": None, "bits": max(WEIGHT_BITS), "density": 1.0}


@dataclass(frozen=True)
class SearchSpace:
    """Candidate values of every parameter.

    A parameter is named ``scope.kind``. The scope of a rank, of bits and of a density is ``network``, a layer
    (``layer0``), or a product (``layer0.recurrent``, ``head``); that of ``hidden``, the units that a layer keeps, is
    ``network`` or a layer; the narrowest scope counts. ``network.activation_bits`` and ``network.columns`` hold for
    all, and parameters of the hardware are named ``hardware.lanes`` and so on. What is not chosen keeps all units, its
    matrix whole, 8 bits and all weights.

    Parameters
    ----------
    shapes : dict of (rows, columns)
        Every product of the network, by name.
    choices : dict of tuples
        Candidate values of every parameter, from small to large.
    lanes : int
        Lanes of one group that patterns are balanced for, where the hardware is not searched.
    activation_bits, columns
        As `CompressionSpec` has them, where they are not searched.

    Raises
    ------
    ConfigError
        A parameter's name or a value is not legal, or a parameter decides nothing; the text names it.
    """

    shapes: Shapes
    choices: Choices
    lanes: int = CompressionSpec.lanes
    activation_bits: int = CompressionSpec.activation_bits
    columns: Columns = CompressionSpec.columns

    def __post_init__(self):
        shapes = {name: (int(rows), int(columns)) for name, (rows, columns) in self.shapes.items()}
        object.__setattr__(self, "shapes", shapes)
        object.__setattr__(self, "choices", {name: tuple(values) for name, values in self.choices.items()})
        legal = legal_names(shapes)
        for name, values in self.choices.items():
            if name not in legal:
                raise ConfigError(
                    f"{name!r} is no parameter of this space; its parameters are {', '.join(legal)}"
                )
            check_values(name, values, shapes)
            if not self._decides(name):
                raise ConfigError(
                    f"{name} decides nothing: narrower parameters choose for all that it is for"
                )

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
        hardware: Choices | None = None,
        hidden: tuple[float, ...] = (),
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
        hidden : tuple of float
            Shares of the hidden units that a layer may keep, those that contribute most; up to whole quads of lanes,
            which stay busy. Empty keeps all.
        """
        shapes = {name: (each.rows, each.columns) for name, each in network.products().items()}
        gates = [name for name in shapes if name.endswith(GATE_PRODUCTS)]
        choices: dict[str, tuple[Value, ...]] = {}
        if granularity == "network":
            choices[f"{NETWORK}.rank"] = worth_having(ranks, [shapes[name] for name in gates])
            pruned = list(dict.fromkeys(scopes(name)[1] for name in shapes if name != "head"))
        else:
            choices |= {f"{name}.rank": worth_having(ranks, [shapes[name]]) for name in gates}
            pruned = [name for name in shapes if name != "head"]
        widths = pruned + [name for name in shapes if name == "head"]
        choices |= {f"{scope}.bits": bits for scope in widths}
        choices |= {f"{scope}.density": densities for scope in pruned}
        for layer, units in removable_units(shapes).items() if hidden else ():
            kept = {units_kept(share, units, lanes) for share in hidden}
            if len(kept) > 1:
                choices[f"{layer}.{HIDDEN}"] = tuple(sorted(kept))
        choices |= {f"hardware.{name}": values for name, values in (hardware or {}).items()}
        return cls(shapes, choices, lanes, activation_bits, columns)

    @classmethod
    def read(
        cls,
        source: Path | Mapping[str, Any] | Iterable[str],
        network: "LstmNetwork",
        granularity: Granularity = "network",
        *,
        lanes: int = CompressionSpec.lanes,
        activation_bits: int = CompressionSpec.activation_bits,
        columns: Columns = CompressionSpec.columns,
    ) -> "SearchSpace":
        """Give the space of a network with candidate values of the user's own; takes and raises what these do.

        `choices.read_choices` takes the source, `of` the rest, and `changed` what was read.
        """
        space = cls.of(network, granularity, lanes=lanes, activation_bits=activation_bits, columns=columns)
        return space.changed(read_choices(source))

    def changed(self, choices: Choices) -> "SearchSpace":
        """Give the space with other candidate values of some parameters, or with more parameters.

        Parameters
        ----------
        choices : dict of tuples
            By name. A wide scope takes the place of the narrower ones of its kind. A name without a scope stands for
            all parameters of its kind that the space has: ``bits`` for ``layer0.bits`` and ``head.bits``, ``hidden``
            for those of all layers whose units may go; values that a matrix or a layer cannot have are left to the
            whole one.

        Raises
        ------
        ConfigError
            A name or a value is not legal.
        """
        made = dict(self.choices)
        for name, given in choices.items():
            values, (scope, _, kind) = ordered(tuple(given)), name.rpartition(".")
            for parameter in self._meant(name):
                owner = parameter.rpartition(".")[0]
                if not scope and kind == "rank":
                    made[parameter] = worth_having(
                        values, [self.shapes[each] for each in self._under(parameter)]
                    )
                elif not scope and kind == HIDDEN and owner in self.layers:
                    made[parameter] = possible_units(values, self.layers[owner])
                else:
                    narrow = [
                        each for each in made if each.endswith(f".{kind}") and owner in scopes(_owner(each))
                    ]
                    made = {
                        each: kept for each, kept in made.items() if each not in narrow or each == parameter
                    }
                    made[parameter] = values
        return replace(self, choices=made)

    @property
    def layers(self) -> dict[str, int]:
        """Hidden units of the layers that may lose some, by the layer's name."""
        return removable_units(self.shapes)

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

    @property
    def one_configuration(self) -> bool:
        """Whether all candidates share an accelerator: nothing of it is chosen, nor the width of activations."""
        return not any(name == ACTIVATIONS or _owner(name) == "hardware" for name in self.choices)

    def sample(self, random: Random) -> Candidate:
        """Draw a candidate, every value with the same probability."""
        return {name: random.choice(values) for name, values in self.choices.items()}

    def fixed(self, values: Candidate) -> "SearchSpace":
        """Give the space in which some parameters have one candidate value only."""
        return replace(self, choices={**self.choices, **{name: (value,) for name, value in values.items()}})

    def spec(self, candidate: Candidate) -> CompressionSpec:
        """Give the specification of a candidate.

        A rank counts for gate matrices, and where two factors of it have fewer weights than the whole; a density counts
        for all but the head.

        Raises
        ------
        ConfigError
            The candidate lacks a parameter, or has a value that the space does not.
        """
        self.check(candidate)
        hidden = self._hidden(candidate)
        products = {}
        for name, (rows, columns) in cut_shapes(self.shapes, hidden).items():
            rank, bits, density = (self._chosen(candidate, name, kind) for kind in get_args(Kind))
            factors = counts("rank", name) and pays(rank, rows, columns)
            products[name] = ProductSpec(
                rank if factors else None, bits, density if counts("density", name) else 1.0
            )
        wide: dict[str, Any] = {
            kind: candidate.get(f"{NETWORK}.{kind}", getattr(self, kind)) for kind in WIDE
        }
        return CompressionSpec(products, lanes=self._group_lanes(candidate), hidden=hidden, **wide)

    def check(self, candidate: Candidate) -> None:
        """Refuse what is no candidate of the space.

        Raises
        ------
        ConfigError
            It lacks a parameter, or has a value that the space does not.
        """
        for name, values in self.choices.items():
            if name not in candidate or candidate[name] not in values:
                raise ConfigError(f"{name} must be one of {values}, not {candidate.get(name, 'missing')!r}")

    @property
    def uncompressed(self) -> CompressionSpec:
        """The whole model in 8 bits, with the narrowest activations."""
        activations: Any = self.smallest.get(ACTIVATIONS, self.activation_bits)
        products = {name: ProductSpec() for name in self.shapes}
        return CompressionSpec(products, activations, self._group_lanes(self.largest), self.columns)

    def key(self, candidate: Candidate) -> Key:
        """Give what tells a candidate from others: equal where they are one model on one accelerator.

        Raises
        ------
        ConfigError
            As `spec` does.
        """
        return self._key(self.spec(candidate), candidate)

    @property
    def uncompressed_key(self) -> Key:
        """The key of candidates that are the uncompressed model, on the hardware of the largest candidate."""
        return self._key(self.uncompressed, self.largest)

    def parameter(self, name: str, kind: str) -> str | None:
        """Name the parameter that chooses a kind for a product or a layer: its narrowest scope's; None if none does."""
        names = (f"{scope}.{kind}" for scope in reversed(scopes(name)))
        return next((each for each in names if each in self.choices), None)

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

    def _decides(self, name: str) -> bool:
        """Tell whether a parameter chooses for anything."""
        scope, _, kind = name.rpartition(".")
        if scope == "hardware" or kind in WIDE:
            return True
        able = self.layers if kind == HIDDEN else [each for each in self.shapes if counts(kind, each)]
        return any(self.parameter(each, kind) == name for each in able)

    def _under(self, parameter: str) -> list[str]:
        """Name the products that are in a parameter's scope, and that its kind is chosen for."""
        scope, _, kind = parameter.rpartition(".")
        return [name for name in self.shapes if counts(kind, name) and scope in scopes(name)]

    def _meant(self, name: str) -> list[str]:
        """Give the parameters that a name stands for, which may lack its scope."""
        if "." in name:
            return [name]
        if name in HARDWARE:
            return [f"hardware.{name}"]
        if name == HIDDEN:
            return [f"{layer}.{HIDDEN}" for layer in self.layers] or [f"{NETWORK}.{HIDDEN}"]
        return [each for each in self.choices if each.endswith(f".{name}")] or [f"{NETWORK}.{name}"]

    def _hidden(self, candidate: Candidate) -> dict[str, int]:
        """Give the units of the layers that keep fewer than they have; a choice for the network may be of more."""
        hidden = {}
        for layer, units in self.layers.items():
            name = self.parameter(layer, HIDDEN)
            value = units if name is None else candidate[name]
            if isinstance(value, int) and value < units:
                hidden[layer] = value
        return hidden

    def _chosen(self, candidate: Candidate, product: str, kind: Kind):
        name = self.parameter(product, kind)
        return _WHOLE[kind] if name is None else candidate[name]

    def _key(self, spec: CompressionSpec, candidate: Candidate) -> Key:
        return model_key(spec, self.shapes), tuple(sorted(self.hardware(candidate).items()))

    def _group_lanes(self, candidate: Candidate) -> int:
        hardware = self.hardware(candidate)
        return hardware["lanes"] // hardware.get("groups", 1) if "lanes" in hardware else self.lanes


def _owner(parameter: str) -> str:
    return parameter.rpartition(".")[0]
