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
