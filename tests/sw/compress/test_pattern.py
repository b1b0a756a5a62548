import numpy as np
import pytest
import torch

from gatewright.errors import ConfigError
from gatewright.hw.compiler import compile_bundle, smallest_config
from gatewright.sw.bundle import Bundle
from gatewright.sw.compress.pattern import balanced_mask, gate_layout, layout, plain_layout
from gatewright.sw.compress.quantise import calibrate
from gatewright.sw.determinism import seeded
from gatewright.sw.spec import CompressionSpec, ProductSpec, uniform_spec


def counts(mask, layout):
    """Kept weights of each slot of each lane, and column step."""
    return layout.cube(mask.float(), 0.0).sum(dim=1)


def random_weights(rows, columns, seed=0):
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("density", "kept"),
    [(1.0, 16), (0.5, 8), (0.25, 4), (0.125, 2), (0.0625, 1), (0.01, 1), (0.16, 3), (0.98, 16)],
)
def test_the_digits_model_on_32_lanes(density, kept):
    places = gate_layout(128, 13, 32)
    assert (places.words, places.steps, places.kept(density)) == (16, 13, kept)
    mask = balanced_mask(random_weights(512, 13), places, density)
    assert (counts(mask, places) == kept).all()


def test_the_largest_magnitudes_stay():
    weights = torch.zeros(16, 1)
    # Four units on 8 lanes: unit 1 and unit 3 share the quad of lanes 4 to 7; their input gates are rows 1 and 3.
    weights[1], weights[3] = 0.5, -0.9
    mask = balanced_mask(weights, gate_layout(4, 1, 8), 0.5)
    assert mask[3, 0]
    assert not mask[1, 0]


def test_lanes_that_units_fill_unevenly_still_keep_the_same():
    # 5 units on 4 quads: quad 0 has two rows per lane, the others one.
    weights, places = random_weights(20, 7, seed=1), gate_layout(5, 7, 16)
    mask = balanced_mask(weights, places, 0.5)
    assert (counts(mask, places) == 1).all()
    assert mask.float().mean() == 16 / 20
    assert balanced_mask(weights, places, 1.0).all()


@pytest.mark.parametrize("slots", [2, 4])
@pytest.mark.parametrize("density", [0.5, 0.25, 1.0])
def test_every_slot_keeps_the_same(slots, density):
    # 16 rows in each of 8 lanes.
    places = gate_layout(32, 9, 8, slots)
    mask = balanced_mask(random_weights(128, 9), places, density)
    assert (counts(mask, places) == density * 16 / slots).all()
    assert mask.float().mean() == density


def test_slots_that_rows_fill_unevenly_still_keep_the_same():
    # 7 rows in each lane: slot 0 has 4 of them, slot 1 has 3.
    places = gate_layout(7, 5, 4, 2)
    assert balanced_mask(random_weights(28, 5), places, 0.9).all()
    assert (counts(balanced_mask(random_weights(28, 5), places, 0.8), places) == 3).all()


def test_slots_without_rows_do_not_count():
    # 2 rows in each lane use two of four slots.
    assert balanced_mask(random_weights(16, 5), gate_layout(4, 5, 8, 4), 0.5).all()


def test_lanes_without_rows_are_refused():
    with pytest.raises(ConfigError, match="lanes must be at most 16 for 4 hidden units, not 32: 16 lanes"):
        gate_layout(4, 5, 32)


def test_columns_that_contribute_more_keep_more():
    places = gate_layout(32, 6, 8)
    weights = random_weights(128, 6, seed=2)
    weights[:, 1] *= 1000
    weights[:, 4] = 0
    mask = balanced_mask(weights, places, 0.25, "contribution")
    found = counts(mask, places)
    assert (found == found[0]).all()
    assert found[0].sum() == 0.25 * 16 * 6
    assert (found[0, 1], found[0, 4]) == (16, 0)
    # No other choice of as many words has a larger sum of magnitudes.
    gains = places.cube(weights.abs(), 0.0).sort(dim=1, descending=True).values.sum(dim=0).flatten()
    assert (weights.abs() * mask).sum() == pytest.approx(float(gains.sort().values[-24:].sum()), rel=1e-5)


