import pytest

from gatewright.cosim.verify import verify_ports

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("mode", "stalls", "skip"), [("dense", True, False), ("sparse", False, True), ("dense", False, True)]
)
def test_cycle_level_bench(compiled, sequences, mode, stalls, skip):
    outcome = verify_ports(compiled[mode], sequences, stalls=stalls, skip=skip, seed=1)
    assert outcome.failed == 0, outcome.log
