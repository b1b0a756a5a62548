"""Kinds of PyTorch modules that people write around an LSTM, each with an input and its own forward.

`KINDS` has their names; `built` gives one of them. `difference` says how far an imported model is from the module's own
forward, whatever file the model came from.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune, rnn
from written import (
    FEATURES,
    HIDDEN,
    First,
    LearnedState,
    NamedLstm,
    Net,
    NormalisedCell,
    PeepholeCell,
    ReluCell,
    SameLstm,
    ScaledLstm,
    WeightDropped,
)

from gatewright.sw.models import FloatModel
from gatewright.sw.network import quiet_projections

STEPS, BATCH, CLASSES = 7, 2, 3


@dataclass(frozen=True)
class Kind:
    """A module, what it is run on, and what a user would ask an import for.

    Parameters
    ----------
    module : nn.Module
        In evaluation mode.
    x : tensor
        What its forward takes: [batch, steps, features], or [steps, batch, features] without `batch_first`.
    lstm, head : str, optional
        Options of `import_model`, names as PyTorch has them.
    batch_first : bool
        Layout of `x` and of outputs per step.
    inputs : callable
        Compute what the LSTM takes, in the layout of `x`, of the module and `x`.
    """

    module: nn.Module
    x: Tensor
    lstm: str | None = None
    head: str | None = None
    batch_first: bool = True
    inputs: Callable[[nn.Module, Tensor], Tensor] = lambda module, x: x


KINDS: dict[str, Callable[[], Kind]] = {}


def kind(build: Callable[[], Kind]) -> Callable[[], Kind]:
    """Enter a kind under the name of the function that builds it."""
    KINDS[build.__name__] = build
    return build


def built(name: str) -> Kind:
    """Build a kind, the same one every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = KINDS[name]()
        made.module.eval()
        return made


@torch.no_grad()
def expected(made: Kind) -> Tensor:
    """Run the module itself: its output, or the first of several."""
    with quiet_projections():
        output = made.module(made.x)
    return output if isinstance(output, Tensor) else output[0]


@torch.no_grad()
def difference(made: Kind, model: FloatModel, *, reversed_time: bool = False) -> float:
    """Compare a model's outputs or logits with the module's own, at every step or at the last one.

    Returns
    -------
    float
        The largest absolute difference; infinite where the shapes do not go together.
    """
    wanted = expected(made).double()
    x = made.inputs(made.module, made.x).float()
    x = x.transpose(0, 1) if made.batch_first else x
    ours = model.network.logits(model.network(x.flip(0) if reversed_time else x)).double()
    ours = ours.flip(0) if reversed_time else ours
    every = ours.transpose(0, 1) if made.batch_first else ours
    forms = [form for form in (every, ours[-1]) if form.numel() == wanted.numel()]
    return min(
        (float((form.reshape(wanted.shape) - wanted).abs().max()) for form in forms), default=float("inf")
    )


def batch_first(features: int = FEATURES) -> Tensor:
    return torch.randn(BATCH, STEPS, features)


def lstm(inputs: int = FEATURES, hidden: int = HIDDEN, layers: int = 1, **options) -> nn.LSTM:
    return nn.LSTM(inputs, hidden, layers, batch_first=True, **options)


def stepwise(*cells: nn.LSTMCell) -> Callable[[Net, Tensor], Tensor]:
    """Make a forward that runs cells over the steps of [batch, steps, features], from zero states."""

    def run(net: Net, x: Tensor) -> Tensor:
        states = [(x.new_zeros(len(x), HIDDEN), x.new_zeros(len(x), HIDDEN)) for _ in cells]
        outputs = []
        for value in x.unbind(1):
            for k, cell in enumerate(cells):
                states[k] = cell(value, states[k])
                value = states[k][0]
            outputs.append(value)
        return torch.stack(outputs, 1)

    return run


def cell_net(cell: nn.LSTMCell) -> Kind:
    return Kind(Net(stepwise(cell), cell=cell), batch_first())


def between(*layers: nn.Module) -> Kind:
    net = Net(
        lambda net, x: net.fc(net.between(net.lstm(x)[0])),
        lstm=lstm(),
        between=nn.Sequential(*layers),
        fc=nn.Linear(HIDDEN, CLASSES),
    )
    return Kind(net, batch_first(), head="fc")


