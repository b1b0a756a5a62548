import pytest
from hypothesis import settings
from stale_figures import print_recorded

from gatewright.hw.config import AcceleratorConfig

# The same examples on every run and machine; a busy machine is no failure.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")


def pytest_terminal_summary(terminalreporter):
    print_recorded(terminalreporter)


@pytest.fixture(scope="session")
def config():
    """The one accelerator that tests simulate, so that it is built once.

    Its results have 16 bits: they show a wrong LSB of a pre-activation, which 8 bits mostly round away.
    """
    return AcceleratorConfig(
        lanes=8,
        cell_lanes=2,
        narrowest_weight=2,
        activation_bits=16,
        weight_depth=1024,
        index_depth=512,
        column_depth=64,
        accumulator_rows=16,
        activation_depth=64,
        bias_depth=16,
        state_depth=16,
    )
