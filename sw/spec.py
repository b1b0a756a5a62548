"""What a compressed model is to be: rank, bits and density of every product, and the hidden units of its layers."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from gatewright.errors import ConfigError

if TYPE_CHECKING:
    from gatewright.sw.network import LstmNetwork

Columns = Literal["equal", "contribution", "unstructured"]
"""How many weights a lane keeps in each column of a matrix: the same, or more where they contribute more.

``unstructured`` keeps the largest wherever they sit, as a baseline: lanes then wait for the fullest one.
"""

WEIGHT_BITS = (2, 4, 8)

ACTIVATION_BITS = (8, 16)

GATE_PRODUCTS = (".input", ".recurrent")
"""How the names of W_ih and W_hh end: the products whose rows are gates."""


@dataclass(frozen=True)
class ProductSpec:
    """What becomes of one product.

    Parameters
    ----------
    rank : int, optional
        Rank of the two factors that replace the matrix; None keeps the product as it is.
    bits : int
        Width of its weights, of both factors alike: 2, 4 or 8 bits.
    density : float
        Share of weights that it keeps, of each factor alike: above 0 to 1. The nearest that the lanes allow is taken.

    Raises
    ------
    ConfigError
        A value is outside its range.
    """

    rank: int | None = None
    bits: int = 8
    density: float = 1.0

    def __post_init__(self):
        if self.rank is not None and (
            isinstance(self.rank, bool) or not isinstance(self.rank, int) or self.rank < 1
        ):
            raise ConfigError(f"ProductSpec.rank must be a positive integer or None, not {self.rank!r}")
        if self.bits not in WEIGHT_BITS:
            raise ConfigError(f"ProductSpec.bits must be one of {WEIGHT_BITS}, not {self.bits!r}")
        if not isinstance(self.density, int | float) or not 0 < self.density <= 1:
            raise ConfigError(f"ProductSpec.density must be above 0 and at most 1, not {self.density!r}")


@dataclass(frozen=True)
class CompressionSpec:
    """What a network is compressed to; plain values, so that a search can set and a file keep it.

    Parameters
    ----------
    products : dict of ProductSpec
        By name, as `LstmNetwork.products` names them; every product of the network must be there.
    activation_bits : int
        Width of inputs, hidden values and what lies between two factors: 8 or 16 bits.
    lanes : int
        Lanes of one group that patterns are balanced for: a power of two from 4 to 512.
    columns : "equal", "contribution" or "unstructured"
        Weights of each column. Unequal counts need an accelerator with a column table, and cost an entry a column.
    hidden : dict of int
        Hidden units that a layer keeps, at least 1, by the layer's name (``layer0``): those that contribute most. A
        layer that is not named keeps all of them.

    Raises
    ------
    ConfigError
        A value is outside its range.
    """

    products: Mapping[str, ProductSpec]
    activation_bits: int = 8
    lanes: int = 32
    columns: Columns = "equal"
    hidden: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self):
        if self.activation_bits not in ACTIVATION_BITS:
            raise ConfigError(
                f"CompressionSpec.activation_bits must be 8 or 16, not {self.activation_bits!r}"
            )
        if self.lanes not in {1 << k for k in range(2, 10)}:
            raise ConfigError(
                f"CompressionSpec.lanes must be a power of two from 4 to 512, not {self.lanes!r}"
            )
        if self.columns not in get_args(Columns):
            raise ConfigError(
                f"CompressionSpec.columns must be one of {get_args(Columns)}, not {self.columns!r}"
            )
        for layer, units in self.hidden.items():
            if isinstance(units, bool) or not isinstance(units, int) or units < 1:
                raise ConfigError(
                    f"CompressionSpec.hidden must be positive integers, not {units!r} for {layer}"
                )
        object.__setattr__(self, "products", dict(self.products))
        object.__setattr__(self, "hidden", dict(self.hidden))

    def of(self, matrix: str) -> ProductSpec:
        """Give what becomes of a matrix, by its name in `LstmNetwork.matrices`: both factors share their product's."""
        return self.products[matrix.removesuffix(".first").removesuffix(".second")]

    def to_json(self) -> dict:
        """Give the specification as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict) -> "CompressionSpec":
        """Read what `to_json` gave.

        Raises
        ------
        ConfigError
            It is not a specification.
        """
        try:
            products = {name: ProductSpec(**each) for name, each in values["products"].items()}
            return cls(**{**values, "products": products})
        except (AttributeError, KeyError, TypeError) as error:
            raise ConfigError(f"not a compression specification (missing or wrong entry {error})") from error


def uniform_spec(
    network: "LstmNetwork",
    density: float = 1.0,
    bits: int = 8,
    lanes: int = 32,
    rank: int | None = None,
    activation_bits: int = 8,
    columns: Columns = "equal",
) -> CompressionSpec:
    """Ask the same of all products of a network; the head keeps all its weights.

    Parameters
    ----------
    network : LstmNetwork
    density : float
        Of all products but the head.
    bits : int
        Of all products.
    lanes, activation_bits, columns
        As `CompressionSpec` has them.
    rank : int, optional
        Of W_ih and W_hh where two factors of this rank have fewer weights than the matrix; others stay whole.
    """
    products = {}
    for name, product in network.products().items():
        gates = name.endswith(GATE_PRODUCTS)
        smaller = (
            rank is not None and rank * (product.rows + product.columns) < product.rows * product.columns
        )
        products[name] = ProductSpec(
            rank if gates and smaller else None, bits, 1.0 if name == "head" else density
        )
    return CompressionSpec(products, activation_bits, lanes, columns)
