import json
from dataclasses import replace

import pytest

from gatewright.cosim.search.settings import Extension, Limits, SearchSettings
from gatewright.errors import ConfigError


def test_reward_loses_by_share_beyond_targets():
    settings = SearchSettings(target_cycles=100, target_bits=1000, cycles_weight=20, bits_weight=4)
    assert settings.reward(90, 100, 1000) == 90
    assert settings.reward(90, 1, 1) == 90
    assert settings.reward(90, 150, 1000) == 80
    assert settings.reward(90, 100, 1500) == 88
    assert settings.reward(90, 150, 1500) == 78
    assert settings.reward(90, 150, 1500, scale=1.5) == 90
    assert settings.reward(90, 75, 1000, scale=0.5) == 90 - 20 / 2 - 4
    assert replace(settings, target_cycles=None).reward(90, 1e9, 1500) == 88
    assert replace(settings, target_bits=None).reward(90, 150, 1e9) == 80


@pytest.mark.parametrize(
    ("trials", "rounds", "sizes"), [(12, 3, [4, 4, 4]), (7, 3, [3, 2, 2]), (2, 2, [1, 1])]
)
def test_rounds_are_as_equal_as_can_be(trials, rounds, sizes):
    settings = SearchSettings(trials=trials, rounds=rounds)
    places = [settings.round_of(place) for place in range(trials)]
    assert places == sorted(places)
    assert [places.count(round) for round in range(rounds)] == sizes


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"trials": 0}, "trials must be from 1 to 100000"),
        ({"trials": 2, "rounds": 3}, "rounds must be at most its trials, 2"),
        (
            {"method": "best"},
            "method must be one of linear, ucb, softmax, greedy, tpe, nsga2, random, entropy",
        ),
        ({"measure": "yes"}, "measure must be True, False or None"),
        ({"spread": -1}, "spread must be from 0"),
        ({"target_cycles": 0}, "target_cycles must be above 0"),
        ({"target_bits": -1}, "target_bits must be above 0"),
        ({"target_score": "high"}, "target_score must be a number or None"),
        ({"target_score": float("nan")}, "target_score must be a number or None"),
        ({"cycles_weight": -1}, "cycles_weight must be from 0"),
        ({"tune_epochs": 1.5}, "tune_epochs must be an integer"),
        ({"trials": 2, "known": ({}, {}, {})}, "known must be at most as many as its trials, 2, not 3"),
        ({"steps": 0}, "steps must be from 1"),
    ],
)
def test_refuses(given, text):
    with pytest.raises(ConfigError, match=text):
        SearchSettings(**given)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"cycles": 0}, "Limits.cycles must be above 0"),
        ({"multipliers": -1}, "Limits.multipliers must be above 0"),
        ({"score": "good"}, "Limits.score must be a number or None"),
    ],
)
def test_limits_refuse(given, text):
    with pytest.raises(ConfigError, match=text):
        Limits(**given)


def test_a_score_that_is_asked_for_steers_the_reward():
    settings = SearchSettings(target_score=2.0, target_quality=-2.0, score_weight=3.0)
    assert settings.reward(-1.5, 1, 1) == -1.5
    assert settings.reward(-2.0, 1, 1) == -2.0
    assert settings.reward(-3.0, 1, 1) == -6.0


def test_weights_suit_percentages_unless_told_otherwise():
    settings = SearchSettings(target_cycles=100, target_bits=1000)
    assert settings.reward(90, 200, 1000) == 80
    assert replace(settings, cycles_weight=0.5).reward(90, 200, 2000) == 79.5


def test_trials_that_are_added_form_rounds_of_their_own():
    settings = SearchSettings(trials=12, rounds=3)
    more = settings.extended(20, finished=12).extended(22, finished=15)
    assert more.all_trials == 22
    assert [more.round_of(place) for place in range(12)] == [settings.round_of(place) for place in range(12)]
    assert [more.round_of(place) for place in range(12, 22)] == [3] * 4 + [4] * 4 + [5] * 2
    assert more.extensions == (Extension(8, 12), Extension(2, 15))
    assert more.extended(22, finished=22) == more
    with pytest.raises(ConfigError, match="has 22 trials: it can be extended to more, but not to 12"):
        more.extended(12, finished=22)
    with pytest.raises(IndexError, match="none at place 22"):
        more.round_of(22)


def test_json():
    settings = SearchSettings(
        method="tpe", target_bits=5e4, limits=Limits(cycles=500), known=({"network.rank": None},)
    ).extended(99, finished=60)
    assert SearchSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings
