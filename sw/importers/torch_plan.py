"""What an import takes out of a state: the LSTMs, the head, and lists of what was taken and what was not."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from gatewright.errors import ModelImportError
from gatewright.sw.importers.torch_head import Head, candidates, check_head, find_head
from gatewright.sw.importers.torch_layers import layers_of
from gatewright.sw.importers.torch_parts import Part, Selected, choose, find_parts
from gatewright.sw.importers.torch_state import State
from gatewright.sw.importers.weights import exact_float32, rounded_float32
from gatewright.sw.network import LayerParameters, LstmNetwork, ProductParameters


@dataclass(frozen=True)
class Plan:
    """A network made of a state, and what is known about it.

    Parameters
    ----------
    selected : list of Selected
    network : LstmNetwork
    head : Head or None
    heads : tuple of Head
        Linear layers that take as many inputs as the network gives outputs, if no head was asked for.
    taken, left_out, notes : tuple of str
        See `Imported`.
    """

    selected: list[Selected]
    network: LstmNetwork
    head: Head | None
    heads: tuple[Head, ...]
    taken: tuple[str, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def reversed_time(self) -> bool:
        """Whether the model reads sequences from their end."""
        return self.selected[0].reverse


class _Converter:
    """Weights as float32: exactly, or rounded with the largest relative change kept."""

    def __init__(self, rounding: bool):
        self._rounding, self.change = rounding, 0.0

    def __call__(self, values: Tensor, name: str) -> Tensor:
        if not self._rounding:
            return exact_float32(values, name)
        single, change = rounded_float32(values, name)
        self.change = max(self.change, change)
        return single


def plan(state: State, where: str, lstm: str | None, head: str | None, double: bool) -> Plan:
    """Choose the parts of a state, and make a network of them; see `import_model`.

    Raises
    ------
    ModelImportError
        There is no LSTM, or not all about it is honoured.
    """
    parts = find_parts(state)
    if not parts:
        keys = ", ".join(list(state.shapes)[:8]) or "nothing"
        raise ModelImportError(
            f"{where}: no entry weight_ih_l0 of an nn.LSTM or weight_ih of an nn.LSTMCell; it holds {keys}"
        )
    selected = choose(parts, where, lstm)
    linear = None if head is None else find_head(state, head)
    for part, _ in selected:
        _check_own(state, part, linear, where)
    convert = _Converter(double)
    layers: list[LayerParameters] = []
    for each in selected:
        upper = layers_of(each, where, convert)
        if layers and layers[-1].output_size != upper[0].input_size:
            raise ModelImportError(
                f"{where}: {each.part} takes {upper[0].input_size} inputs, but the LSTM before it gives "
                f"{layers[-1].output_size}"
            )
        layers += upper
    outputs = layers[-1].output_size
    if head is not None:
        linear = check_head(linear, state, where, head, outputs)
    names = [f"{p.prefix}{n}" for p, d in selected for n in p.entries if _of_direction(p, n, d)]
    weight = bias = None
    if linear is not None:
        weight = ProductParameters(convert(linear.weight, f"{where}: {linear.name}.weight"))
        bias = None if linear.bias is None else convert(linear.bias, f"{where}: {linear.name}.bias")
        names += linear.names
    taken = state.entries(names)
    count = "1 layer" if len(layers) == 1 else f"{len(layers)} layers"
    notes = [f"{_described(selected)}, {count}, {layers[0].input_size} to {outputs}"]
    if linear is not None:
        notes[0] += f", head {linear.name}, to {linear.weight.shape[0]}"
    folded = [name for name in names if name in state.origins]
    if folded:
        notes.append(f"masks or weight norms are folded into {', '.join(folded)}")
    if convert.change:
        notes.append(f"rounded to float32: weights changed by {convert.change:.2g} of themselves at most")
    if selected[0].reverse:
        notes.append("reverse: the host gives each sequence last step first and turns the outputs around")
    return Plan(
        selected,
        LstmNetwork(layers, weight, bias),
        linear,
        () if linear is not None else tuple(candidates(state, outputs)),
        state.listed(taken),
        state.listed(set(state.shapes) - taken),
        tuple(notes),
    )


def _of_direction(part: Part, entry: str, direction: str | None) -> bool:
    return direction is None or entry.endswith("_reverse") == (direction == "reverse")


def _described(selected: Sequence[Selected]) -> str:
    return " on ".join(f"{part}{':' * bool(way)}{way or ''}" for part, way in reversed(selected))


def _check_own(state: State, part: Part, head: Head | None, where: str) -> None:
    """Refuse entries around an LSTM that say that it computes something else."""
    label = f"{where}: {part}"
    raw = []
    for name in state.tensors:
        owner, dot, entry = name.rpartition(".")
        around = part.prefix.startswith(owner + dot)
        if around and entry.startswith(("weight_", "bias_")) and entry.endswith("_raw"):
            raw.append(name)
    if raw:
        raise ModelImportError(
            f"{label} is made of {', '.join(raw)} before every forward (weight dropout); copy them over the weights of "
            "the same name without _raw, and save an nn.LSTM with those"
        )
    nested = [
        name
        for name in state.tensors
        if name.startswith(part.prefix)
        and "." in name.removeprefix(part.prefix)
        and (head is None or name not in head.names)
    ]
    parametrized = [name for name in nested if name.removeprefix(part.prefix).startswith("parametrizations.")]
    if parametrized:
        raise ModelImportError(
            f"{label} has the parametrization {parametrized[0]}, which is no weight norm; write the weights themselves "
            "with torch.nn.utils.parametrize.remove_parametrizations before they are saved"
        )
    if nested:
        raise ModelImportError(
            f"{label} holds the entries {', '.join(nested)}, which no {part.kind} has: a cell with normalisers, "
            "peepholes or a forward of its own, not a plain LSTM"
        )
