import pytest
import torch

from gatewright.errors import ConfigError
from gatewright.sw.compress.pattern import actual_density, balanced_mask, kept_per_lane
from gatewright.sw.rows import gate_rows


def counts(mask, hidden, lanes):
    """Kept weights of each lane and column."""
    lane = torch.from_numpy(gate_rows(hidden, lanes)[0])
    return torch.zeros(lanes, mask.shape[1]).index_add_(0, lane, mask.float())


@pytest.mark.parametrize(
    ("density", "kept"),
    [(1.0, 16), (0.5, 8), (0.25, 4), (0.125, 2), (0.0625, 1), (0.01, 1), (0.16, 3), (0.98, 16)],
)
def test_the_digits_model_on_32_lanes(density, kept):
    assert kept_per_lane(128, 32, density) == kept
    assert actual_density(128, 32, density) == kept / 16
    mask = balanced_mask(torch.randn(512, 13, generator=torch.Generator().manual_seed(0)), 32, density)
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
    weights = torch.randn(20, 7, generator=torch.Generator().manual_seed(1))
    assert (counts(balanced_mask(weights, 16, 0.5), 5, 16) == 1).all()
    assert actual_density(5, 16, 0.5) == 16 / 20
    assert balanced_mask(weights, 16, 1.0).all()
    assert actual_density(5, 16, 1.0) == 1.0


def test_lanes_without_rows_are_refused():
    with pytest.raises(ConfigError, match="lanes must be at most 16 for 4 hidden units, not 32: 16 lanes"):
        kept_per_lane(4, 32, 0.5)
