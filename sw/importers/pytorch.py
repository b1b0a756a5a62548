"""Import of PyTorch's `nn.LSTM` and `nn.LSTMCell`, from a module or from the file of a state dict."""

import pickle
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from gatewright.errors import ModelImportError
from gatewright.sw.importers.check import Batch, Given, Imported, compared
from gatewright.sw.importers.weights import exact_float32, raw_model
from gatewright.sw.network import LayerParameters, LstmNetwork, ProductParameters, quiet_projections

_FIRST = re.compile(r"(?P<prefix>|.*\.)weight_ih(?P<layered>_l0)?")
_OTHER_CELLS = {3: "a GRU", 1: "a plain RNN"}


class TorchSource:
    """`nn.LSTM` or `nn.LSTMCell` with the weights of a state dict, as PyTorch runs it."""

    engine = f"PyTorch {torch.__version__}"
    lengths = False

    def __init__(self, lstm: nn.LSTM | nn.LSTMCell, head: tuple[Tensor, Tensor | None] | None):
        self._lstm, self._head = lstm.eval(), head
        # States are arguments of the call, so they always come from outside.
        self.given: Sequence[Given] = [(True, True)] * getattr(lstm, "num_layers", 1)

    @quiet_projections()
    def outputs(self, batch: Batch) -> Tensor:
        """Give the last layer's outputs [steps, batch, outputs]."""
        if isinstance(self._lstm, nn.LSTM):
            h, c = (torch.stack(parts) for parts in zip(*batch.states, strict=True))
            return self._lstm(batch.x, (h, c))[0]
        state, steps = batch.states[0], []
        for x in batch.x:
            state = self._lstm(x, state)
            steps.append(state[0])
        return torch.stack(steps)

    def logits(self, outputs: Tensor) -> Tensor:
        """Give the linear head's logits of outputs."""
        assert self._head is not None
        return functional.linear(outputs, *self._head)


def from_lstm(module: nn.LSTM | nn.LSTMCell, head: nn.Linear | None = None) -> Imported:
    """Import a PyTorch module.

    Parameters
    ----------
    module : nn.LSTM or nn.LSTMCell
        Any layers and projection, with biases or without, of one direction.
    head : nn.Linear, optional
        What follows on the LSTM's outputs.

    Raises
    ------
    ModelImportError
        The module is another one, is bidirectional, or its weights are not finite float32 numbers.
    """
    for part, kinds in ((module, (nn.LSTM, nn.LSTMCell)), (head, (nn.Linear, type(None)))):
        if not isinstance(part, kinds):
            legal = " or ".join(f"nn.{kind.__name__}" for kind in kinds if kind is not type(None))
            raise ModelImportError(f"{type(part).__name__} cannot be imported; only {legal} can")
    state = {f"lstm.{key}": value for key, value in module.state_dict().items()}
    if head is not None:
        state |= {f"head.{key}": value for key, value in head.state_dict().items()}
    return from_state(state, "the module", "lstm", None if head is None else "head")


def import_pytorch(path: Path, lstm: str | None, head: str | None) -> Imported:
    """Import a file of a state dict, as ``torch.save(model.state_dict(), path)`` writes it; see `import_model`."""
    advice = (
        "load it where you trust it and save its weights alone: torch.save(model.state_dict(), 'weights.pt')"
    )
    try:
        if _is_torchscript(path):
            raise ModelImportError(
                f"{path}: a TorchScript archive, whose code an import never runs; {advice}"
            )
        stored = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(stored, Mapping):
            raise ModelImportError(
                f"{path}: holds a {type(stored).__name__}, not a state dict of names and tensors; {advice}"
            )
        state = _flat(stored)
    except ModelImportError:
        raise
    except FileNotFoundError as cause:
        raise ModelImportError(f"{path}: no such file") from cause
    except Exception as cause:
        # A damaged file makes torch raise what no list could name in full.
        if isinstance(cause, pickle.UnpicklingError) and "WeightsUnpickler" in str(cause):
            raise ModelImportError(
                f"{path}: pickled Python objects beside tensors, which an import never executes; {advice}"
            ) from cause
        reason = f"{type(cause).__name__}: {cause}".partition("\n")[0]
        raise ModelImportError(f"{path}: not a whole file of PyTorch tensors ({reason})") from cause
    return from_state(state, str(path), lstm, head)


