import dataclasses
import json

import numpy as np
import pytest

from gatewright.errors import ConfigError
from gatewright.sw.settings import CompressSettings, SimplifySettings, TrainSettings


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (TrainSettings, "hidden", 3),
        (TrainSettings, "hidden", 128.0),
        (TrainSettings, "epochs", 0),
        (TrainSettings, "batch", 1025),
        (TrainSettings, "learning_rate", 0.0),
        (TrainSettings, "learning_rate", float("nan")),
        (TrainSettings, "weight_decay", -1e-3),
        (TrainSettings, "dropout", 1.0),
        (TrainSettings, "noise", "much"),
        (TrainSettings, "offset", None),
        (TrainSettings, "smoothing", 0.6),
        (TrainSettings, "seed", -1),
        (CompressSettings, "prune_epochs", 1),
        (CompressSettings, "quantise_epochs", -1),
        (CompressSettings, "prune_rate", 2.0),
        (CompressSettings, "quantise_rate", 0),
        (CompressSettings, "distillation", 1.5),
        (CompressSettings, "temperature", 0.1),
        (CompressSettings, "seed", 2**32),
        (CompressSettings, "learn_scales", 1),
        (SimplifySettings, "degree", "magnitude"),
        (SimplifySettings, "share", 0.0),
        (SimplifySettings, "least_share", 1.0),
        (SimplifySettings, "round_epochs", 1.5),
        (SimplifySettings, "scheme", None),
        (SimplifySettings, "lanes", 24),
        (SimplifySettings, "lanes", 1024),
        (SimplifySettings, "pattern_bits", 3),
    ],
)
def test_illegal_values_are_refused_by_name_and_with_the_range(kind, name, value):
    with pytest.raises(ConfigError, match=rf"{kind.__name__}\.{name} must be .*not {value!r}"):
        kind(**{name: value})


def test_units_of_another_kind_are_refused():
    with pytest.raises(ConfigError, match=r"SimplifySettings.units must be of .*not \('gates',\)"):
        SimplifySettings(units=("gates",))


def test_every_field_has_a_plain_value():
    for kind in (TrainSettings, CompressSettings):
        values = dataclasses.asdict(kind()).values()
        assert all(value is None or type(value) in (bool, int, float) for value in values)
    assert json.loads(json.dumps(dataclasses.asdict(SimplifySettings())))["units"] == ["hidden", "words"]
    assert type(TrainSettings(seed=np.int64(3)).seed) is int
    assert type(TrainSettings(noise=1).noise) is float


@pytest.mark.parametrize("kind", [TrainSettings, CompressSettings])
def test_every_number_has_a_range(kind):
    for entry in dataclasses.fields(kind):
        if entry.type is not bool:
            with pytest.raises(ConfigError, match=rf"{kind.__name__}\.{entry.name} must be from"):
                kind(**{entry.name: 10**12})
