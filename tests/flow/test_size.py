import pytest

from gatewright.flow.size import usual_lanes
from gatewright.sw.determinism import seeded
from gatewright.sw.network import LstmNetwork


@pytest.mark.parametrize(("hidden", "lanes"), [(4, 16), (7, 16), (8, 32), (100, 32)])
def test_a_small_model_gets_no_more_lanes_than_it_has_rows(hidden, lanes):
    with seeded(0):
        network = LstmNetwork.initial(3, hidden, 2)
    assert usual_lanes(network) == lanes
