"""Random models for an accelerator, described by few numbers, so that they can be written down and made smaller."""

import dataclasses
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from gatewright.cosim.workloads import random_bundle
from gatewright.errors import BundleError, CapacityError
from gatewright.hw.compiler import Mode, compile_bundle
from gatewright.hw.compiler.image import Compiled, Results
from gatewright.hw.config import AcceleratorConfig
from gatewright.sw.bundle import Bundle
from gatewright.sw.mode import POLICY

_CACHED = 256

Stored = Mode | Literal["solved"]
"""How the matrices of a model are stored."""


@dataclass(frozen=True)
class Recipe:
    """A random model and what it sends.

    Parameters
    ----------
    seed, inputs, hidden, classes, kept, unbalanced, lanes, layers, activation_bits, frac, weight_bits, rank, projection
        As `workloads.random_bundle` takes them.
    mode : "dense", "sparse" or "solved"
        How matrices are stored: as `compile_bundle` has it, or each in the form that is solved for it.
    hidden_results, logit_results : "none", "last" or "all"
        As `compile_bundle` takes them.
    """

    seed: int
    inputs: int
    hidden: int
    classes: int
    kept: int | None
    unbalanced: float | None
    lanes: int
    layers: int
    activation_bits: int
    frac: int
    weight_bits: tuple[int, int, int]
    rank: int | None
    projection: int | None
    mode: Stored = "dense"
    hidden_results: Results = "all"
    logit_results: Results = "none"

    def __post_init__(self):
        object.__setattr__(self, "weight_bits", tuple(self.weight_bits))

    def build(self, config: AcceleratorConfig) -> tuple[Bundle, Compiled]:
        """Make the model, and compile it for an accelerator.

        Raises
        ------
        BundleError, AccumulatorOverflowError, CapacityError, ConfigError
            Its numbers do not go together, or it does not fit.
        """
        return _build(self, config)


_SENT = ("mode", "hidden_results", "logit_results")


@lru_cache(maxsize=_CACHED)
def _bundle(recipe: Recipe) -> Bundle:
    options = dataclasses.asdict(recipe)
    return random_bundle(**{name: value for name, value in options.items() if name not in _SENT})


@lru_cache(maxsize=_CACHED)
def _build(recipe: Recipe, config: AcceleratorConfig) -> tuple[Bundle, Compiled]:
    bundle = _bundle(dataclasses.replace(recipe, **{name: getattr(Recipe, name) for name in _SENT}))
    compiled = compile_bundle(
        bundle,
        config,
        mode=POLICY if recipe.mode == "solved" else recipe.mode,
        hidden_results=recipe.hidden_results,
        logit_results=recipe.logit_results,
    )
    return bundle, compiled


def draw_recipe(config: AcceleratorConfig, rng: np.random.Generator, attempts: int = 1000) -> Recipe:
    """Draw a model that fits an accelerator.

    Raises
    ------
    CapacityError
        Of so many models none fits.
    """
    for _ in range(attempts):
        try:
            return _draw(config, rng)
        except (BundleError, CapacityError):
            continue
    raise CapacityError(f"none of {attempts} random models fits this accelerator: {config}")


def _draw(config: AcceleratorConfig, rng: np.random.Generator) -> Recipe:
    """Try one model.

    Raises
    ------
    BundleError, CapacityError
        Its numbers do not go together, or it does not fit.
    """

    def size(most: int) -> int:
        return int(rng.integers(1, most + 1))

    pattern = rng.choice(["full", "balanced", "unbalanced"])
    recipe = Recipe(
        int(rng.integers(1 << 32)),
        inputs=size(40),
        hidden=size(48),
        classes=int(rng.choice([0, 1, 3, 10, 30])),
        kept=int(rng.integers(1, 4)) if pattern == "balanced" else None,
        unbalanced=float(rng.uniform(0.3, 0.99)) if pattern == "unbalanced" else None,
        lanes=config.group_lanes,
        layers=int(rng.integers(1, 4)),
        activation_bits=config.activation_bits,
        frac=int(rng.integers(3, 10)),
        weight_bits=tuple(rng.choice([2, 4, 8], 3).tolist()),
        rank=size(16) if rng.random() < 0.4 else None,
        projection=size(24) if rng.random() < 0.3 else None,
    )
    # What the numbers rule out is refused before more is drawn.
    bundle = _bundle(recipe)
    hidden_results, logit_results = rng.choice(["none", "last", "all"], 2).tolist()
    if hidden_results == "none" and (logit_results == "none" or not bundle.head):
        hidden_results = "all"
    prunes = config.index_depth and pattern != "full"
    modes: tuple[Stored, ...] = ("sparse", "solved") if prunes else ("dense",)
    recipe = dataclasses.replace(
        recipe,
        mode=modes[int(rng.integers(len(modes)))],
        hidden_results=hidden_results,
        logit_results=logit_results,
    )
    recipe.build(config)
    return recipe
