import dataclasses

import pytest

from gatewright.sw.compress.rounds import Requirement
from gatewright.sw.compress.simplify import simplify, weight_count
from gatewright.sw.compress.words import word_degrees
from gatewright.sw.determinism import seeded
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