def from_state(state: Mapping[str, Tensor], where: str, lstm: str | None, head: str | None) -> Imported:
    """Import a state dict.

    Parameters
    ----------
    state : mapping
        Tensors by their dotted names.
    where : str
        What the state belongs to, for errors.
    lstm : str, optional
        Prefix of the LSTM's entries; needed if there are several.
    head : str, optional
        Prefix of the head's ``weight`` and ``bias``.

    Raises
    ------
    ModelImportError
        There is no LSTM, or not all about it is honoured.
    """
    prefix, layered = _choose(state, where, lstm)
    entries = {
        key.removeprefix(prefix): value
        for key, value in state.items()
        if key.startswith(prefix) and "." not in key.removeprefix(prefix)
    }
    label = f"{where}: LSTM {prefix.removesuffix('.') or '(no prefix)'}"
    backwards = [key for key in entries if key.endswith("_reverse")]
    if backwards:
        raise ModelImportError(
            f"{label} is bidirectional ({backwards[0]}); the accelerator runs forwards in time: import two nn.LSTM "
            "with the weights of one direction each, and let the host reverse the second one's input and output"
        )
    weights = {key: exact_float32(value, f"{where}: {prefix}{key}") for key, value in entries.items()}
    unused = dict(weights)
    layers: list[LayerParameters] = []
    while f"weight_ih_l{len(layers)}" in unused or (not layered and not layers):
        inputs = layers[-1].output_size if layers else None
        layers.append(_layer(unused, f"_l{len(layers)}" if layered else "", inputs, label))
    if unused:
        raise ModelImportError(
            f"{label} has the entries {', '.join(unused)}, which no nn.LSTM{'' if layered else 'Cell'} of "
            f"{len(layers)} layers has: not a plain LSTM, or one with a layer missing"
        )
    linear = None if head is None else _head(state, where, head)
    if linear is not None and linear[0].shape[1] != layers[-1].output_size:
        raise ModelImportError(
            f"{where}: {head}.weight takes {linear[0].shape[1]} inputs, but the LSTM gives {layers[-1].output_size}"
        )
    network = LstmNetwork(layers, linear and ProductParameters(linear[0]), linear and linear[1])
    source = TorchSource(_module(network, weights, layered), linear)
    return compared(raw_model(network), source, False, [f"{label}, {len(layers)} layers"])


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _flat(stored: Mapping[Any, Any], prefix: str = "") -> dict[str, Tensor]:
    """Give the tensors of nested dicts, as checkpoints hold them, by dotted names."""
    flat: dict[str, Tensor] = {}
    for key, value in stored.items():
        if isinstance(value, Tensor):
            flat[f"{prefix}{key}"] = value
        elif isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
    return flat


def _choose(state: Mapping[str, Tensor], where: str, lstm: str | None) -> tuple[str, bool]:
    """Give the prefix of the LSTM's entries, and whether they are numbered by layer as those of `nn.LSTM` are."""
    found = {m["prefix"]: bool(m["layered"]) for m in map(_FIRST.fullmatch, state) if m}
    if not found:
        keys = ", ".join(list(state)[:8]) or "nothing"
        raise ModelImportError(
            f"{where}: no entry weight_ih_l0 of an nn.LSTM or weight_ih of an nn.LSTMCell; it holds {keys}"
        )
    names = [prefix.removesuffix(".") for prefix in found]
    if lstm is None and len(found) > 1:
        raise ModelImportError(f"{where}: several LSTMs; choose one of {', '.join(names)} by its name")
    chosen = names[0] if lstm is None else lstm
    if chosen not in names:
        raise ModelImportError(f"{where}: no LSTM named {lstm}; there are {', '.join(names)}")
    prefix = f"{chosen}." if chosen else ""
    return prefix, found[prefix]


