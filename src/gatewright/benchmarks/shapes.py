"""What `gatewright bench hw` measures: shapes of models, and the ways in which each is compressed and fed."""

from dataclasses import dataclass, replace

from gatewright.cosim.workloads import random_bundle
from gatewright.hw.compiler import Mode
from gatewright.sw.bundle import Bundle
from gatewright.sw.rows import gate_rows


@dataclass(frozen=True)
class Shape:
    """A model, and the accelerator that it runs on.

    Parameters
    ----------
    name : str
    inputs, hidden, classes : int
        Elements of x, of h and of the logits; 0 classes make a model without a head, whose last output vector is sent.
    lanes, cell_lanes : int
        As in `AcceleratorConfig`.
    projection : int, optional
        Elements of the projection y, where there is one.
    steps : int
        Length of the sequence.
    layers : int
        LSTM layers, all of the same size.
    """

    name: str
    inputs: int
    hidden: int
    lanes: int
    cell_lanes: int = 2
    classes: int = 0
    projection: int | None = None
    steps: int = 50
    layers: int = 1


@dataclass(frozen=True)
class Case:
    """A shape with what is done to its model and its inputs.

    Parameters
    ----------
    shape : Shape
    sparse : bool
        Gate matrices keep an eighth of their weights, balanced over the lanes, and are stored in sparse mode; else
        everything is dense.
    weight_bits : int
        2, 4 or 8 bits.
    rank : int, optional
        Makes W_ih and W_hh low-rank products.
    zeros : float
        Share of x that is exactly zero; above 0, zero activations are skipped.
    baseline : Case, optional
        What the case is compared with.
    """

    shape: Shape
    sparse: bool = False
    weight_bits: int = 8
    rank: int | None = None
    zeros: float = 0.0
    baseline: "Case | None" = None

    @property
    def mode(self) -> Mode:
        """Mode that the model is stored in."""
        return "sparse" if self.sparse else "dense"

    @property
    def skip(self) -> bool:
        """Whether zero activations are skipped."""
        return self.zeros > 0

    def bundle(self, seed: int) -> Bundle:
        """Make the model, with random weights."""
        shape = self.shape
        _, row = gate_rows(shape.hidden, shape.lanes)
        return random_bundle(
            seed,
            inputs=shape.inputs,
            hidden=shape.hidden,
            classes=shape.classes,
            projection=shape.projection,
            kept=max(1, (int(row.max()) + 1) // 8) if self.sparse else None,
            lanes=shape.lanes,
            layers=shape.layers,
            weight_bits=self.weight_bits,
            rank=self.rank,
        )


DIGITS = Shape("digits", 13, 128, lanes=32, classes=10)
MIDDLE = Shape("64 → 128", 64, 128, lanes=32)

_PLAIN = (
    DIGITS,
    Shape("64 → 256", 64, 256, lanes=64),
    MIDDLE,
    Shape("64 → 64", 64, 64, lanes=16),
    Shape("16 → 16", 16, 16, lanes=8),
    Shape("hls4ml top tagging", 6, 20, lanes=16, steps=20),
    Shape("elastic-ai", 1, 20, lanes=4, cell_lanes=1),
)


def _both_modes(*shapes: Shape) -> tuple[Case, ...]:
    return tuple(Case(shape, sparse) for shape in shapes for sparse in (False, True))


def _against(baseline: Case, field: str, values: tuple) -> tuple[Case, ...]:
    return baseline, *(replace(baseline, **{field: value}, baseline=baseline) for value in values)


CASES: tuple[Case, ...] = tuple(
    dict.fromkeys(
        (
            *_both_modes(*_PLAIN),
            *_against(Case(MIDDLE), "weight_bits", (4, 2)),
            *_against(Case(Shape("128 → 128", 128, 128, lanes=16)), "rank", (8, 16, 32, 64)),
            *_against(Case(Shape("128 → 128", 128, 128, lanes=32)), "rank", (8, 16, 32, 64)),
            *_against(Case(MIDDLE), "zeros", (0.25, 0.5, 0.75, 0.9)),
            *_against(Case(MIDDLE, sparse=True), "zeros", (0.25, 0.5, 0.75, 0.9)),
        )
    )
)
"""What takes seconds to simulate, each once."""

LARGE: tuple[Case, ...] = (Case(Shape("ESE LSTMP", 153, 1024, lanes=64, projection=512), sparse=True),)
"""What takes minutes, sparse only."""

WIDE: tuple[Case, ...] = (Case(Shape("Spartus", 123, 1024, lanes=512), sparse=True),)
"""Hundreds of lanes: what takes minutes to build and minutes to load, sparse only."""
