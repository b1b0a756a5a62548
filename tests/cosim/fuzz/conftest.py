import pytest

from gatewright.cosim.fuzz.draw import draw_case
from gatewright.cosim.fuzz.targets import Target

CASES = 6


@pytest.fixture(scope="session")
def target(config):
    """The accelerator that most tests simulate."""
    return Target(config)


@pytest.fixture(scope="session")
def cases(target):
    """Cases with errors, resets, pauses and chains among them."""
    return [draw_case(target, 3, 0, number) for number in range(CASES)]
