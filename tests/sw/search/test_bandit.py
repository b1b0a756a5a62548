import math

import pytest
from bandits import run, study_of
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from gatewright.errors import ConfigError
from gatewright.sw.search.linear import LinearBanditSampler
from gatewright.sw.search.worth import WorthSampler

BANDITS = pytest.mark.parametrize("bandit", [WorthSampler, LinearBanditSampler])


@BANDITS
def test_startup_is_balanced_and_keeps_parameters_out_of_step(bandit):
    distributions = {name: CategoricalDistribution((1, 2, 3)) for name in "abc"}
    study = study_of(bandit(startup=12))
    for _ in range(12):
        study.tell(study.ask(distributions), 0.0)
    for name in "abc":
        values = [trial.params[name] for trial in study.trials]
        assert all(sorted(values[k : k + 3]) == [1, 2, 3] for k in range(0, 12, 3))
    pairs = {(trial.params["a"], trial.params["b"]) for trial in study.trials}
    assert len(pairs) > 3


@BANDITS
def test_a_study_goes_on_the_same_way_with_another_sampler_object(bandit):
    whole = run(study_of(bandit(3)), 30)
    study = study_of(bandit(3))
    run(study, 17)
    study.sampler = bandit(3)
    assert run(study, 13) == whole
    assert run(study_of(bandit(4)), 30) != whole


@BANDITS
def test_ranges_have_fixed_candidates(bandit):
    distributions = {
        "linear": FloatDistribution(-1.0, 1.0),
        "log": FloatDistribution(1e-6, 1.0, log=True),
        "step": IntDistribution(0, 100, step=25),
    }
    study = study_of(bandit(samples_per_hp=4))
    for _ in range(40):
        study.tell(study.ask(distributions), 0.0)
    found = {name: {trial.params[name] for trial in study.trials} for name in distributions}
    assert len(found["linear"]) == len(found["log"]) == 4
    assert found["step"] <= {0, 25, 50, 75, 100}
    assert all(isinstance(value, int) for value in found["step"])


@BANDITS
def test_logarithmic_ranges_are_drawn_log_uniformly(bandit):
    study = study_of(bandit(samples_per_hp=400))
    for _ in range(400):
        study.tell(study.ask({"log": FloatDistribution(1e-6, 1.0, log=True)}), 0.0)
    exponents = [math.log10(trial.params["log"]) for trial in study.trials]
    assert sum(exponents) / 400 == pytest.approx(-3.0, abs=0.3)


@BANDITS
@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"samples_per_hp": 0}, "samples_per_hp must be at least 1"),
        ({"startup": -1}, "startup must be at least 0"),
    ],
)
def test_refuses(bandit, given, text):
    with pytest.raises(ConfigError, match=text):
        bandit(**given)
