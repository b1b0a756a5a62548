import numpy as np
import pytest

from gatewright.errors import ConfigError, DataError
from gatewright.sw.mode import ModePolicy, sparsity


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        # Neither threshold reached, only the weights', only the inputs', both.
        ("or", [False, True, True, True]),
        ("and", [False, False, False, True]),
        ("weight", [False, True, False, True]),
        ("input", [False, False, True, True]),
    ],
)
def test_policies(policy, expected):
    mode = ModePolicy(0.5, 0.25, policy)
    sparsities = [(0.4, 0.2), (0.6, 0.2), (0.4, 0.3), (0.6, 0.3)]
    assert [mode.sequence_sparse(*each) for each in sparsities] == expected


@pytest.mark.parametrize("policy", ["or", "and", "weight", "input"])
def test_equality_reaches_a_threshold(policy):
    mode = ModePolicy(0.1, 0.3, policy)
    assert mode.sequence_sparse(0.1, 0.3)
    assert not mode.sequence_sparse(np.nextafter(0.1, 0), np.nextafter(0.3, 0))
    assert mode.weights_sparse(0.1)
    assert not mode.weights_sparse(np.nextafter(0.1, 0))


def test_the_default_is_or():
    assert ModePolicy(0.5, 0.5) == ModePolicy(0.5, 0.5, "or")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((-0.1, 0.5), "weight_threshold must be a number from 0 to 1, not -0.1"),
        ((0.5, 1.1), "input_threshold must be a number from 0 to 1, not 1.1"),
        ((float("nan"), 0.5), "weight_threshold"),
        ((0.5, "0.5"), "input_threshold must be a number from 0 to 1, not '0.5'"),
        ((0.5, 0.5, "xor"), "policy must be one of or, and, weight, input, not 'xor'"),
    ],
)
def test_malformed_policies_are_refused(arguments, text):
    with pytest.raises(ConfigError, match=text):
        ModePolicy(*arguments)


def test_sparsity_is_the_share_of_zeros():
    x = np.ones((10, 7), dtype=np.int64)
    x[:, 2] = 0
    assert sparsity(x) == 1 / 7
    assert sparsity(x, np.zeros(70)) == 80 / 140
    # 1 - 9/10 is less than 0.1 in floating point.
    assert ModePolicy(0.1, 1).weights_sparse(sparsity(np.arange(10)))
    with pytest.raises(DataError, match="at least one element"):
        sparsity(np.zeros((0, 7)))
