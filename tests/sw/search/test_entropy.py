from math import e, log

import pytest
import torch

from gatewright.sw.search import entropy
from gatewright.sw.search.entropy import CONTROLS, delayed


def test_squashing_is_the_cube_below_minus_one_half():
    alpha = torch.tensor([-2.0, -1.0, -0.5, -0.25, 0.0, 3.0])
    assert entropy.squashed(alpha).tolist() == [-64.0, -8.0, -1.0, -0.5, 0.0, 6.0]


def test_the_operations_loss_is_the_sum_of_the_entropies():
    even = torch.zeros(2, 4)
    assert float(entropy.operation_loss(even)) == pytest.approx(2 * log(4))
    # Of softmax(2α) with shares 1/4 and 3/4.
    uneven = torch.tensor([[0.0, log(3) / 2]])
    assert entropy.operation_weights(uneven)[0].tolist() == pytest.approx([0.25, 0.75])
    assert float(entropy.operation_loss(uneven)) == pytest.approx(log(4) - 0.75 * log(3))


def test_the_entropy_of_a_certain_choice_is_zero_and_has_a_slope_without_nan():
    alpha = torch.tensor([60.0, -60.0, -60.0], requires_grad=True)
    loss = entropy.operation_loss(alpha)
    loss.backward()
    assert loss == 0
    assert alpha.grad is not None
    assert torch.isfinite(alpha.grad).all()


def test_edges_count_as_one_at_most():
    assert entropy.edge_weights(torch.tensor([-3.0, 0.5, 1.0, 7.0])).tolist() == [-3.0, 0.5, 1.0, 1.0]


def test_the_edges_loss_is_their_entropy_and_the_squared_error_of_the_sum_of_those_above_zero():
    # Weights (1, 0, 1): the sum is 2; softmax is (e, 1, e) / (1 + 2e).
    beta = torch.tensor([4.0, 0.0, 1.0])
    whole = 1 + 2 * e
    expected = log(whole) - 2 * e / whole
    assert float(entropy.edge_loss(beta, 2)) == pytest.approx(expected)
    assert float(entropy.edge_loss(beta, 1)) == pytest.approx(expected + 0.2)
    assert float(entropy.edge_loss(beta, 5, gain=3.0)) == pytest.approx(3 * expected + 0.2 * 9)
    # What is below zero is not in the sum, but in the entropy.
    negative = torch.tensor([1.0, 1.0, -1.0])
    whole = 2 * e + 1 / e
    assert float(entropy.edge_loss(negative, 2)) == pytest.approx(log(whole) - (2 * e - 1 / e) / whole)


@pytest.mark.parametrize(
    ("name", "epoch", "value"),
    [
        ("const", 1, 1.0),
        ("const", 50, 1.0),
        ("linear", 1, 0.0),
        ("linear", 8, 7 / 49),
        ("linear", 50, 1.0),
        ("log", 1, 0.0),
        ("log", 25, log(25) / log(50)),
        ("log", 50, 1.0),
        ("exp", 1, 2**0.2 / 2**10),
        ("exp", 45, 0.5),
        ("exp", 50, 1.0),
        ("step", 1, 0.0),
        ("step", 12, 0.0),
        ("step", 13, 1 / 3),
        ("step", 25, 2 / 3),
        ("step", 38, 1.0),
        ("step", 50, 1.0),
        ("sigmoid", 25, 0.5),
        ("sigmoid", 30, e / (1 + e)),
    ],
)
def test_controls_have_the_stated_values_over_50_epochs(name, epoch, value):
    assert CONTROLS[name](epoch, 50) == pytest.approx(value)


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_grow_from_0_to_1(name):
    values = [CONTROLS[name](epoch, 20) for epoch in range(1, 21)]
    assert values == sorted(values)
    assert 0 <= values[0] <= values[-1] <= 1


def test_a_delayed_control_begins_after_the_delay_and_ends_at_one():
    late = delayed(CONTROLS["log"], 8)
    assert [late(epoch, 50) for epoch in (1, 7, 8)] == [0.0, 0.0, 0.0]
    assert late(9, 50) == pytest.approx(log(2) / log(42))
    assert late(49, 50) == 1.0
    # The function itself would be log 43 / log 42.
    assert late(50, 50) == 1.0
    assert [delayed(CONTROLS["const"], 8)(epoch, 50) for epoch in (7, 8)] == [0.0, 1.0]
