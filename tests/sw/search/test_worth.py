import math

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from gatewright.errors import ConfigError
from gatewright.sw.search.worth import REWARD, WorthSampler, note, separate_optima, worths

PARAMETERS = {"a": CategoricalDistribution((1, 2, None)), "b": CategoricalDistribution(("x", "y"))}
REWARDS = {1: 0.0, 2: 3.0, None: 1.0, "x": 0.0, "y": 5.0}


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def study_of(sampler=None, direction="maximize"):
    return optuna.create_study(direction=direction, sampler=sampler)


def told(study, *trials):
    """Add finished trials of given parameters and values."""
    for parameters, value in trials:
        distributions = {name: PARAMETERS[name] for name in parameters}
        study.add_trial(
            optuna.trial.create_trial(params=parameters, distributions=distributions, value=value)
        )
    return study


def run(study, trials):
    for _ in range(trials):
        trial = study.ask(PARAMETERS)
        study.tell(trial, REWARDS[trial.params["a"]] + REWARDS[trial.params["b"]])
    return [trial.params for trial in study.trials]


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


def test_startup_is_balanced_and_keeps_parameters_out_of_step():
    distributions = {name: CategoricalDistribution((1, 2, 3)) for name in "abc"}
    study = study_of(WorthSampler(startup=12))
    for _ in range(12):
        study.tell(study.ask(distributions), 0.0)
    for name in "abc":
        values = [trial.params[name] for trial in study.trials]
        assert all(sorted(values[k : k + 3]) == [1, 2, 3] for k in range(0, 12, 3))
    pairs = {(trial.params["a"], trial.params["b"]) for trial in study.trials}
    assert len(pairs) > 3


@pytest.mark.parametrize(
    ("exploration", "expected"),
    # t = 6; the unit is best - median of the different rewards, 6 - 3 = 3; the means are 4, 3 and 2. With c = 1.5:
    # 4/3 + c·sqrt(ln 6 / 3) = 2.49, 3/3 + c·sqrt(ln 6 / 2) = 2.42 and 2/3 + c·sqrt(ln 6 / 1) = 2.67.
    [(0.0, 1), (1.0, 1), (1.5, None)],
)
def test_upper_confidence_bound(exploration, expected):
    study = study_of(WorthSampler(rule="ucb", startup=0, exploration=exploration))
    for value, reward in ((1, 2.0), (1, 4.0), (1, 6.0), (2, 0.0), (2, 6.0), (None, 2.0)):
        told(study, ({"a": value}, reward))
    assert study.ask({"a": PARAMETERS["a"]}).params == {"a": expected}


def test_of_equal_values_the_first_is_taken():
    study = told(
        study_of(WorthSampler(rule="ucb", startup=0)), ({"a": None}, 1.0), ({"a": 2}, 1.0), ({"a": 1}, 1.0)
    )
    assert study.ask({"a": PARAMETERS["a"]}).params == {"a": 1}


