import pytest
from bandits import PARAMETERS, run, study_of, told
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState

from gatewright.errors import ConfigError
from gatewright.sw.search.bandit import note
from gatewright.sw.search.linear import LinearBanditSampler


def test_tries_everything_once_before_anything_twice():
    study = study_of(LinearBanditSampler(startup=2, exploration=0.5))
    pairs = [tuple(each.values()) for each in run(study, 10)]
    assert len(set(pairs[:6])) == 6
    assert pairs[6:] == [(2, "y")] * 4


def test_tries_nothing_again_by_another_name():
    # With 2 or None for "a", "b" makes no difference.
    def key(chosen):
        return chosen["a"] if chosen["a"] in (2, None) else tuple(chosen.values())

    def asked(**how):
        study = study_of(LinearBanditSampler(startup=0, exploration=0.0, **how))
        trials = [(1, "x", 0.0), (2, "y", 9.0), (None, "y", 1.0)]
        return told(study, *(({"a": a, "b": b}, value) for a, b, value in trials)).ask(PARAMETERS).params

    assert asked() == {"a": 2, "b": "x"}
    assert asked(key=key) == {"a": 1, "b": "y"}


def test_takes_the_untried_combination_of_the_best_values():
    # What 2 and "y" add is most; together they were not tried. Disasters do not outweigh what else a value gave.
    trials = [(1, "x", 0.0), (2, "x", 5.0), (1, "y", 6.0), (None, "y", -900.0), (None, "x", -950.0)]
    study = told(
        study_of(LinearBanditSampler(startup=0, exploration=0.0)),
        *(({"a": a, "b": b}, value) for a, b, value in trials),
    )
    assert study.ask(PARAMETERS).params == {"a": 2, "b": "y"}


def test_takes_every_value_once_before_it_adds_up():
    study = told(
        study_of(LinearBanditSampler(startup=0)), ({"a": 1, "b": "x"}, 9.0), ({"a": 2, "b": "y"}, 9.0)
    )
    assert study.ask(PARAMETERS).params["a"] is None


def test_learns_the_parts_of_a_reward():
    """Each value halves the cost and takes a point; the reward asks for a quarter of the cost, and no less."""

    def combine(quality, cost):
        return quality - 10 * max(0.0, cost / 0.25 - 1)

    halves = {"a": {1: 1, 2: 1, None: 0}, "b": {"x": 1, "y": 0}}

    def parts_of(parameters):
        halvings = sum(halves[name][value] for name, value in parameters.items())
        return [100.0 - halvings, 0.5**halvings]

    study = study_of(LinearBanditSampler(startup=0, exploration=0.0, combine=combine))
    tried = [{"a": 1, "b": "y"}, {"a": 2, "b": "y"}, {"a": None, "b": "x"}, {"a": None, "b": "y"}]
    for parameters in tried:
        study.enqueue_trial(parameters)
        trial = study.ask(PARAMETERS)
        note(trial, combine(*parts_of(parameters)), parts_of(parameters))
        study.tell(trial, combine(*parts_of(parameters)))
    # Nothing that was tried costs less than half.
    assert study.ask(PARAMETERS).params in ({"a": 1, "b": "x"}, {"a": 2, "b": "x"})


@pytest.mark.parametrize("parts", [None, [], [1.0, 0.0]])
def test_needs_the_parts_that_it_combines(parts):
    study = study_of(LinearBanditSampler(startup=0, combine=lambda quality, cost: quality))
    for a in (1, 2, None):
        for b in ("x", "y"):
            study.enqueue_trial({"a": a, "b": b})
            trial = study.ask(PARAMETERS)
            if parts is not None:
                note(trial, 1.0, parts)
            study.tell(trial, 1.0)
    with pytest.raises(ConfigError, match="trial 0 has no user attribute 'parts' that can be combined"):
        study.ask(PARAMETERS)


def test_turns_from_values_without_hardware():
    study = study_of(LinearBanditSampler(startup=0, exploration=0.0))
    distributions = {"a": CategoricalDistribution((1, 2, 3, 4)), "b": CategoricalDistribution(tuple("vwxyz"))}
    for a, b in ((1, "v"), (2, "w"), (3, "x"), (4, "y"), (1, "z"), (1, "y")):
        study.enqueue_trial({"a": a, "b": b})
        trial = study.ask(distributions)
        if a == 1:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, float(a))
    assert [study.ask(distributions).params["a"] for _ in range(6)].count(1) == 0


def test_trials_spread_while_others_run():
    study = study_of(LinearBanditSampler(startup=2))
    run(study, 2)
    running = [tuple(study.ask(PARAMETERS).params.values()) for _ in range(4)]
    assert len({*running, *(tuple(trial.params.values()) for trial in study.trials[:2])}) == 6


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"exploration": -1}, "exploration must be at least 0"),
        ({"sharpness": 0.5}, "sharpness must be at least 1"),
    ],
)
def test_refuses(given, text):
    with pytest.raises(ConfigError, match=text):
        LinearBanditSampler(**given)
