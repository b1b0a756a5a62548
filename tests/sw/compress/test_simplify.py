import dataclasses
import sys

import pytest
import torch
from ramps import made_task

from gatewright.sw.compress.rounds import Requirement
from gatewright.sw.compress.simplify import simplify, weight_count
from gatewright.sw.compress.words import word_degrees
from gatewright.sw.determinism import seeded
from gatewright.sw.importers.weights import raw_model
from gatewright.sw.network import LstmNetwork
from gatewright.sw.settings import CompressSettings, SimplifySettings
from gatewright.sw.spec import uniform_spec

SETTINGS = CompressSettings(prune_rate=1e-2)
HOW = SimplifySettings(lanes=8, round_epochs=1, share=0.5, least_share=0.25)


def weights(network):
    """As many bits as there are weights."""
    return weight_count(network)


def run(task, model, required, volume=1, **how):
    with seeded(0):
        return simplify(
            task, model, Requirement(required, volume), weights, SETTINGS, dataclasses.replace(HOW, **how)
        )


@pytest.mark.parametrize("degree", ["weight", "response", "taylor"])
def test_units_and_words_go_while_the_task_is_solved(task, float_model, degree):
    network, rounds = run(task, float_model, 85.0, degree=degree)
    assert network.layers[0].hidden_size < 16
    assert weight_count(network) < 0.6 * weight_count(float_model.network)
    passed = [each for each in rounds if each.passed]
    assert {each.what for each in passed} == {"hidden units", "words"}
    assert all((each.score >= 85) == each.passed for each in rounds)
    last = dataclasses.replace(float_model, network=network).score(task.validation, task.metric)
    assert (last, weight_count(network)) == (passed[-1].score, passed[-1].weights)


def test_a_round_that_fails_is_taken_back_and_tried_with_half_the_share(task, float_model):
    network, rounds = run(task, float_model, 101.0, units=("words",))
    assert [(each.share, each.passed) for each in rounds] == [(0.5, False), (0.25, False)]
    assert weight_count(network) == weight_count(float_model.network)
    assert dataclasses.replace(float_model, network=network).score(
        task.test, task.metric
    ) == float_model.score(task.test, task.metric)


def test_nothing_is_dropped_where_the_volume_is_met(task, float_model):
    network, rounds = run(task, float_model, 0.0, volume=weight_count(float_model.network))
    assert rounds == []
    assert weight_count(network) == weight_count(float_model.network)


def test_it_ends_as_soon_as_the_volume_is_met(task, float_model):
    _, every = run(task, float_model, 0.0)
    assert len(every) > 3
    wanted = every[1].weights
    network, rounds = run(task, float_model, 0.0, volume=wanted)
    assert rounds == every[:2]
    assert weight_count(network) == wanted
    assert [each.volume for each in rounds] == [each.weights for each in rounds]


def test_what_is_too_large_for_any_accelerator_is_simplified_until_it_fits(task, float_model):
    start = weight_count(float_model.network)
    with seeded(0):
        _, rounds = simplify(
            task,
            float_model,
            Requirement(0.0, start),
            lambda network: None if weight_count(network) == start else weight_count(network),
            SETTINGS,
            HOW,
        )
    assert len(rounds) == 1
    assert rounds[0].volume < start


def test_a_round_that_fails_does_not_meet_the_volume(task, float_model):
    _, rounds = run(task, float_model, 101.0, volume=weight_count(float_model.network) - 1, units=("words",))
    assert [each.passed for each in rounds] == [False, False]


def test_whole_quads_of_lanes_stay_busy_and_no_layer_goes(task, float_model):
    network, rounds = run(task, float_model, 0.0, units=("hidden",))
    assert network.layers[0].hidden_size == 2
    assert [each.dropped for each in rounds] == [8, 4, 2]


def test_words_leave_a_balanced_pattern(task, float_model):
    network, rounds = run(task, float_model, 0.0, units=("words",), share=0.9, pattern_bits=8)
    assert len(rounds) > 1
    spec = uniform_spec(network, lanes=8)
    ones = [{name: (matrix != 0).float() for name, matrix in network.matrices().items()}]
    for name, words in word_degrees(network, ones, spec).items():
        kept = words.layout.cube(ones[0][name], 0.0).sum(dim=1)
        assert (kept == kept[0]).all()
        assert kept.sum() > 0


def test_units_of_a_model_without_a_head_stay(task, float_model):
    bare = LstmNetwork(list(float_model.network.layers))
    model = dataclasses.replace(float_model, network=bare, labels=())
    assert run(task, model, 0.0, units=("hidden",))[1] == []