@pytest.mark.parametrize(
    "sampler",
    [
        WorthSampler(rule="ucb", exploration=0.5),
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


def test_additive_tries_everything_once_before_anything_twice():
    study = study_of(WorthSampler(startup=2))
    pairs = [tuple(each.values()) for each in run(study, 10)]
    assert len(set(pairs[:6])) == 6
    assert pairs[6:] == [(2, "y")] * 4


def test_additive_takes_the_untried_combination_of_the_best_values():
    # What 2 and "y" add is most; together they were not tried. Disasters do not outweigh what else a value gave.
    trials = [(1, "x", 0.0), (2, "x", 5.0), (1, "y", 6.0), (None, "y", -900.0), (None, "x", -950.0)]
    study = told(
        study_of(WorthSampler(startup=0, exploration=0.0)),
        *(({"a": a, "b": b}, value) for a, b, value in trials),
    )
    assert study.ask(PARAMETERS).params == {"a": 2, "b": "y"}


def test_additive_takes_every_value_once_before_it_adds_up():
    study = told(study_of(WorthSampler(startup=0)), ({"a": 1, "b": "x"}, 9.0), ({"a": 2, "b": "y"}, 9.0))
    assert study.ask(PARAMETERS).params["a"] is None


def test_additive_learns_the_parts_of_a_reward():
    """Each value halves the cost and takes a point; the reward asks for a quarter of the cost, and no less."""

    def combine(quality, cost):
        return quality - 10 * max(0.0, cost / 0.25 - 1)

    halves = {"a": {1: 1, 2: 1, None: 0}, "b": {"x": 1, "y": 0}}

    def parts_of(parameters):
        halvings = sum(halves[name][value] for name, value in parameters.items())
        return [100.0 - halvings, 0.5**halvings]

    study = study_of(WorthSampler(startup=0, exploration=0.0, combine=combine))
    tried = [{"a": 1, "b": "y"}, {"a": 2, "b": "y"}, {"a": None, "b": "x"}, {"a": None, "b": "y"}]
    for parameters in tried:
        study.enqueue_trial(parameters)
        trial = study.ask(PARAMETERS)
        note(trial, combine(*parts_of(parameters)), parts_of(parameters))
        study.tell(trial, combine(*parts_of(parameters)))
    # Nothing that was tried costs less than half.
    assert study.ask(PARAMETERS).params in ({"a": 1, "b": "x"}, {"a": 2, "b": "x"})


@pytest.mark.parametrize("parts", [None, [], [1.0, 0.0]])
def test_additive_needs_the_parts_that_it_combines(parts):
    study = study_of(WorthSampler(startup=0, combine=lambda quality, cost: quality))
    for a in (1, 2, None):
        for b in ("x", "y"):
            study.enqueue_trial({"a": a, "b": b})
            trial = study.ask(PARAMETERS)
            if parts is not None:
                note(trial, 1.0, parts)
            study.tell(trial, 1.0)
    with pytest.raises(ConfigError, match="trial 0 has no user attribute 'parts' that can be combined"):
        study.ask(PARAMETERS)


def test_additive_turns_from_values_without_hardware():
    study = study_of(WorthSampler(startup=0, exploration=0.0))
    distributions = {"a": CategoricalDistribution((1, 2, 3, 4)), "b": CategoricalDistribution(tuple("vwxyz"))}
    for a, b in ((1, "v"), (2, "w"), (3, "x"), (4, "y"), (1, "z"), (1, "y")):
        study.enqueue_trial({"a": a, "b": b})
        trial = study.ask(distributions)
        if a == 1:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, float(a))
    assert [study.ask(distributions).params["a"] for _ in range(6)].count(1) == 0


def test_additive_trials_spread_while_others_run():
    study = study_of(WorthSampler(startup=2))
    run(study, 2)
    running = [tuple(study.ask(PARAMETERS).params.values()) for _ in range(4)]
    assert len({*running, *(tuple(trial.params.values()) for trial in study.trials[:2])}) == 6


def test_rules_differ_in_how_they_explore():
    softmax = run(study_of(WorthSampler(rule="softmax", temperature=1e6)), 90)[30:]
    assert len({tuple(each.values()) for each in softmax}) == 6
    greedy = run(study_of(WorthSampler(rule="greedy", epsilon=0.0)), 40)[20:]
    assert len({tuple(each.values()) for each in greedy}) == 1


def test_a_study_goes_on_the_same_way_with_another_sampler_object():
    whole = run(study_of(WorthSampler(3)), 30)
    study = study_of(WorthSampler(3))
    run(study, 17)
    study.sampler = WorthSampler(3)
    assert run(study, 13) == whole
    assert run(study_of(WorthSampler(4)), 30) != whole


def test_parallel_trials_spread():
    study = told(
        study_of(WorthSampler(rule="ucb", startup=0)), *(({"a": value}, 1.0) for value in (1, 2, None))
    )
    running = [study.ask({"a": PARAMETERS["a"]}).params["a"] for _ in range(3)]
    assert set(running) == {1, 2, None}


def test_ranges_have_fixed_candidates():
    distributions = {
        "linear": FloatDistribution(-1.0, 1.0),
        "log": FloatDistribution(1e-6, 1.0, log=True),
        "step": IntDistribution(0, 100, step=25),
    }
    study = study_of(WorthSampler(samples_per_hp=4))
    for _ in range(40):
        study.tell(study.ask(distributions), 0.0)
    found = {name: {trial.params[name] for trial in study.trials} for name in distributions}
    assert len(found["linear"]) == len(found["log"]) == 4
    assert found["step"] <= {0, 25, 50, 75, 100}
    assert all(isinstance(value, int) for value in found["step"])


def test_logarithmic_ranges_are_drawn_log_uniformly():
    study = study_of(WorthSampler(samples_per_hp=400))
    for _ in range(400):
        study.tell(study.ask({"log": FloatDistribution(1e-6, 1.0, log=True)}), 0.0)
    exponents = [math.log10(trial.params["log"]) for trial in study.trials]
    assert sum(exponents) / 400 == pytest.approx(-3.0, abs=0.3)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"rule": "best"}, "rule must be one of additive, ucb, softmax, greedy"),
        ({"samples_per_hp": 0}, "samples_per_hp must be at least 1"),
        ({"exploration": -1}, "exploration must be at least 0"),
        ({"sharpness": 0.5}, "sharpness must be at least 1"),
        ({"temperature": 0}, "temperature must be above 0"),
        ({"epsilon": 1.5}, "epsilon must be from 0 to 1"),
        ({"startup": -1}, "startup must be at least 0"),
    ],
)
def test_refuses(given, text):
    with pytest.raises(ConfigError, match=text):
        WorthSampler(**given)
