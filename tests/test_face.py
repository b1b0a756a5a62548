"""The Python face: a user's own module to a proof, in fifteen lines."""

import inspect

import numpy as np
import pytest
import torch
from torch import nn

import gatewright as gw
from gatewright import face

pytestmark = pytest.mark.slow


class Net(nn.Module):
    """A user's own classifier."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 12, batch_first=True)
        self.classifier = nn.Linear(12, 3)

    def forward(self, x):
        return self.classifier(self.lstm(x)[0][:, -1])


def way(network, X, y, folder):
    import gatewright as gw

    model = gw.import_model(network, head="classifier")
    data = gw.load_data({"X": X, "y": y})
    small = gw.quantise(model, data, bits=4, density=0.5, lanes=4, prune_epochs=2, quantise_epochs=1)
    design = gw.compile(small)
    estimate = design.estimate(steps=20)
    proof = design.verify(data)
    outputs = design.run(X[0])
    run = design.write(folder, proof=proof)
    report = gw.report(folder)
    return model, small, estimate, proof, outputs, run, report


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    torch.manual_seed(0)
    network = Net()
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 9, 3)).astype(np.float32)
    y = network(torch.from_numpy(X)).argmax(dim=1).numpy()
    y[:9] = [0, 1, 2] * 3
    return way(network, X, y, tmp_path_factory.mktemp("face") / "fpga"), network, X


def test_fifteen_lines_are_enough():
    lines = inspect.getsource(way).splitlines()[1:]
    assert sum(bool(line.strip()) for line in lines) <= 15


def test_the_way_ends_in_a_proof(walked):
    (model, _, estimate, proof, outputs, run, report), _, _ = walked
    assert model.difference < 1e-6
    assert proof.mismatches == 0
    assert proof.compared > 100
    assert proof.verdict(run.root) == "PASS"
    assert (report.verdict, report.unproven) == ("PASS", ())
    assert estimate.cycles > 0
    assert outputs.shape == (1, 3)


def test_running_gives_what_the_integer_model_gives(walked):
    (_, small, _, _, outputs, _, _), network, X = walked
    from gatewright.sw.integer import integer_results

    (expected,) = integer_results(small.bundle, [X[0]])
    assert np.array_equal(outputs[-1], expected[-1])
    exact = network(torch.from_numpy(X[:1])).detach().numpy()[0]
    assert np.abs(outputs[-1] - exact).max() < 1.5 * np.abs(exact).max()


def test_a_build_is_opened_again(walked):
    run = walked[0][5]
    again = gw.open_build(run.root)
    assert again.model().name == "model"
    assert np.array_equal(again.run(walked[2][0]), walked[0][4])
    assert [each.shape for each in again.run([walked[2][0], walked[2][1]])] == [(1, 3), (1, 3)]
    with pytest.raises(gw.errors.ConfigError, match="no model other"):
        again.run(walked[2][0], name="other")


def test_every_name_of_the_face_is_there_and_documented():
    for name in gw.__all__:
        found = getattr(gw, name)
        if name not in ("__version__", "errors"):
            assert inspect.getdoc(found), name
    assert set(gw._HOMES) | {"__version__"} == set(gw.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        getattr(gw, "nothing")  # noqa: B009
    assert set(gw._HOMES) <= set(dir(gw))


def test_functions_say_each_of_their_parameters():
    for name, function in inspect.getmembers(face, inspect.isfunction):
        if function.__module__ == face.__name__ and len(inspect.signature(function).parameters) > 6:
            text = inspect.getdoc(function)
            for parameter in inspect.signature(function).parameters:
                assert parameter in text, (name, parameter)
