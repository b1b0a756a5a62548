import pytest

from gatewright.errors import ConfigError
from gatewright.sw.search.settings import EntropySettings, SuperSettings
from gatewright.sw.settings import CompressSettings


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (SuperSettings, "epochs", -1),
        (SuperSettings, "sampled", 1.5),
        (SuperSettings, "learning_rate", 0.0),
        (SuperSettings, "calibrated", 0),
        (SuperSettings, "distillation", 1.5),
        (SuperSettings, "temperature", 0.1),
        (SuperSettings, "seed", -1),
        (EntropySettings, "epochs", 3),
        (EntropySettings, "learning_rate", 2.0),
        (EntropySettings, "alpha_rate", 0.0),
        (EntropySettings, "beta_rate", "fast"),
        (EntropySettings, "entropy", 1),
        (EntropySettings, "weight", -0.1),
        (EntropySettings, "delay", 0.6),
        (EntropySettings, "control", "cosine"),
        (EntropySettings, "operations_control", None),
        (EntropySettings, "cycles_weight", 101.0),
        (EntropySettings, "seed", 2**32),
    ],
)
def test_illegal_values_are_refused_by_name_and_with_the_range(kind, name, value):
    with pytest.raises(ConfigError, match=rf"{kind.__name__}\.{name} must be .*not {value!r}"):
        kind(**{name: value})


def test_what_shares_weights_learns_as_compressed_models_do():
    assert SuperSettings.of(CompressSettings()) == SuperSettings()
    assert EntropySettings.of(CompressSettings()) == EntropySettings()
    text = CompressSettings(prune_rate=1.6e-2, distillation=0.25, temperature=3.0)
    found = SuperSettings.of(text)
    assert (found.learning_rate, found.distillation, found.temperature) == (1.6e-2, 0.25, 3.0)
    assert EntropySettings.of(text).learning_rate == 8e-3


def test_the_delay_is_that_of_the_source_in_its_epochs():
    assert EntropySettings(epochs=50).first_epoch == 8
    assert EntropySettings(epochs=25).first_epoch == 4
    assert EntropySettings(epochs=4, delay=0.0).first_epoch == 1
