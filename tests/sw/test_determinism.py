import pytest
import torch

from gatewright.sw.determinism import one_thread, seeded


def test_a_seed_repeats_and_leaves_the_callers_state():
    before = torch.get_rng_state()
    with seeded(7):
        first = torch.rand(3)
    with seeded(7):
        assert torch.equal(torch.rand(3), first)
    with seeded(8):
        assert not torch.equal(torch.rand(3), first)
    assert torch.equal(torch.get_rng_state(), before)


def test_threads_are_restored_even_after_an_error():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(KeyError) as raised, one_thread():
            raise KeyError(torch.get_num_threads())
        assert raised.value.args == (1,)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
