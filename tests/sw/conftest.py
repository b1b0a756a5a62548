import numpy as np
import pytest

from gatewright.sw.settings import TrainSettings
from gatewright.sw.tasks import Task, stratify
from gatewright.sw.training import train_float


def made_task(seed, sequences=240):
    """Rising, falling and flat ramps under noise: the mean tells nothing, the order all."""
    rng = np.random.default_rng(seed)
    classes = np.arange(sequences) % 3
    made = []
    for label in classes:
        steps = rng.integers(4, 11)
        ramp = (label - 1) * np.linspace(-2, 2, steps)[:, None]
        made.append((3 + ramp + 0.5 * rng.normal(size=(steps, 2))).astype(np.float32))
    return Task("ramps", ("falling", "flat", "rising"), *stratify(made, classes, seed))


@pytest.fixture(scope="session")
def task():
    return made_task(0)


@pytest.fixture(scope="session")
def float_model(task):
    settings = TrainSettings(
        hidden=16, epochs=12, batch=32, learning_rate=1e-2, noise=0.1, offset=0.0, dropout=0.1
    )
    return train_float(task, settings)
