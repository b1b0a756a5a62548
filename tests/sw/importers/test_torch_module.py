import numpy as np
import pytest
import torch
from torch import nn

from gatewright.sw.importers import ModelImportError, from_lstm, import_model

FEATURES, HIDDEN = 5, 8


class Net(nn.Module):
    """A forward over parts by name."""

    def __init__(self, forward, **parts):
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self.forward = lambda *x: forward(self, *x)


def lstm(inputs=FEATURES):
    return nn.LSTM(inputs, HIDDEN, batch_first=True)


def has(notes, text):
    return any(text in note for note in notes)


def test_lstms_in_a_row_are_seen_from_the_run():
    net = Net(
        lambda n, x: n.fc(n.a(n.b(x)[0])[0]), a=lstm(HIDDEN), b=lstm(), fc=nn.Linear(HIDDEN, 3), spare=lstm()
    )
    imported = import_model(net, head="fc")
    x = torch.randn(1, 7, FEATURES)
    with torch.no_grad():
        expected = net(x)[0]
        ours = imported.model.network.logits(imported.model.network(x[0][:, None]))[:, 0]
    np.testing.assert_allclose(ours, expected, atol=1e-6)
    assert all(line.startswith("spare.") for line in imported.left_out)
    assert has(imported.notes, "nn.LSTM a on nn.LSTM b, 2 layers, 5 to 8, head fc, to 3")


def test_parts_that_are_no_row_have_to_be_chosen():
    net = Net(lambda n, x: n.a(x)[0] + n.b(x)[0], a=lstm(), b=lstm())
    with pytest.raises(
        ModelImportError, match=r"several LSTMs; choose one by --lstm: a \(5 to 8\), b \(5 to 8\)$"
    ):
        import_model(net)
    imported = import_model(net, lstm="b")
    assert has(
        imported.notes, "what follows b in the forward stays outside the model: operations that are no layers"
    )


def test_only_layers_on_the_lstm_are_advised():
    net = Net(
        lambda n, x: n.last(n.first(n.lstm(x)[0]).relu()),
        lstm=lstm(),
        first=nn.Linear(HIDDEN, HIDDEN),
        last=nn.Linear(HIDDEN, 2),
    )
    imported = import_model(net)
    assert imported.advice == ("first (Linear, 8 to 8) can be the head: --head first",)
    assert imported.left_out == (
        "first.weight [8, 8]",
        "first.bias [8]",
        "last.weight [2, 8]",
        "last.bias [2]",
    )
    imported = import_model(net, head="first")
    assert has(imported.notes, "what follows first in the forward stays outside the model: last (Linear)")


def test_the_output_that_is_the_models_is_named():
    def run(n, x):
        y = n.lstm(x)[0]
        return n.fc(y).tanh(), y

    imported = import_model(Net(run, lstm=lstm(), fc=nn.Linear(HIDDEN, 3)))
    assert has(imported.notes, "its output 2 is the model's at every step, those before it are not")


def test_a_forward_of_its_own_that_gives_other_things_is_run_by_itself():
    class Bare(nn.LSTM):
        def forward(self, x):
            return super().forward(x)[0]

    net = Net(lambda n, x: n.lstm(x), lstm=Bare(FEATURES, HIDDEN, batch_first=True))
    imported = import_model(net)
    assert has(imported.notes, "compared with Bare.forward of the same weights")
    assert has(imported.notes, "is not compared (it does not call lstm as an LSTM of PyTorch)")


def test_a_module_is_afterwards_as_it_was():
    net = Net(
        lambda n, x: n.fc(n.drop(n.lstm(n.norm(x.transpose(1, 2)).transpose(1, 2))[0])),
        norm=nn.BatchNorm1d(FEATURES),
        lstm=lstm(),
        drop=nn.Dropout(),
        fc=nn.Linear(HIDDEN, 2),
    )
    net.norm.eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    random = torch.random.get_rng_state()
    imported = import_model(net, head="fc")
    assert torch.equal(torch.random.get_rng_state(), random)
    assert [part.training for part in (net, net.norm, net.drop)] == [True, False, True]
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in net.modules())
    assert has(
        imported.notes, "what comes before lstm in the forward stays outside the model: norm (BatchNorm1d)"
    )