def test_without_a_pattern_the_largest_of_the_whole_matrix_stay():
    weights = random_weights(128, 6, seed=3)
    mask = balanced_mask(weights, gate_layout(32, 6, 8), 0.125, "unstructured")
    assert mask.sum() == 96
    assert weights.abs()[mask].min() >= weights.abs()[~mask].max()


def test_a_private_matrix_keeps_the_same_in_each_column_of_a_step():
    # 8 lanes, 20 columns: two steps of 8 columns and one of 4.
    places = plain_layout(12, 20, 8, 2, private=True)
    assert (places.words, places.steps) == (6, 3)
    mask = balanced_mask(random_weights(12, 20), places, 0.5)
    assert (mask[0::2].sum(dim=0) == 3).all()
    assert (mask[1::2].sum(dim=0) == 3).all()


def test_a_matrix_without_gates_lies_as_it_takes_fewer_words():
    products = dict.fromkeys(("layer0.input", "layer0.recurrent", "head"), ProductSpec(4, density=0.25))
    spec = CompressionSpec(products, lanes=16)
    # Four rows leave 12 of 16 lanes empty in broadcast orientation.
    assert layout("layer0.input.first", torch.zeros(4, 64), spec).steps == 4
    assert layout("head", torch.zeros(128, 8), spec).steps == 8
    # The second factor has gates for rows, and lies as W_ih does.
    assert torch.equal(
        layout("layer0.input.second", torch.zeros(64, 4), spec).slot, gate_layout(16, 4, 16).slot
    )


@pytest.mark.parametrize("columns", ["equal", "contribution"])
@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("kind", [{}, {"rank": 8}, {"layers": 2, "projection": 8}])
def test_the_packed_image_has_no_padding(network_of, kind, bits, columns):
    network = network_of(inputs=16, hidden=32, classes=8, **kind)
    whole = uniform_spec(network, density=0.5, bits=bits, lanes=16, columns=columns)
    with torch.no_grad(), seeded(0):
        for name, matrix in network.matrices().items():
            # No weight may round to zero, or its place would be counted as padding.
            matrix.copy_(torch.where(torch.rand_like(matrix) < 0.5, -1.0, 1.0))
            if name.split(".")[0] != "head":
                matrix.mul_(torch.linspace(0.8, 1, matrix.shape[1]))
                target = whole.of(name).density
                matrix.mul_(balanced_mask(matrix, layout(name, matrix, whole), target, columns))
        student = calibrate(network, [torch.randn(9, 16)], whole)
        inputs = np.zeros(16)
        headed = student.bundle(inputs, inputs + 1, "abcdefgh")
    bundle = Bundle(headed.layers, None, inputs, inputs + 1, ())
    # Accumulators for twice the rows of any factor let the compiler choose its orientation.
    config = smallest_config([(bundle, "sparse")], lanes=16, accumulator_rows=32)
    compiled = compile_bundle(bundle, config, mode="sparse", hidden_results="last")
    stored = compiled.image.stored_bits(config)
    kept = sum(int(matrix.count_nonzero()) for name, matrix in network.matrices().items() if "layer" in name)
    assert kept == sum(stage.matrix.nonzeros for stage in bundle.matrices.values())
    assert stored["weight"] == bits * kept
    assert (stored["column"] > 0) == (columns == "contribution")


def test_places_of_a_private_matrix():
    # Lane c % 2 holds column c; of its two slots, even rows take the first.
    places = plain_layout(3, 4, 2, 2, private=True)
    rows = [[0, 2, 0, 2], [1, 3, 1, 3], [0, 2, 0, 2]]
    assert places.slot.tolist() == rows
    assert places.depth.flatten().tolist() == [0, 0, 1]
    assert places.step.tolist() == [[0, 0, 1, 1]]


@pytest.mark.parametrize(("columns", "kept"), [("unstructured", 1), ("contribution", 8), ("equal", 8 * 5)])
def test_something_is_kept_whatever_the_density(columns, kept):
    # One weight; one word of 8 lanes; one word in each column.
    assert balanced_mask(random_weights(128, 5), gate_layout(32, 5, 8), 1e-4, columns).sum() == kept


def test_a_word_has_one_slot_unless_told_otherwise():
    for private in (False, True):
        whole, told = (plain_layout(3, 4, 2, *slots, private=private) for slots in ((), (1,)))
        assert all(
            torch.equal(getattr(whole, part), getattr(told, part)) for part in ("slot", "depth", "step")
        )
