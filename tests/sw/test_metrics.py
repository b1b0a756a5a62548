import math
import pickle
import sys

import numpy as np
import pytest

from gatewright.errors import ConfigError
from gatewright.sw.metrics import METRICS, metric_of

LOGITS = np.array([[2.0, 0.0, 1.0], [0.0, 3.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 5.0]])
CLASSES = np.array([0, 1, 2, 2])


def of(name, outputs, targets):
    return METRICS[name](np.asarray(outputs, dtype=np.float64), np.asarray(targets))


def test_metrics_of_classes_by_hand():
    assert of("accuracy", LOGITS, CLASSES) == 75
    # Class 0: one right of two predicted; class 1: right; class 2: one of two found.
    assert of("f1", LOGITS, CLASSES) == pytest.approx(100 * (2 / 3 + 1 + 2 / 3) / 3)
    assert of("bits", np.zeros((4, 8)), [0, 1, 2, 7]) == pytest.approx(3)
    assert of("bits", np.log([[0.5, 0.25, 0.25]]), [1]) == pytest.approx(2)
    assert of("accuracy", [[1.0, 1.0]], [1]) == 0, "of equal logits the first counts"


def test_one_output_tells_two_classes_apart():
    outputs = [[0.5], [-0.5], [2.0], [0.0]]
    assert of("accuracy", outputs, [1, 0, 0, 1]) == 50
    assert of("f1", outputs, [1, 0, 0, 1]) == pytest.approx(50)
    assert of("bits", [[0.0]], [1]) == pytest.approx(1)
    assert of("bits", [[math.log(3)]], [0]) == pytest.approx(2)


def test_metrics_of_values_by_hand():
    targets = [[1.0, 0.0], [3.0, 2.0]]
    assert of("mse", [[1.0, 0.0], [2.0, 2.0]], targets) == 0.25
    assert of("r2", targets, targets) == 1
    assert of("r2", [[2.0, 1.0], [2.0, 1.0]], targets) == 0
    assert of("snr", np.array(targets) * 1.1, targets) == pytest.approx(20)
    assert of("snr", targets, targets) > 1000
    assert math.isfinite(of("snr", targets, targets))


def test_agreement_is_with_the_models_own_outputs():
    assert of("agreement", LOGITS, 2 * LOGITS) == 100
    assert of("agreement", LOGITS, LOGITS[::-1]) == 0


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_each_metric_travels_and_knows_its_direction(metric):
    assert pickle.loads(pickle.dumps(metric)) == metric
    good, bad = (1.0, 2.0) if metric.name in ("bits", "mse") else (2.0, 1.0)
    assert metric.quality(good) > metric.quality(bad)
    assert metric.meets(good, bad)
    assert metric.meets(good, good)
    assert not metric.meets(bad, good)
    assert metric.labels == {"metric": metric.name, "better": "more" if good > bad else "less"}
    assert not metric.meets(math.nan, bad)
    assert math.isnan(metric(np.empty((0, 1)), np.empty(0)))


def test_a_metric_that_could_not_fail_is_refused():
    METRICS["agreement"].check(2)
    METRICS["accuracy"].check(1)
    with pytest.raises(
        ConfigError, match=r"agreement needs at least 2 outputs, but the model has 1: .*use snr"
    ):
        METRICS["agreement"].check(1)


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of the user's in the current folder."""
    (tmp_path / "usermetrics.py").write_text(
        "import numpy as np\n"
        "from gatewright.sw.metrics import Metric\n"
        "def worst(outputs, targets):\n"
        "    return np.abs(outputs - targets).max()\n"
        "worst.more_is_better = False\n"
        "worst.unit = 'mm'\n"
        "def plain(outputs, targets):\n"
        "    return -1\n"
        "def wrong(outputs, targets):\n"
        "    return 'good'\n"
        "own = Metric('anything', 'points', True, plain, 'classes', least_outputs=3)\n"
        "number = 3\n"
    )
    (tmp_path / "broken.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in ("usermetrics", "broken"):
        sys.modules.pop(name, None)


def test_a_users_own(module):
    worst = metric_of("usermetrics:worst")
    assert (worst.name, worst.unit, worst.kind) == ("usermetrics:worst", "mm", "values")
    assert worst(np.array([[1.0], [4.0]]), np.array([[1.0], [2.0]])) == 2
    assert worst.quality(2) == -2
    assert pickle.loads(pickle.dumps(worst)) == worst
    plain = metric_of("usermetrics:plain", "classes", "teacher")
    assert (plain.kind, plain.reference, plain.more_is_better) == ("classes", "teacher", True)
    assert metric_of("usermetrics:own").name == "usermetrics:own"
    assert metric_of("usermetrics:own").least_outputs == 3


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("precision", "no metric named 'precision'; known are accuracy, f1,"),
        ("usermetrics:number", "usermetrics:number is a int; a metric is"),
        ("usermetrics:missing", "module usermetrics has no 'missing'"),
        ("nowhere:plain", "the module nowhere cannot be imported"),
        ("broken:plain", "the module broken cannot be imported .division by zero"),
    ],
)
def test_what_is_no_metric_is_refused(module, name, text):
    with pytest.raises(ConfigError, match=text):
        metric_of(name)


def test_a_function_that_returns_no_number_is_refused(module):
    with pytest.raises(ConfigError, match="usermetrics:wrong must return a number, not 'good'"):
        metric_of("usermetrics:wrong")(np.ones((1, 1)), np.ones((1, 1)))
