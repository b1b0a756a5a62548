import pytest

from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.hw.compiler import compile_bundle
from gatewright.hw.config import AcceleratorConfig

LANES = 8


@pytest.fixture(scope="session")
def config():
    """The one accelerator that tests simulate, so that it is built once.

    Its results have 16 bits: they show a wrong LSB of a pre-activation, which 8 bits mostly round away.
    """
    return AcceleratorConfig(
        lanes=LANES,
        cell_lanes=2,
        activation_bits=16,
        weight_depth=1024,
        index_depth=512,
        column_depth=64,
        accumulator_rows=16,
        activation_depth=64,
        bias_depth=16,
        state_depth=16,
    )


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
