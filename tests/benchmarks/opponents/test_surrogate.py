import random

import numpy as np

from gatewright.benchmarks.opponents.surrogate import CostModel
from gatewright.cosim.search.evaluation import Evaluation


def test_costs_of_unseen_candidates_are_told_from_few(arena):
    drawn = random.Random(0)
    known = []
    while len(known) < 30:
        candidate = arena.space.sample(drawn)
        if isinstance(found := arena.ask(candidate), Evaluation):
            known.append((candidate, found))
    model = CostModel(arena.space, known[:20])
    told = np.log2([model(candidate) for candidate, _ in known[20:]])
    true = np.log2([(found.cycles, found.stored_bits) for _, found in known[20:]])
    assert np.abs(told - true).mean() < 0.25
    assert np.abs(true - true.mean(axis=0)).mean() > 0.6


def test_one_candidate_is_enough_for_a_constant(arena):
    largest = arena.space.largest
    found = arena.ask(largest)
    cycles, bits = CostModel(arena.space, [(largest, found)])(arena.space.smallest)
    assert np.allclose((cycles, bits), (found.cycles, found.stored_bits))
