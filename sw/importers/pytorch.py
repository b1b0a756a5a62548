"""Import of PyTorch's `nn.LSTM` and `nn.LSTMCell` from the file of a state dict."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from gatewright.sw.importers.check import Imported, compared
from gatewright.sw.importers.torch_files import read_tensors
from gatewright.sw.importers.torch_head import head_advice
from gatewright.sw.importers.torch_layers import torch_module
from gatewright.sw.importers.torch_plan import plan
from gatewright.sw.importers.torch_source import TorchPart, TorchSource
from gatewright.sw.importers.torch_state import folded
from gatewright.sw.importers.weights import raw_model

_UNKNOWN = (
    "a state dict does not say what the forward computes: what it does without parameters (activations, means, an "
    "initial state other than zero) is not known here"
)
_COMPARE = "in Python, gatewright.import_model(module) runs the whole module and compares"


def import_pytorch(path: Path, lstm: str | None, head: str | None, double: bool) -> Imported:
    """Import a file of a state dict, as ``torch.save(model.state_dict(), path)`` writes it; see `import_model`."""
    return from_state(read_tensors(path), str(path), lstm, head, double)


def from_state(
    tensors: Mapping[str, Tensor], where: str, lstm: str | None, head: str | None, double: bool
) -> Imported:
    """Import a state dict and compare it with PyTorch's own modules around the same weights.

    Parameters
    ----------
    tensors : mapping of tensor
        By dotted names.
    where : str
        What the state belongs to, for errors.
    lstm, head, double
        See `import_model`.

    Raises
    ------
    ModelImportError
        There is no LSTM, or not all about it is honoured.
    """
    planned = plan(folded(tensors, where), where, lstm, head, double)
    values = [value for part, _ in planned.selected for value in part.entries.values()]
    dtype = torch.float64 if any(value.dtype == torch.float64 for value in values) else torch.float32
    parts = [
        TorchPart.of(selected, torch_module(selected.part, where, dtype).eval())
        for selected in planned.selected
    ]
    source = TorchSource(parts, planned.head, torch.zeros((), dtype=dtype))
    notes = [*planned.notes, _UNKNOWN]
    row = [part.name for part, _ in planned.selected] + ([planned.head.name] if planned.head else [])
    if len(row) > 1 and planned.left_out:
        notes.append(
            f"if the forward runs something that was left out between {' and '.join(row)}, the model computes "
            "something else"
        )
    return compared(
        raw_model(planned.network),
        source,
        planned.reversed_time,
        notes,
        taken=planned.taken,
        left_out=planned.left_out,
        advice=(*head_advice(planned.heads), _COMPARE),
    )
