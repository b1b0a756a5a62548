import pytest
import torch

from gatewright.sw.compress.contribution import contributions
from gatewright.sw.compress.pattern import balanced_mask, layout
from gatewright.sw.compress.words import drop_words, word_degrees
from gatewright.sw.spec import uniform_spec


def words_of(network, lanes=16, bits=8):
    spec = uniform_spec(network, lanes=lanes, bits=bits)
    return word_degrees(network, contributions(network, "weight", [], None), spec)


def test_degrees_are_shares_of_a_layer(network_of):
    network = network_of(hidden=16, layers=2, projection=8, rank=2)
    words = words_of(network)
    assert set(words) == {name for name in network.matrices() if name.startswith("layer")}
    for k in range(2):
        total = sum(each.degree.sum() for name, each in words.items() if name.startswith(f"layer{k}."))
        assert total == pytest.approx(1)


def test_what_stays_is_the_pattern_with_the_largest_words(network_of):
    network = network_of(hidden=32)
    words = words_of(network, lanes=8, bits=4)["layer0.recurrent"]
    small, dropped = drop_words(
        network, {"layer0.recurrent": words}, float(words.degree.flatten().kthvalue(200).values)
    )
    matrix = network.matrices()["layer0.recurrent"]
    places = layout("layer0.recurrent", matrix, uniform_spec(network, bits=4, lanes=8))
    mask = balanced_mask(matrix, places, 1 - 200 / words.degree.numel(), "contribution")
    assert dropped == 200
    assert torch.equal(small.matrices()["layer0.recurrent"] != 0, mask)
    assert (network.matrices()["layer0.recurrent"] != 0).all()


def test_words_that_are_gone_are_not_dropped_again(network_of):
    network = network_of(hidden=32)
    words = words_of(network, lanes=8)
    bound = float(torch.cat([each.degree.flatten() for each in words.values()]).median())
    small, dropped = drop_words(network, words, bound)
    again = words_of(small, lanes=8)
    assert sum(int((~each.present).sum()) for each in again.values()) == dropped > 0
    assert drop_words(small, again, 0.0)[1] == 0


def test_every_matrix_keeps_its_best_word(network_of):
    network = network_of(hidden=32)
    small, _ = drop_words(network, words_of(network, lanes=8), 1.0)
    for name in ("layer0.input", "layer0.recurrent"):
        assert small.matrices()[name].count_nonzero() == 8
    assert (small.matrices()["head"] != 0).all()


def test_words_of_several_samples_are_ordered_by_magnitude_and_counted_by_sum(network_of):
    network = network_of(hidden=4, inputs=1)
    spec = uniform_spec(network, lanes=4)
    with torch.no_grad():
        # Each lane holds one gate of the four units.
        network.matrices()["layer0.input"][:] = torch.arange(16.0)[:, None]
        network.matrices()["layer0.recurrent"][:] = 0
    zero = {name: torch.zeros_like(matrix) for name, matrix in network.matrices().items()}
    weights = torch.tensor([1.0, 3.0, 2.0, 0.0]).repeat(4)[:, None]
    # One lane's signs differ in the second sample: there the sum over the lanes is half as large.
    signs = torch.tensor([1.0, 1.0, 1.0, -1.0]).repeat_interleave(4)[:, None]
    samples = [zero | {"layer0.input": weights}, zero | {"layer0.input": weights * signs}]
    words = word_degrees(network, samples, spec)
    first = words["layer0.input"]
    # Words of 3, 2, 1 and 0 from each of 4 lanes: means of (12, 6), (8, 4), (4, 2) and (0, 0), in shares of 18.
    assert first.degree.flatten().tolist() == pytest.approx([9 / 18, 6 / 18, 3 / 18, 0])
    assert first.order[0].flatten().tolist() == [1, 2, 0, 3]
    assert not words["layer0.recurrent"].degree.any()
    assert not words["layer0.recurrent"].present.any()
    assert first.present.all()
    small, dropped = drop_words(network, words, 0.2)
    assert dropped == 2
    kept = small.matrices()["layer0.input"].flatten().nonzero().flatten().tolist()
    assert kept == [1, 2, 5, 6, 9, 10, 13, 14]


def test_a_layer_that_contributes_nothing_has_degrees_of_nothing(network_of):
    network = network_of()
    zero = [{name: torch.zeros_like(matrix) for name, matrix in network.matrices().items()}]
    for each in word_degrees(network, zero, uniform_spec(network, lanes=8)).values():
        assert each.degree.tolist() == torch.zeros_like(each.degree).tolist()


def test_places_that_hold_no_row_make_no_word_present(network_of):
    # 5 units on 4 quads of lanes: most lanes have one row, and words have two places.
    network = network_of(hidden=5)
    with torch.no_grad():
        network.matrices()["layer0.recurrent"][:] = 0
    words = words_of(network)["layer0.recurrent"]
    assert words.present.shape == (2, 5)
    assert not words.present.any()
    assert not words.degree.any()
