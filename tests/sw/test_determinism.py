import pytest
import torch

from gatewright.sw.compress import uniform_spec
from gatewright.sw.determinism import one_thread, seeded
from gatewright.sw.importers.weights import raw_model
from gatewright.sw.network import LstmNetwork
from gatewright.sw.search.supernet import SuperNetwork


@pytest.fixture
def threads_of():
    """Sets torch's threads; restores them."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_a_seed_repeats_and_leaves_the_callers_state():
    before = torch.get_rng_state()
    with seeded(7):
        first = torch.rand(3)
    with seeded(7):
        assert torch.equal(torch.rand(3), first)
    with seeded(8):
        assert not torch.equal(torch.rand(3), first)
    assert torch.equal(torch.get_rng_state(), before)


def test_threads_are_restored_even_after_an_error(threads_of):
    threads_of(2)
    for block in (one_thread(), seeded(0)):
        with pytest.raises(KeyError) as raised, block:
            raise KeyError(torch.get_num_threads())
        assert raised.value.args == (1,)
        assert torch.get_num_threads() == 2


def test_more_threads_give_the_same_factors(threads_of):
    with seeded(1):
        network = LstmNetwork.initial(40, 128, 10).eval()
    spec, found = uniform_spec(network, 0.5, rank=24, lanes=16), []
    for threads in (1, 2):
        threads_of(threads)
        supernet = SuperNetwork.of(raw_model(network))
        found.append([*supernet.network.parameters(), *supernet.subnetwork(spec).parameters()])
    assert all(map(torch.equal, *found))
