from math import log, sqrt

import pytest
import torch

from gatewright.sw.compress.integer_autograd import QuantisedWeights, to_integers
from gatewright.sw.numbers import Fixed

FORMAT = Fixed(4, 1)


def test_integers_round_half_up_and_saturate():
    values = torch.tensor([0.2, 0.25, -0.25, -0.3, 3.6, -4.4])
    assert to_integers(values, FORMAT).tolist() == [0, 1, 0, -1, 7, -8]
    assert to_integers(values, FORMAT).tolist() == FORMAT.quantise(values.numpy()).tolist()


def test_the_threshold_learns_as_in_the_paper():
    master = torch.tensor([0.3, 1.2, 5.0, -6.0], requires_grad=True)
    threshold = torch.zeros((), requires_grad=True)
    upstream = torch.tensor([1.0, -2.0, 3.0, 0.5])
    weights = QuantisedWeights.apply(master, threshold, FORMAT)
    assert weights.tolist() == [0.5, 1.0, 3.5, -4.0]
    weights.backward(upstream)
    # Rounding errors inside the range, the bounds outside it, in LSB.
    slopes = [1 - 0.6, 2 - 2.4, 7, -8]
    expected = 0.5 * log(2) / sqrt(4) * sum(g * s for g, s in zip(upstream.tolist(), slopes, strict=True))
    assert threshold.grad.item() == pytest.approx(expected, rel=1e-5)


def test_saturated_weights_only_come_back():
    master = torch.tensor([5.0, 5.0, -6.0, -6.0, 0.2, 3.6], requires_grad=True)
    grads = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    QuantisedWeights.apply(master, torch.zeros(()), FORMAT).backward(grads)
    # A step goes against the gradient: the second would grow, the third would fall. 3.6 rounds to the last integer.
    assert master.grad.tolist() == [1, 0, 0, -1, 1, -1]
