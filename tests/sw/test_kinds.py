"""Every kind of task, from training in float to integers."""

import dataclasses

import numpy as np
import pytest
import torch

from gatewright.errors import ConfigError, DataError
from gatewright.sw.compress import CompressSettings, compress, uniform_spec
from gatewright.sw.compress.quantise import QuantisedNetwork
from gatewright.sw.importers.weights import raw_model
from gatewright.sw.integer import evaluate
from gatewright.sw.metrics import IGNORED, METRICS
from gatewright.sw.models import FloatModel
from gatewright.sw.network import LstmNetwork
from gatewright.sw.settings import TrainSettings
from gatewright.sw.tasks import Split, baseline, for_model, task_from
from gatewright.sw.training import train_float

TRAIN = TrainSettings(
    hidden=8, epochs=25, batch=8, learning_rate=3e-2, dropout=0.0, noise=0.0, offset=0.0, smoothing=0.0
)
SHRINK = CompressSettings(prune_epochs=2, quantise_epochs=3)
RNG = np.random.default_rng(0)
X = [RNG.normal(size=(steps, 2)).astype(np.float32) for steps in RNG.integers(4, 8, 120)]
SUMS = [np.cumsum(x, axis=0) for x in X]

KINDS = {
    "classes": ([int(x[0, 0] > 0) for x in X], "accuracy", 85),
    "f1": ([int(x[0, 0] > 0) for x in X], "f1", 85),
    "classes of steps": ([(s[:, 0] > 0).astype(int) for s in SUMS], "accuracy", 85),
    "values": (np.stack([500 + 100 * s[-1] for s in SUMS]), "r2", 0.85),
    "values of steps": ([1e-3 * s[:, :1] for s in SUMS], "r2", 0.85),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_learnt_in_float_and_in_integers(kind):
    y, metric, wanted = KINDS[kind]
    task = task_from({"X": X, "y": y}, metric=metric)
    model = train_float(task, TRAIN)
    assert model.network.result_size == task.output_size == len(model.labels)
    reached = model.score(task.test, task.metric)
    assert task.metric.meets(reached, wanted)
    assert task.metric.quality(baseline(task)) < task.metric.quality(reached)
    bundle = compress(task, model, uniform_spec(model.network, 0.5, lanes=4), SHRINK)
    assert task.metric.meets(bundle.notes["scores"]["test"], 0.9 * wanted)
    assert bundle.notes["metric"] == metric
    assert bundle.notes["every_step"] == task.every_step


def test_layers_with_projections():
    task = task_from({"X": X, "y": KINDS["values of steps"][0]}, metric="r2")
    model = train_float(task, dataclasses.replace(TRAIN, layers=2, projection=4, hidden=12))
    assert [(layer.hidden_size, layer.output_size) for layer in model.network.layers] == [(12, 4), (12, 4)]
    assert model.score(task.test, task.metric) > 0.8


def test_one_output_tells_two_classes_apart():
    y = KINDS["classes"][0]
    task = task_from({"X": X, "y": y})
    two = train_float(task, TRAIN)
    difference = two.network.head()[1:] - two.network.head()[:1]
    bias = two.network.head_bias[1:] - two.network.head_bias[:1]
    one = LstmNetwork(two.network.layers, type(two.network.head)(difference), bias).eval()
    model = FloatModel(one, two.mean, two.deviation, ("1",), TRAIN)
    for metric in ("accuracy", "f1", "bits"):
        assert model.score(task.test, METRICS[metric]) == pytest.approx(two.score(task.test, METRICS[metric]))
    bundle = compress(task, model, uniform_spec(one, lanes=4), SHRINK)
    assert bundle.notes["scores"]["test"] >= 85


@pytest.mark.parametrize(("outputs", "metric"), [(3, "agreement"), (1, "snr")])
@pytest.mark.parametrize("every_step", [True, False])
def test_without_targets_the_float_model_teaches(outputs, metric, every_step):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = raw_model(LstmNetwork.initial(2, 8, outputs).eval())
    task = task_from({"X": X}, every_step=every_step)
    with pytest.raises(DataError, match="no targets"):
        train_float(task, TRAIN)
    with pytest.raises(DataError, match="no targets"):
        baseline(task)
    with pytest.raises(DataError, match="for_model"):
        model.score(task.test, METRICS["snr"])
    taught = for_model(task, model)
    assert (taught.metric.name, taught.every_step, taught.taught) == (metric, every_step, True)
    assert model.score(taught.test, taught.metric) >= 100
    bundle = compress(taught, model, uniform_spec(model.network, lanes=4), SHRINK)
    assert bundle.notes["scores"]["test"] > (90 if metric == "agreement" else 20)
    assert evaluate(bundle, taught.test, METRICS["snr"]) > 20


def test_agreement_of_a_single_output_is_refused():
    model = raw_model(LstmNetwork.initial(2, 8, 1).eval())
    with pytest.raises(ConfigError, match="agreement needs at least 2 outputs"):
        for_model(task_from({"X": X}, metric="agreement"), model)


def test_a_task_with_targets_is_taught_by_nobody():
    task = task_from({"X": X, "y": KINDS["classes"][0]})
    assert for_model(task, raw_model(LstmNetwork.initial(2, 8, 2).eval())) is task


def streams():
    """Two pieces of 16 steps a stream: the first ends with a pulse, and the second begins by telling its sign."""
    rng = np.random.default_rng(1)
    pulses = rng.permutation(np.repeat([-1.0, 1.0], 30))
    X, y, stream, split = [], [], [], []
    for k, pulse in enumerate(pulses):
        for piece in range(2):
            x = rng.normal(size=(16, 1)) * 0.1
            x[-4:, 0] += 2 * pulse * (piece == 0)
            X.append(x)
            y.append(np.full(16, IGNORED))
            y[-1][:4] = int(pulse > 0) if piece else IGNORED
            stream.append(k)
            split.append("train" if k < 40 else "validation" if k < 50 else "test")
    return {"X": X, "y": y, "stream": np.array(stream), "split": split}


def test_the_state_of_a_stream_is_carried_from_chunk_to_chunk():
    """No chunk that has a target shows what it is: without the state of the chunk before there is nothing to learn."""
    arrays = streams()
    task = task_from(arrays)
    settings = dataclasses.replace(TRAIN, chunk=16, epochs=15)
    model = train_float(task, settings)
    carried = model.score(task.test, task.metric)
    assert carried > 95
    (piece,) = {len(x) for x in arrays["X"]}
    cut = [x[-piece:] for x in task.test.sequences]
    fresh = model.score(Split(cut, [y[-piece:] for y in task.test.targets]), task.metric)
    assert fresh < 75
    bundle = compress(task, model, uniform_spec(model.network, lanes=4), SHRINK)
    assert bundle.notes["scores"]["test"] > 95


def test_chunks_in_integers_give_what_the_whole_sequence_gives():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = LstmNetwork.initial(2, 8, 3, layers=2, projection=4)
        x = torch.randn(20, 5, 2)
    student = QuantisedNetwork(network, uniform_spec(network, lanes=4), list(x.unbind(dim=1)))
    whole, states = student.carried(x)
    first, between = student.carried(x[:7])
    second, after = student.carried(x[7:], between)
    assert torch.equal(torch.cat([first, second]), whole)
    for (y, c), (same_y, same_c) in zip(states, after, strict=True):
        assert torch.equal(y, same_y)
        assert torch.equal(c, same_c)