@kind
def plain() -> Kind:
    return Kind(nn.LSTM(FEATURES, HIDDEN), torch.randn(STEPS, BATCH, FEATURES), batch_first=False)


@kind
def plain_batch_first() -> Kind:
    return Kind(lstm(), batch_first())


@kind
def three_layers_without_bias() -> Kind:
    return Kind(lstm(layers=3, bias=False), batch_first())


@kind
def projected_layers() -> Kind:
    return Kind(lstm(layers=2, proj_size=4), batch_first())


@kind
def dropout_between_layers() -> Kind:
    return Kind(lstm(layers=2, dropout=0.3), batch_first())


@kind
def time_major_classifier() -> Kind:
    net = Net(
        lambda net, x: net.fc(net.lstm(x)[0]), lstm=nn.LSTM(FEATURES, HIDDEN), fc=nn.Linear(HIDDEN, CLASSES)
    )
    return Kind(net, torch.randn(STEPS, BATCH, FEATURES), head="fc", batch_first=False)


@kind
def classifier_of_the_last_step() -> Kind:
    net = Net(lambda net, x: net.fc(net.lstm(x)[0][:, -1]), lstm=lstm(), fc=nn.Linear(HIDDEN, CLASSES))
    return Kind(net, batch_first(), head="fc")


@kind
def classifier_of_the_last_state() -> Kind:
    net = Net(
        lambda net, x: net.fc(net.lstm(x)[1][0][-1]), lstm=lstm(layers=2), fc=nn.Linear(HIDDEN, CLASSES)
    )
    return Kind(net, batch_first(), head="fc")


@kind
def classifier_of_every_step() -> Kind:
    net = Net(lambda net, x: net.fc(net.lstm(x)[0]), lstm=lstm(), fc=nn.Linear(HIDDEN, CLASSES, bias=False))
    return Kind(net, batch_first(), head="fc")


@kind
def regression_squeezed() -> Kind:
    net = Net(lambda net, x: net.fc(net.lstm(x)[0]).squeeze(-1), lstm=lstm(layers=2), fc=nn.Linear(HIDDEN, 1))
    return Kind(net, batch_first(), head="fc")


@kind
def sequential() -> Kind:
    net = nn.Sequential(lstm(), First(), nn.Dropout(0.2), nn.Linear(HIDDEN, CLASSES))
    return Kind(net, batch_first(), head="3")


@kind
def no_head_asked_for() -> Kind:
    net = Net(lambda net, x: net.fc(net.lstm(x)[0]), lstm=lstm(), fc=nn.Linear(HIDDEN, CLASSES))
    return Kind(net, batch_first())


@kind
def layer_norm_between() -> Kind:
    return between(nn.LayerNorm(HIDDEN), nn.ReLU())


@kind
def linear_between() -> Kind:
    return between(nn.Linear(HIDDEN, HIDDEN), nn.ReLU())


@kind
def relu_between() -> Kind:
    return between(nn.ReLU())


@kind
def nothing_between() -> Kind:
    return between(nn.Dropout(0.5), nn.Identity())


@kind
def softmax_after() -> Kind:
    net = Net(
        lambda net, x: net.softmax(net.fc(net.lstm(x)[0])),
        lstm=lstm(),
        fc=nn.Linear(HIDDEN, CLASSES),
        softmax=nn.Softmax(-1),
    )
    return Kind(net, batch_first(), head="fc")


@kind
def sigmoid_after() -> Kind:
    net = Net(lambda net, x: net.fc(net.lstm(x)[0]).sigmoid(), lstm=lstm(), fc=nn.Linear(HIDDEN, 1))
    return Kind(net, batch_first(), head="fc")


@kind
def two_heads() -> Kind:
    def run(net: Net, x: Tensor) -> tuple[Tensor, Tensor]:
        outputs = net.lstm(x)[0]
        return net.policy(outputs), net.value(outputs)

    net = Net(run, lstm=lstm(), policy=nn.Linear(HIDDEN, CLASSES), value=nn.Linear(HIDDEN, 1))
    return Kind(net, batch_first(), head="policy")


@kind
def mean_over_steps() -> Kind:
    net = Net(lambda net, x: net.fc(net.lstm(x)[0].mean(1)), lstm=lstm(), fc=nn.Linear(HIDDEN, CLASSES))
    return Kind(net, batch_first(), head="fc")


