"""A small task that several rooms' tests train on."""

import numpy as np

from gatewright.sw.tasks import Task, stratify


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
