from dataclasses import replace
from itertools import product
from math import log2
from statistics import fmean

import optuna
import pytest
from optuna.samplers import NSGAIISampler, RandomSampler, TPESampler

from gatewright.cosim.search.samplers import distributions, sampler
from gatewright.cosim.search.settings import SearchSettings
from gatewright.sw.search.bandit import note
from gatewright.sw.search.linear import LinearBanditSampler
from gatewright.sw.search.space import SearchSpace
from gatewright.sw.search.worth import WorthSampler

KINDS = {
    "linear": LinearBanditSampler,
    "ucb": WorthSampler,
    "softmax": WorthSampler,
    "greedy": WorthSampler,
    "tpe": TPESampler,
    "nsga2": NSGAIISampler,
    "random": RandomSampler,
}
SPACE = SearchSpace(
    {"layer0.input": (16, 4), "layer0.recurrent": (16, 4), "head": (3, 4)},
    {"network.rank": (1, 2, None), "layer0.bits": (2, 4, 8), "layer0.density": (0.25, 0.5, 1.0)},
)


def proposed(settings, trials):
    """What a method proposes where wide, whole and dense is best."""
    study = optuna.create_study(directions=["maximize", "minimize"])
    for place in range(trials):
        study.sampler = sampler(settings, SPACE, place)
        trial = study.ask(dict(distributions(SPACE)))
        value = worth_of(trial.params["network.rank"], trial.params["layer0.bits"])
        note(trial, float(value), [float(value), 1.0, 1.0])
        study.tell(trial, [float(value), trial.params["layer0.density"]])
    return [trial.params for trial in study.trials]


@pytest.mark.parametrize("method", KINDS)
def test_proposals_are_candidates_and_follow_from_the_seed(method):
    settings = SearchSettings(method=method, trials=30)
    assert isinstance(sampler(settings, SPACE, 0), KINDS[method])
    candidates = proposed(settings, 30)
    for candidate in candidates:
        SPACE.spec(candidate)
    assert proposed(settings, 30) == candidates
    assert proposed(replace(settings, seed=1), 30) != candidates
    assert len({tuple(each.values()) for each in candidates}) > 5


def worth_of(rank, bits):
    return (rank or 4) + bits


# A linear bandit proposes no combination twice, so that what is best is soon behind it.
@pytest.mark.parametrize(
    ("method", "learnt"),
    [
        ("linear", slice(8, 18)),
        ("ucb", slice(40, 60)),
        ("softmax", slice(40, 60)),
        ("greedy", slice(40, 60)),
        ("tpe", slice(40, 60)),
        ("nsga2", slice(40, 60)),
    ],
)
def test_methods_learn(method, learnt):
    names = ("network.rank", "layer0.bits")
    proposals = proposed(SearchSettings(method=method, trials=60), 60)
    found = [worth_of(*(each[name] for name in names)) for each in proposals]
    every = [worth_of(*values) for values in product(*(SPACE.choices[name] for name in names))]
    assert fmean(found[learnt]) > 1.1 * fmean(every)


def test_spread_aims_at_targets_around_those_asked_for():
    settings = SearchSettings(target_cycles=100.0, target_bits=1000.0, cycles_weight=1.0, spread=2.0)
    scales = []
    for place in range(400):
        # One target's width above the target costs a point: cycles that cost as much are twice the target.
        cost = sampler(settings, SPACE, place)._combine(0.0, 1000.0, 0.0)
        scales.append(1000.0 / (1 - cost) / 100.0)
    octaves = [log2(scale) for scale in scales]
    assert -2 <= min(octaves) < -1.9
    assert 1.9 < max(octaves) <= 2
    assert abs(fmean(octaves)) < 0.2
    fixed = sampler(replace(settings, spread=0.0), SPACE, 7)._combine
    assert fixed(5.0, 150.0, 1500.0) == settings.reward(5.0, 150.0, 1500.0)