def _layer(unused: dict[str, Tensor], suffix: str, inputs: int | None, label: str) -> LayerParameters:
    """Take one layer's entries out of `unused`; `inputs` is what the layer below gives."""

    def take(name: str, *shape: int | None) -> Tensor:
        try:
            value = unused.pop(name + suffix)
        except KeyError:
            raise ModelImportError(f"{label}: entry {name}{suffix} is missing") from None
        fits = value.dim() == len(shape) and all(
            size > 0 and legal in (None, size) for legal, size in zip(shape, value.shape, strict=True)
        )
        if not fits:
            legal = ", ".join("at least 1" if size is None else str(size) for size in shape)
            raise ModelImportError(
                f"{label}: {name}{suffix} has shape {list(value.shape)}; it must be [{legal}]"
            )
        return value

    recurrent = take("weight_hh", None, None)
    rows, outputs = recurrent.shape
    projection = None
    if f"weight_hr{suffix}" in unused:
        projection = take("weight_hr", outputs, rows // 4)
    elif rows != 4 * outputs:
        for gates, cell in _OTHER_CELLS.items():
            if rows == gates * outputs:
                raise ModelImportError(
                    f"{label}: weight_hh{suffix} has {gates} x {outputs} rows, as {cell} has; only LSTMs are honoured"
                )
        raise ModelImportError(
            f"{label}: weight_hh{suffix} has shape {[rows, outputs]}; it must be [4 * hidden, hidden], or "
            f"[4 * hidden, outputs] with a projection weight_hr{suffix}"
        )
    input = take("weight_ih", rows, inputs)
    bias = torch.zeros(rows)
    if f"bias_ih{suffix}" in unused or f"bias_hh{suffix}" in unused:
        bias = take("bias_ih", rows) + take("bias_hh", rows)
    return LayerParameters(
        ProductParameters(input),
        ProductParameters(recurrent),
        bias,
        None if projection is None else ProductParameters(projection),
    )


def _head(state: Mapping[str, Tensor], where: str, head: str) -> tuple[Tensor, Tensor | None]:
    """Give the weight [classes, outputs] and the bias [classes] of a linear layer."""
    name = f"{head}.weight"
    if name not in state:
        linear = [
            key.removesuffix(".weight")
            for key, value in state.items()
            if key.endswith(".weight") and value.dim() == 2
        ]
        raise ModelImportError(
            f"{where}: no linear layer named {head}; there are {', '.join(linear) or 'none'}"
        )
    weight = exact_float32(state[name], f"{where}: {name}")
    bias = state.get(f"{head}.bias")
    if weight.dim() != 2 or (bias is not None and bias.shape != weight.shape[:1]):
        shapes = [list(weight.shape), None if bias is None else list(bias.shape)]
        raise ModelImportError(
            f"{where}: {head} must have a weight [classes, outputs] and a bias [classes], not {shapes}"
        )
    return weight, None if bias is None else exact_float32(bias, f"{where}: {head}.bias")


def _module(network: LstmNetwork, weights: Mapping[str, Tensor], layered: bool) -> nn.LSTM | nn.LSTMCell:
    """Build PyTorch's own module around a state dict."""
    first = network.layers[0]
    bias = any(name.startswith("bias") for name in weights)
    lstm: nn.LSTM | nn.LSTMCell
    if layered:
        projected = first.output_size if first.projection is not None else 0
        lstm = nn.LSTM(
            first.input_size, first.hidden_size, len(network.layers), bias=bias, proj_size=projected
        )
    else:
        lstm = nn.LSTMCell(first.input_size, first.hidden_size, bias=bias)
    try:
        lstm.load_state_dict(dict(weights))
    except RuntimeError as cause:
        raise ModelImportError(
            f"the layers do not form one nn.LSTM: {' '.join(str(cause).split())}"
        ) from cause
    return lstm
