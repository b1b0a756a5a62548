"""Linear layers in a state that can be the head of an LSTM."""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from gatewright.errors import ModelImportError
from gatewright.sw.importers.torch_state import State, resolve, shortest


@dataclass(frozen=True)
class Head:
    """A linear layer.

    Parameters
    ----------
    name : str
    option : str
        The shortest name that finds it.
    weight : tensor [outputs, inputs]
    bias : tensor [outputs], optional
    """

    name: str
    option: str
    weight: Tensor
    bias: Tensor | None

    @property
    def names(self) -> list[str]:
        """Names of its tensors in the state."""
        return [f"{self.name}.weight", *([] if self.bias is None else [f"{self.name}.bias"])]

    def __call__(self, x: Tensor) -> Tensor:
        """Compute logits of x [..., inputs]."""
        return functional.linear(x, self.weight.to(x), None if self.bias is None else self.bias.to(x))

    def __str__(self) -> str:
        return f"{self.name} (Linear, {self.weight.shape[1]} to {self.weight.shape[0]})"


def candidates(state: State, outputs: int) -> list[Head]:
    """Find the linear layers that could follow on `outputs` values."""
    return [head for head in _linear(state) if head.weight.shape[1] == outputs]


def find_head(state: State, wanted: str) -> Head | None:
    """Find a linear layer by its name or its unique ending."""
    heads = {head.name: head for head in _linear(state)}
    name = resolve(heads, wanted)
    return None if name is None else heads[name]


def check_head(head: Head | None, state: State, where: str, wanted: str, outputs: int) -> Head:
    """Check that the layer that was asked for by a name exists, and that it takes `outputs` values.

    Raises
    ------
    ModelImportError
        It does not; the text names the layers that do.
    """
    if head is None:
        likely = ", ".join(head.name for head in candidates(state, outputs))
        there = f"those of {outputs} inputs are {likely}" if likely else f"none has {outputs} inputs"
        raise ModelImportError(f"{where}: no linear layer named {wanted}; {there}")
    if head.bias is not None and head.bias.shape != head.weight.shape[:1]:
        shapes = [list(head.weight.shape), list(head.bias.shape)]
        raise ModelImportError(
            f"{where}: {head.name} must have a weight [outputs, inputs] and a bias [outputs], not {shapes}"
        )
    if head.weight.shape[1] != outputs:
        raise ModelImportError(
            f"{where}: {head.name}.weight takes {head.weight.shape[1]} inputs, but the LSTM gives {outputs}"
        )
    return head


def head_advice(heads: Iterable[Head]) -> tuple[str, ...]:
    """Name linear layers that can be the head, with the option that takes each."""
    return tuple(f"{head} can be the head: --head {head.option}" for head in heads)


def _linear(state: State) -> list[Head]:
    weights = {
        name.removesuffix(".weight"): value
        for name, value in state.tensors.items()
        if name.endswith(".weight") and value.dim() == 2
    }
    return [
        Head(name, shortest(weights, name), weight, state.tensors.get(f"{name}.bias"))
        for name, weight in weights.items()
    ]
