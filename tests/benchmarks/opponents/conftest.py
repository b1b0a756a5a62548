"""A space whose candidates' worth is a formula, and a real problem that is tiny."""

import math
from dataclasses import replace

import numpy as np
import pytest

from gatewright.benchmarks.opponents.arena import Arena
from gatewright.benchmarks.opponents.scale import Scale
from gatewright.cosim.search.evaluation import Evaluation, Infeasible
from gatewright.cosim.search.settings import SearchSettings
from gatewright.sw.search.space import SearchSpace

SHAPES = {"layer0.input": (128, 40), "layer0.recurrent": (128, 32), "head": (3, 32)}
SPACE = SearchSpace(
    SHAPES,
    {
        "layer0.rank": (4, 8, None),
        "layer0.bits": (2, 4, 8),
        "layer0.density": (0.25, 0.5, 1.0),
        "head.bits": (2, 4, 8),
    },
    lanes=4,
)
SHORTER = SPACE.changed({"layer0.hidden": (16, 24, 32)})
SECONDS = 2.0

TINY = Scale(
    trials=4,
    points=2,
    prune_epochs=2,
    quantise_epochs=1,
    super_epochs=1,
    gradient_epochs=4,
    aim=1.5,
    below=60.0,
    quick_below=100.0,
    equal=5.0,
    training={"hidden": 8, "epochs": 6, "batch": 16},
    scored=20,
    calibrated=16,
    lanes=8,
)


def worth(candidate):
    """Quality falls with the logarithm of what a candidate saves; low rank of 2 bits has no result."""
    if candidate["layer0.rank"] == 4 and candidate["layer0.bits"] == 2:
        return Infeasible("too small to be true")
    units = candidate.get("layer0.hidden", 32) / 32
    share = units * {4: 0.25, 8: 0.5, None: 1.0}[candidate["layer0.rank"]] * candidate["layer0.density"]
    bits = candidate["layer0.bits"] + candidate["head.bits"] / 8
    quality = 100 - 8 * (candidate["layer0.rank"] is not None) + math.log2(share * bits / 9)
    return Evaluation(
        score=quality,
        quality=quality,
        stored_bits=int(1000 * share * bits),
        cycles_predicted=100 * share * bits / 9,
        cycles_measured=None,
        macs=int(1000 * share),
        reward=0.0,
        seconds=SECONDS,
        integers_compared=0,
    )


@pytest.fixture
def arena():
    settings = SearchSettings(trials=30, rounds=1, target_cycles=20.0, target_bits=2000.0, measure=False)
    return Arena(SPACE, settings, worth)


@pytest.fixture
def shorter(arena):
    """The arena whose layers may keep some of their units."""
    return arena._replace(space=SHORTER, settings=replace(arena.settings, trials=100))


@pytest.fixture
def few(arena):
    return arena._replace(settings=replace(arena.settings, trials=12))


@pytest.fixture(scope="session")
def scale():
    return TINY


@pytest.fixture(scope="session")
def mine(tmp_path_factory):
    rng = np.random.default_rng(3)
    y = np.arange(90) % 3
    X = rng.normal(size=(90 * 6, 4)) + np.repeat(y, 6)[:, None]
    path = tmp_path_factory.mktemp("task") / "mine.npz"
    np.savez(path, X=X, y=y, lengths=np.full(90, 6))
    return str(path)
