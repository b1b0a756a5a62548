import pytest

from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.hw.compiler import compile_bundle

LANES = 8


@pytest.fixture(scope="session")
def bundle():
    """A model whose hidden size fills neither quads nor cell lanes."""
    return random_bundle(11, inputs=5, hidden=13, classes=3, kept=3, lanes=LANES, activation_bits=16)


@pytest.fixture(scope="session")
def sequences(bundle):
    """Sequences of several lengths, one step included."""
    return [random_inputs(k, bundle, steps) for k, steps in enumerate((1, 7, 2))]


@pytest.fixture(scope="session")
def compiled(bundle, config):
    """The model by mode, with every kind of result."""
    return {
        mode: compile_bundle(bundle, config, mode=mode, hidden_results="all") for mode in ("dense", "sparse")
    }
