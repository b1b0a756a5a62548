import optuna
import pytest
from bandits import PARAMETERS, run, study_of, told
from optuna.trial import TrialState

from gatewright.errors import ConfigError
from gatewright.sw.search.bandit import REWARD
from gatewright.sw.search.worth import WorthSampler, separate_optima, worths


def test_worth_is_the_mean_reward():
    study = told(study_of(), ({"a": 1}, 2.0), ({"a": 1}, 6.0), ({"a": None}, 1.0))
    assert worths(study) == {"a": {1: 4.0, None: 1.0}}
    assert separate_optima(study) == {"a": 1}


def test_minimised_values_are_rewards_with_the_sign_turned():
    study = told(study_of(direction="minimize"), ({"a": 1}, 2.0), ({"a": 2}, 6.0))
    assert worths(study) == {"a": {1: -2.0, 2: -6.0}}
    assert separate_optima(study) == {"a": 1}


def test_several_objectives_need_a_reward():
    study = optuna.create_study(directions=["maximize", "minimize"])
    distributions = {"a": PARAMETERS["a"]}
    add = {"params": {"a": 2}, "distributions": distributions, "values": [1.0, 2.0]}
    study.add_trial(optuna.trial.create_trial(**add, user_attrs={REWARD: 7.0}))
    assert worths(study) == {"a": {2: 7.0}}
    study.add_trial(optuna.trial.create_trial(**add))
    with pytest.raises(ConfigError, match="trial 1 has no user attribute 'reward'"):
        worths(study)


def test_pruned_trials_are_worth_the_least():
    study = told(study_of(), ({"a": 1}, 2.0), ({"a": 2}, -4.0))
    distributions = {"a": PARAMETERS["a"]}
    study.add_trial(
        optuna.trial.create_trial(params={"a": None}, distributions=distributions, state=TrialState.PRUNED)
    )
    assert worths(study)["a"] == {1: 2.0, 2: -4.0, None: -4.0}


def test_failed_trials_are_worth_nothing():
    study = told(study_of(), ({"a": 1}, 2.0))
    study.tell(study.ask({"a": PARAMETERS["a"]}), state=TrialState.FAIL)
    assert worths(study) == {"a": {1: 2.0}}


def test_untried_values_come_first():
    study = told(study_of(WorthSampler(startup=0)), ({"a": 1}, 9.0), ({"a": None}, 9.0))
    assert study.ask({"a": PARAMETERS["a"]}).params == {"a": 2}


@pytest.mark.parametrize(
    ("exploration", "expected"),
    # t = 6; the unit is best - median of the different rewards, 6 - 3 = 3; the means are 4, 3 and 2. With c = 1.5:
    # 4/3 + c·sqrt(ln 6 / 3) = 2.49, 3/3 + c·sqrt(ln 6 / 2) = 2.42 and 2/3 + c·sqrt(ln 6 / 1) = 2.67.
    [(0.0, 1), (1.0, 1), (1.5, None)],
)
def test_upper_confidence_bound(exploration, expected):
    study = study_of(WorthSampler(startup=0, exploration=exploration))
    for value, reward in ((1, 2.0), (1, 4.0), (1, 6.0), (2, 0.0), (2, 6.0), (None, 2.0)):
        told(study, ({"a": value}, reward))
    assert study.ask({"a": PARAMETERS["a"]}).params == {"a": expected}


def test_of_equal_values_the_first_is_taken():
    study = told(study_of(WorthSampler(startup=0)), ({"a": None}, 1.0), ({"a": 2}, 1.0), ({"a": 1}, 1.0))
    assert study.ask({"a": PARAMETERS["a"]}).params == {"a": 1}


@pytest.mark.parametrize(
    "sampler",
    [
        WorthSampler(exploration=0.5),
        WorthSampler(rule="softmax", temperature=0.2),
        WorthSampler(rule="greedy", epsilon=0.2),
    ],
)
def test_every_rule_settles_on_the_best(sampler):
    study = study_of(sampler)
    last = run(study, 60)[-30:]
    best = sum(parameters == {"a": 2, "b": "y"} for parameters in last)
    assert best > 15
    assert separate_optima(study) == {"a": 2, "b": "y"}


def test_rules_differ_in_how_they_explore():
    softmax = run(study_of(WorthSampler(rule="softmax", temperature=1e6)), 90)[30:]
    assert len({tuple(each.values()) for each in softmax}) == 6
    greedy = run(study_of(WorthSampler(rule="greedy", epsilon=0.0)), 40)[20:]
    assert len({tuple(each.values()) for each in greedy}) == 1


def test_parallel_trials_spread():
    study = told(study_of(WorthSampler(startup=0)), *(({"a": value}, 1.0) for value in (1, 2, None)))
    running = [study.ask({"a": PARAMETERS["a"]}).params["a"] for _ in range(3)]
    assert set(running) == {1, 2, None}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"rule": "best"}, "rule must be one of ucb, softmax, greedy"),
        ({"exploration": -1}, "exploration must be at least 0"),
        ({"temperature": 0}, "temperature must be above 0"),
        ({"epsilon": 1.5}, "epsilon must be from 0 to 1"),
    ],
)
def test_refuses(given, text):
    with pytest.raises(ConfigError, match=text):
        WorthSampler(**given)
