import pytest
import torch

from gatewright.errors import ConfigError
from gatewright.sw.compress.pattern import actual_density, balanced_mask, kept_per_lane
from gatewright.sw.rows import gate_rows, slot_rows


def counts(mask, hidden, lanes, slots=1):
    """Kept weights of each slot of each lane, and column."""
    slot = torch.from_numpy(slot_rows(gate_rows(hidden, lanes), slots)[0])
    return torch.zeros(slots * lanes, mask.shape[1]).index_add_(0, slot, mask.float())


def random_weights(rows, columns, seed=0):
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("density", "kept"),
    [(1.0, 16), (0.5, 8), (0.25, 4), (0.125, 2), (0.0625, 1), (0.01, 1), (0.16, 3), (0.98, 16)],
)
def test_the_digits_model_on_32_lanes(density, kept):
    assert kept_per_lane(128, 32, density) == kept
    assert actual_density(128, 32, density) == kept / 16
    mask = balanced_mask(random_weights(512, 13), 32, density)
    assert (counts(mask, 128, 32) == kept).all()


def test_the_largest_magnitudes_stay():
    weights = torch.zeros(16, 1)
    # Four units on 8 lanes: unit 1 and unit 3 share the quad of lanes 4 to 7; their input gates are rows 1 and 3.
    weights[1], weights[3] = 0.5, -0.9
    mask = balanced_mask(weights, 8, 0.5)
    assert mask[3, 0]
    assert not mask[1, 0]


def test_lanes_that_units_fill_unevenly_still_keep_the_same():
    # 5 units on 4 quads: quad 0 has two rows per lane, the others one.
    weights = random_weights(20, 7, seed=1)
    assert (counts(balanced_mask(weights, 16, 0.5), 5, 16) == 1).all()
    assert actual_density(5, 16, 0.5) == 16 / 20
    assert balanced_mask(weights, 16, 1.0).all()
    assert actual_density(5, 16, 1.0) == 1.0


@pytest.mark.parametrize("slots", [2, 4])
@pytest.mark.parametrize("density", [0.5, 0.25, 1.0])
def test_every_slot_keeps_the_same(slots, density):
    # 16 rows in each of 8 lanes.
    mask = balanced_mask(random_weights(128, 9), 8, density, slots)
    kept = kept_per_lane(32, 8, density, slots)
    assert kept == density * 16 / slots
    assert (counts(mask, 32, 8, slots) == kept).all()
    assert actual_density(32, 8, density, slots) == mask.float().mean() == density


def test_slots_that_rows_fill_unevenly_still_keep_the_same():
    # 7 rows in each lane: slot 0 has 4 of them, slot 1 has 3.
    mask = balanced_mask(random_weights(28, 5), 4, 0.9, 2)
    assert kept_per_lane(7, 4, 0.9, 2) == 4
    assert mask.all()
    assert (counts(balanced_mask(random_weights(28, 5), 4, 0.8, 2), 7, 4, 2) == 3).all()
    assert actual_density(7, 4, 0.8, 2) == 24 / 28


def test_slots_without_rows_do_not_count():
    # 2 rows in each lane use two of four slots.
    mask = balanced_mask(random_weights(16, 5), 8, 0.5, 4)
    assert mask.all()
    assert actual_density(4, 8, 0.5, 4) == 1.0


def test_lanes_without_rows_are_refused():
    with pytest.raises(ConfigError, match="lanes must be at most 16 for 4 hidden units, not 32: 16 lanes"):
        kept_per_lane(4, 32, 0.5)
