import pytest

from gatewright.cosim.verify import verify_ports


@pytest.mark.parametrize(("mode", "stalls"), [("dense", True), ("sparse", False)])
def test_cycle_level_bench(compiled, sequences, mode, stalls):
    outcome = verify_ports(compiled[mode], sequences, stalls=stalls, seed=1)
    assert outcome.failed == 0, outcome.log
