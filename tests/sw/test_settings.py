import dataclasses

import numpy as np
import pytest

from gatewright.errors import ConfigError
from gatewright.sw.settings import CompressSettings, TrainSettings


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
        (CompressSettings, "density", 0.0),
        (CompressSettings, "density", 1.01),
        (CompressSettings, "lanes", 24),
        (CompressSettings, "lanes", 1024),
        (CompressSettings, "activation_bits", 12),
        (CompressSettings, "weight_bits", 3),
        (CompressSettings, "prune_epochs", 1),
        (CompressSettings, "quantise_epochs", 0),
        (CompressSettings, "prune_rate", 2.0),
        (CompressSettings, "quantise_rate", 0),
        (CompressSettings, "distillation", 1.5),
        (CompressSettings, "temperature", 0.1),
        (CompressSettings, "seed", 2**32),
    ],
)
def test_illegal_values_are_refused_by_name_and_with_the_range(kind, name, value):
    with pytest.raises(ConfigError, match=rf"{kind.__name__}\.{name} must be .*not {value!r}"):
        kind(**{name: value})


def test_every_field_has_a_range_and_a_plain_value():
    for kind in (TrainSettings, CompressSettings):
        assert all(type(value) in (int, float) for value in dataclasses.asdict(kind()).values())
    assert type(TrainSettings(seed=np.int64(3)).seed) is int
    assert type(TrainSettings(noise=1).noise) is float