@kind
def attention() -> Kind:
    def run(net: Net, x: Tensor) -> Tensor:
        outputs = net.lstm(x)[0]
        return net.fc((net.attention(outputs).softmax(1) * outputs).sum(1))

    net = Net(run, lstm=lstm(), attention=nn.Linear(HIDDEN, 1), fc=nn.Linear(HIDDEN, CLASSES))
    return Kind(net, batch_first(), head="fc")


@kind
def residual() -> Kind:
    net = Net(
        lambda net, x: net.fc(net.lstm(x)[0] + x), lstm=lstm(HIDDEN, HIDDEN), fc=nn.Linear(HIDDEN, CLASSES)
    )
    return Kind(net, batch_first(HIDDEN), head="fc")


@kind
def embedding_before() -> Kind:
    net = Net(
        lambda net, x: net.fc(net.lstm(net.embedding(x))[0][:, -1]),
        embedding=nn.Embedding(20, FEATURES),
        lstm=lstm(),
        fc=nn.Linear(HIDDEN, CLASSES),
    )
    x = torch.randint(0, 20, (BATCH, STEPS))
    return Kind(net, x, head="fc", inputs=lambda net, x: net.embedding(x))


@kind
def convolution_before() -> Kind:
    def features(net: Net, x: Tensor) -> Tensor:
        return net.conv(x.transpose(1, 2)).relu().transpose(1, 2)

    net = Net(
        lambda net, x: net.fc(net.lstm(features(net, x))[0]),
        conv=nn.Conv1d(4, FEATURES, 3, padding=1),
        lstm=lstm(),
        fc=nn.Linear(HIDDEN, CLASSES),
    )
    return Kind(net, batch_first(4), head="fc", inputs=features)


@kind
def linear_before() -> Kind:
    net = Net(
        lambda net, x: net.fc(net.lstm(net.project(x))[0]),
        project=nn.Linear(6, FEATURES),
        lstm=lstm(),
        fc=nn.Linear(HIDDEN, CLASSES),
    )
    return Kind(net, batch_first(6), head="fc", inputs=lambda net, x: net.project(x))


@kind
def scaled_before() -> Kind:
    net = Net(lambda net, x: net.lstm(x / 4)[0], lstm=lstm())
    return Kind(net, batch_first())


@kind
def last_step_first() -> Kind:
    net = Net(lambda net, x: net.lstm(x.flip(1))[0][:, -1], lstm=lstm())
    return Kind(net, batch_first())


@kind
def two_lstms_in_a_row() -> Kind:
    net = Net(
        lambda net, x: net.fc(net.lstm2(net.lstm1(x)[0])[0]),
        lstm1=lstm(),
        lstm2=lstm(HIDDEN, 6),
        fc=nn.Linear(6, CLASSES),
    )
    return Kind(net, batch_first(), lstm="lstm1,lstm2", head="fc")


@kind
def tanh_between_lstms() -> Kind:
    net = Net(lambda net, x: net.lstm2(net.lstm1(x)[0].tanh())[0], lstm1=lstm(), lstm2=lstm(HIDDEN, HIDDEN))
    return Kind(net, batch_first(), lstm="lstm1,lstm2")


@kind
def encoder_and_decoder() -> Kind:
    def run(net: Net, x: Tensor) -> Tensor:
        return net.fc(net.decoder(x, net.encoder(x)[1])[0])

    net = Net(run, encoder=lstm(), decoder=lstm(), fc=nn.Linear(HIDDEN, CLASSES))
    return Kind(net, batch_first(), lstm="decoder", head="fc")


@kind
def cell() -> Kind:
    return cell_net(nn.LSTMCell(FEATURES, HIDDEN))


@kind
def cells_in_a_row() -> Kind:
    cells = [nn.LSTMCell(FEATURES, HIDDEN), nn.LSTMCell(HIDDEN, HIDDEN)]
    return Kind(Net(stepwise(*cells), cells=nn.ModuleList(cells)), batch_first(), lstm="cells.0,cells.1")


@kind
def bidirectional() -> Kind:
    return Kind(lstm(bidirectional=True), batch_first())