@pytest.fixture
def tried(network_of, monkeypatch):
    """Run without retraining, on scripted scores."""

    def run(shape, scores, change=None, volume=1, **how):
        model = raw_model(network_of(inputs=2, classes=3, **shape))
        if change is not None:
            with torch.no_grad():
                change(model.network)
        left = iter(scores)
        monkeypatch.setattr(sys.modules[simplify.__module__], "retrain", lambda *_: next(left))
        network, rounds = simplify(
            made_task(0, 24),
            model,
            Requirement(50, volume),
            weights,
            SETTINGS,
            dataclasses.replace(HOW, **how),
        )
        assert list(left) == []
        return network, rounds

    return run


def graded(network):
    """Unit k of 8 contributes as much as its number, from 1 on."""
    numbers = torch.arange(1.0, 9.0)
    for layer in network.layers:
        layer.input.factors[0][:] = 0
        layer.recurrent.factors[0][:] = torch.diag(numbers).repeat(4, 1)
        layer.bias[:] = numbers.repeat(4)
    if network.head is not None:
        network.head.factors[0][:] = 0


def once(share, **how):
    return {"share": share, "least_share": share, "units": ("hidden",), **how}


@pytest.mark.parametrize(
    ("lanes", "share", "dropped"),
    [(4, 0.25, 2), (4, 0.49, 3), (4, 0.9, 7), (8, 0.4, 2), (16, 0.3, 0), (64, 0.5, 0), (4, 0.1, 0)],
)
def test_the_lowest_share_goes_and_whole_quads_stay(tried, lanes, share, dropped):
    _, rounds = tried({}, [10] * (dropped > 0), graded, **once(share, lanes=lanes))
    assert [each.dropped for each in rounds] == [dropped] * (dropped > 0)


def test_units_that_contribute_least_go_first(tried):
    network, rounds = tried({}, [90, 10], graded, **once(0.25, lanes=4))
    assert network.layers[0].bias[:6].tolist() == [3, 4, 5, 6, 7, 8]
    assert [(each.dropped, each.passed) for each in rounds] == [(2, True), (1, False)]


def test_of_a_response_only_what_leaves_a_unit_counts(tried):
    def change(network):
        graded(network)
        network.layers[0].input.factors[0].view(4, 8, 2)[:, 0] = 100

    kept = {
        degree: tried({}, [90, 10], change, **once(0.15, lanes=4, degree=degree))[0]
        .layers[0]
        .bias[:7]
        .tolist()
        for degree in ("weight", "response")
    }
    assert kept == {"weight": [1, 3, 4, 5, 6, 7, 8], "response": [2, 3, 4, 5, 6, 7, 8]}


def test_a_layer_that_contributes_least_keeps_a_quad(tried):
    def change(network):
        for layer, diagonal in zip(
            network.layers, (torch.ones(8), torch.tensor([0.0] + 7 * [1.0])), strict=True
        ):
            layer.input.factors[0][:] = 0
            layer.recurrent.factors[0][:] = torch.diag(diagonal).repeat(4, 1)
        network.head.factors[0][:] = 0

    # The first layer's units have an eighth each; the second's a seventh, but for one that has nothing.
    _, rounds = tried({"layers": 2}, [10], change, **once(0.6, lanes=4))
    assert [each.dropped for each in rounds] == [7 + 1]


def test_only_units_that_may_go_are_a_share_of(tried):
    network, _ = tried({"layers": 2, "head": False}, [90, 10], graded, **once(0.25, lanes=4))
    assert [layer.hidden_size for layer in network.layers] == [6, 8]


@pytest.mark.parametrize(("bits", "dropped"), [(8, [12, 6]), (4, [6])])
def test_words_that_are_gone_are_no_part_of_the_share(tried, bits, dropped):
    # 16 rows on 4 lanes, in 2 columns of W_ih and 4 of W_hh; two narrow weights make one word.
    how = once(0.5, lanes=4, pattern_bits=bits) | {"units": ("words",)}
    _, rounds = tried({"hidden": 4}, [90, 10][-len(dropped) :], **how)
    assert [each.dropped for each in rounds] == dropped


def test_without_a_share_not_even_what_contributes_nothing_goes(tried):
    def change(network):
        graded(network)
        network.layers[0].recurrent.factors[0][:, 0] = 0
        network.layers[0].recurrent.factors[0].view(4, 8, 8)[:, 0] = 0

    assert tried({}, [], change, **once(0.1, lanes=4))[1] == []
    assert tried({}, [10], change, **once(0.125, lanes=4))[1][0].dropped == 1
