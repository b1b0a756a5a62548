"""Ranges that narrow, of candidates that are made up and of a tiny model."""

from functools import partial

import pytest
import studies

from gatewright.benchmarks.compare import Tried
from gatewright.benchmarks.narrowing import NARROWED, WHOLE, bench_narrowing, joined, narrowed
from gatewright.benchmarks.opponents.scale import Scale
from gatewright.cosim.search.evaluation import Evaluation
from gatewright.results import Rows
from gatewright.sw.search.space import SearchSpace

SHAPES = {"layer0.input": (128, 40), "layer0.recurrent": (128, 32), "head": (3, 32)}
SPACE = SearchSpace(
    SHAPES,
    {
        "layer0.input.rank": (4, 8, 16, None),
        "layer0.recurrent.rank": (4, 8, 16, None),
        "layer0.recurrent.bits": (2, 4, 8),
        "layer0.recurrent.density": (0.25, 1.0),
    },
    lanes=8,
)
SCALE = Scale(
    trials=6,
    points=1,
    prune_epochs=2,
    quantise_epochs=0,
    super_epochs=1,
    gradient_epochs=4,
    aim=1.5,
    below=60.0,
    quick_below=100.0,
    equal=5.0,
    training={"hidden": 8, "epochs": 4, "batch": 16, "noise": 0.1},
    calibrated=8,
    lanes=8,
)


def tried(**values):
    named = {f"layer0.{name.replace('_', '.')}": value for name, value in values.items()}
    return Tried(SPACE.largest | named, Evaluation(90, 90, 1, 1.0, None, 1, 0.0, 0.0, 0), 0.0)


def test_ranges_reach_from_the_least_to_the_largest_with_ranks_between():
    best = [
        tried(input_rank=8, recurrent_rank=8, recurrent_bits=2),
        tried(input_rank=8, recurrent_rank=None, recurrent_bits=4),
    ]
    found = narrowed(SPACE, best)
    assert found.choices == SPACE.choices | {
        "layer0.input.rank": (6, 8, 12),
        "layer0.recurrent.rank": (6, 8, 12, 16, None),
        "layer0.recurrent.bits": (2, 4),
    }
    both = joined(SPACE, found)
    assert both.choices["layer0.input.rank"] == (4, 6, 8, 12, 16, None)
    assert both.choices["layer0.recurrent.bits"] == (2, 4, 8)


def test_ranks_that_do_not_pay_are_no_ranks_between():
    best = [tried(recurrent_rank=16)]
    # 128 x 32: two factors pay up to rank 25.
    space = SPACE.fixed({"layer0.recurrent.rank": 16})
    wide = SearchSpace(SHAPES, SPACE.choices | {"layer0.recurrent.rank": (16, 24, 64, None)}, lanes=8)
    assert narrowed(wide, best).choices["layer0.recurrent.rank"] == (16, 20)
    assert narrowed(space, best).choices["layer0.recurrent.rank"] == (16,)


@pytest.mark.slow
def test_both_ways_are_paired(tmp_path):
    studies.write_task(tmp_path / "ramps.npz")
    source = str(tmp_path / "ramps.npz")
    rows = Rows(bench_narrowing(tmp_path / "found", seeds=(0, 6), source=source, scale=SCALE))
    for method in (WHOLE, NARROWED):
        assert len(rows.all("hypervolume", method=method, split="test")) == 2
        assert all(3 <= count <= 6 for count in rows.all("candidates", method=method))
    ratios = [rows.value(f"hypervolume_ratio{end}", method=NARROWED) for end in ("_low", "", "_high")]
    assert ratios == sorted(ratios) or ratios == [None] * 3


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    """A small space in place of one of thousands of candidates."""
    whole = partial(SearchSpace.of, ranks=(1, 2, None))
    monkeypatch.setattr(SearchSpace, "of", whole)