@kind
def bidirectional_forward() -> Kind:
    net = Net(lambda net, x: net.lstm(x)[0][..., :HIDDEN], lstm=lstm(bidirectional=True))
    return Kind(net, batch_first(), lstm="lstm:forward")


@kind
def bidirectional_reverse() -> Kind:
    net = Net(lambda net, x: net.lstm(x)[0][..., HIDDEN:], lstm=lstm(bidirectional=True, bias=False))
    return Kind(net, batch_first(), lstm="lstm:reverse")


@kind
def bidirectional_layers() -> Kind:
    net = Net(lambda net, x: net.lstm(x)[0][..., :HIDDEN], lstm=lstm(layers=2, bidirectional=True))
    return Kind(net, batch_first(), lstm="lstm:forward")


@kind
def weight_norm() -> Kind:
    module = parametrizations.weight_norm(lstm(), "weight_hh_l0")
    with torch.no_grad():
        module.parametrizations.weight_hh_l0.original0.mul_(1.5)
    return Kind(Net(lambda net, x: net.lstm(x)[0], lstm=module), batch_first())


@kind
def weight_norm_of_old() -> Kind:
    module = lstm()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        nn.utils.weight_norm(module, "weight_ih_l0")
    with torch.no_grad():
        module.weight_ih_l0_g.mul_(1.5)
    return Kind(Net(lambda net, x: net.lstm(x)[0], lstm=module), batch_first())


@kind
def pruned() -> Kind:
    module = lstm()
    prune.l1_unstructured(module, "weight_hh_l0", 0.5)
    return Kind(Net(lambda net, x: net.lstm(x)[0], lstm=module), batch_first())


@kind
def spectral_norm() -> Kind:
    module = parametrizations.spectral_norm(lstm(), "weight_hh_l0")
    return Kind(Net(lambda net, x: net.lstm(x)[0], lstm=module), batch_first())


@kind
def weight_dropout() -> Kind:
    return Kind(Net(lambda net, x: net.lstm(x), lstm=WeightDropped()), batch_first())


@kind
def normalised_cell() -> Kind:
    return cell_net(NormalisedCell())


@kind
def peephole_cell() -> Kind:
    return cell_net(PeepholeCell())


@kind
def relu_cell() -> Kind:
    return cell_net(ReluCell(FEATURES, HIDDEN))


@kind
def subclass_that_computes_the_same() -> Kind:
    return Kind(SameLstm(FEATURES, HIDDEN, batch_first=True), batch_first())


@kind
def subclass_that_scales() -> Kind:
    return Kind(ScaledLstm(FEATURES, HIDDEN, batch_first=True), batch_first())


@kind
def subclass_without_a_forward() -> Kind:
    return Kind(NamedLstm(), batch_first())


@kind
def learned_initial_state() -> Kind:
    return Kind(LearnedState(), batch_first())


@kind
def constant_initial_state() -> Kind:
    def run(net: Net, x: Tensor) -> Tensor:
        ones = x.new_ones(1, len(x), HIDDEN)
        return net.lstm(x, (ones, ones))[0]

    return Kind(Net(run, lstm=lstm()), batch_first())


@kind
def packed_sequences() -> Kind:
    def run(net: Net, x: Tensor) -> Tensor:
        packed = rnn.pack_padded_sequence(x, torch.full((len(x),), x.shape[1]), batch_first=True)
        return rnn.pad_packed_sequence(net.lstm(packed)[0], batch_first=True)[0]

    return Kind(Net(run, lstm=lstm()), batch_first())


@kind
def double_precision() -> Kind:
    return Kind(lstm().double(), batch_first().double())


@kind
def data_parallel() -> Kind:
    inner = Net(lambda net, x: net.fc(net.lstm(x)[0]), lstm=lstm(), fc=nn.Linear(HIDDEN, CLASSES))
    return Kind(nn.DataParallel(inner), batch_first(), head="fc")


@kind
def gru() -> Kind:
    return Kind(nn.GRU(FEATURES, HIDDEN, batch_first=True), batch_first())


@kind
def plain_rnn() -> Kind:
    return Kind(nn.RNN(FEATURES, HIDDEN, batch_first=True), batch_first())


@kind
def no_lstm() -> Kind:
    return Kind(
        nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES)), batch_first()
    )
