import pytest
import torch

from gatewright.sw.metrics import IGNORED, METRICS
from gatewright.sw.scores import score


def test_accuracy_counts_the_first_of_equal_logits():
    logits = torch.tensor([[1.0, 1.0], [0.0, 2.0], [3.0, 0.0]])
    assert score([(logits, torch.tensor([0, 1, 1]))], METRICS["accuracy"]) == pytest.approx(200 / 3)


def test_steps_behind_the_end_do_not_count():
    logits = torch.zeros(2, 2, 4)
    labels = torch.tensor([[0, 1], [0, IGNORED]])
    assert score([(logits, labels)], METRICS["bits"]) == pytest.approx(2)
    assert score([(logits, labels), (logits[:1], labels[:1])], METRICS["accuracy"]) == pytest.approx(60)


def test_the_ratio_of_signal_to_noise_is_over_all_steps_that_count():
    wanted = torch.tensor([[[3.0, 0.0]], [[torch.nan, torch.nan]]])
    found = torch.tensor([[[3.0, 0.3]], [[5.0, 5.0]]])
    assert score([(found, wanted)], METRICS["snr"]) == pytest.approx(20)
    assert score(
        [(found, wanted), (torch.ones(1, 1, 2), torch.zeros(1, 1, 2))], METRICS["snr"]
    ) == pytest.approx(6.340, abs=1e-3)


def test_equal_outputs_have_a_finite_ratio():
    assert 300 < score([(torch.ones(1, 2), torch.ones(1, 2))], METRICS["snr"]) < 10_000
