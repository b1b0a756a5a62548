"""Same seed, same numbers: torch's randomness and threads, confined to a block."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread inside the block.

    Then float sums have one order, however many processors there are; another kind of processor, with other vector
    instructions, may still round them otherwise. On batches as small as ours a second thread gains little, and costs
    much when another process holds a core, because threads then wait for each other in every op.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Compute on `one_thread` and draw torch's random numbers from `seed` inside the block.

    The caller's random state is untouched.
    """
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