def test_forwards_that_take_states_or_lengths_are_run():
    def packed(n, x, lengths):
        return n.lstm(nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))[
            1
        ][0][-1]

    class Packed(Net):
        def __init__(self):
            super().__init__(packed, lstm=lstm())
            self.forward = lambda x, lengths: packed(self, x, lengths)

    class Stepped(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.LSTMCell(FEATURES, HIDDEN)

        def forward(self, x, h, c):
            return self.cell(x, (h, c))

    for net in (Packed(), Stepped()):
        assert has(import_model(net).notes, "its output is the model's at")


def test_a_forward_that_is_not_run_is_said():
    class Told(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.fc = lstm(), nn.Linear(HIDDEN, 2)

        def forward(self, x):
            raise RuntimeError("only on Sundays")

    imported = import_model(Told())
    assert has(imported.notes, "the forward of Told is not compared (RuntimeError: only on Sundays)")
    assert imported.advice == ("fc (Linear, 8 to 2) can be the head: --head fc",)


def test_a_part_that_the_forward_does_not_call_is_said():
    net = Net(lambda n, x: n.a(x)[0], a=lstm(), b=lstm())
    assert has(
        import_model(net, lstm="b").notes, "is not compared (it does not call b as an LSTM of PyTorch)"
    )
    assert has(import_model(net).notes, "nn.LSTM a, 1 layer,")


def test_a_head_that_is_not_called_is_compared_by_the_output():
    def run(n, x):
        return nn.functional.linear(n.lstm(x)[0], n.fc.weight, n.fc.bias)

    net = Net(run, lstm=lstm(), fc=nn.Linear(HIDDEN, 2))
    assert has(import_model(net, head="fc").notes, "its output is the model's at every step")
    net = Net(lambda n, x: run(n, x) * 2, lstm=lstm(), fc=nn.Linear(HIDDEN, 2))
    with pytest.raises(ModelImportError, match="its forward does not call fc, and returns something else"):
        import_model(net, head="fc")


def test_a_state_that_is_changed_on_its_way_is_refused():
    def run(n, x):
        h = c = x.new_zeros(len(x), HIDDEN)
        for value in x.unbind(1):
            new, c = n.cell(value, (h, c))
            h = 0.9 * new + 0.1 * h
        return h

    with pytest.raises(ModelImportError, match="its forward changes the state of cell between two calls"):
        import_model(Net(run, cell=nn.LSTMCell(FEATURES, HIDDEN)))


def test_limits_on_the_input_are_seen():
    imported = import_model(Net(lambda n, x: n.lstm(x.clamp(-5, 5))[0], lstm=lstm()))
    assert has(imported.notes, "what comes before lstm in the forward stays outside the model")


def test_precisions(tmp_path):
    torch.manual_seed(0)
    double = Net(
        lambda n, x: n.lstm(x)[0], lstm=nn.LSTM(FEATURES, HIDDEN, batch_first=True, dtype=torch.float64)
    )
    with pytest.raises(ModelImportError, match="do not fit float32 exactly; round them with --double"):
        import_model(double)
    imported = import_model(double, double=True)
    assert 0 < imported.difference <= 1e-6
    assert has(imported.notes, "its output is the model's at every step")
    with pytest.raises(
        ModelImportError, match=r"lstm\.weight_ih_l0 is torch\.float16; give module\.float\(\)"
    ):
        import_model(Net(lambda n, x: n.lstm(x)[0], lstm=lstm()).half())


def test_modules_of_other_kinds_are_refused():
    head = nn.Sequential(nn.Linear(HIDDEN, 2))
    with pytest.raises(ModelImportError, match=r"has no parameters of floating point"):
        import_model(nn.ReLU())
    net = Net(lambda n, x: n.norm(n.lstm(x)[0]), lstm=lstm(), norm=nn.Bilinear(HIDDEN, 1, 2), fc=head)
    with pytest.raises(ModelImportError, match=r"no linear layer named other; those of 8 inputs are fc\.0"):
        import_model(net, head="other")


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torchscript_is_refused():
    with pytest.raises(ModelImportError, match="is TorchScript; give the module that it was made of"):
        import_model(torch.jit.script(nn.Sequential(nn.Linear(2, 2))))


def test_an_lstm_and_a_head_that_lie_apart():
    lower, head = nn.LSTM(3, 4), nn.Linear(4, 2)
    imported = from_lstm(lower, head)
    assert not imported.left_out
    assert imported.taken[-2:] == ("head.weight [2, 4]", "head.bias [2]")
