"""Studies for tests of bandits: two parameters whose values have a reward each."""

import optuna
from optuna.distributions import CategoricalDistribution

PARAMETERS = {"a": CategoricalDistribution((1, 2, None)), "b": CategoricalDistribution(("x", "y"))}
REWARDS = {1: 0.0, 2: 3.0, None: 1.0, "x": 0.0, "y": 5.0}

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
