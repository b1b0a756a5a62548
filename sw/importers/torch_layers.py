"""Layers from the entries of `nn.LSTM` and `nn.LSTMCell`, and PyTorch's own modules around the same entries."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gatewright.errors import ModelImportError
from gatewright.sw.importers.torch_parts import Part, Selected
from gatewright.sw.network import LayerParameters, ProductParameters

_OTHER_CELLS = {3: "a GRU", 1: "a plain RNN"}

Convert = Callable[[Tensor, str], Tensor]
"""Make float32 weights of those of an entry, which is named for errors."""


def layers_of(selected: Selected, where: str, convert: Convert) -> list[LayerParameters]:
    """Make the layers of a part, or of one direction of it.

    Raises
    ------
    ModelImportError
        Entries are missing, of other shapes, or those of another cell.
    """
    part, label = selected.part, f"{where}: {selected.part}"
    if part.bidirectional and selected.direction is None:
        raise ModelImportError(
            f"{label} is bidirectional; the accelerator runs one direction: choose --lstm {part.name}:forward or "
            f"--lstm {part.name}:reverse, whose sequences the host gives last step first"
        )
    if part.bidirectional and part.layers > 1:
        raise ModelImportError(
            f"{label} is bidirectional and has {part.layers} layers: each takes both directions of the one before it, "
            "so that no direction is a model by itself"
        )
    used = {
        name: value
        for name, value in part.entries.items()
        if not part.bidirectional or name.endswith("_reverse") == selected.reverse
    }
    unused = {name: convert(value, f"{where}: {part.prefix}{name}") for name, value in used.items()}
    layers: list[LayerParameters] = []
    while f"weight_ih_l{len(layers)}{'_reverse' * selected.reverse}" in unused or not layers:
        suffix = f"_l{len(layers)}" * part.layered + "_reverse" * selected.reverse
        layers.append(_layer(unused, suffix, layers[-1].output_size if layers else None, label))
    if unused:
        raise ModelImportError(
            f"{label} has the entries {', '.join(unused)}, which no {part.kind} of {len(layers)} layers has: not a "
            "plain LSTM, or one with a layer missing"
        )
    return layers


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


def torch_module(part: Part, where: str, dtype: torch.dtype) -> nn.LSTM | nn.LSTMCell:
    """Build PyTorch's own module around a part's entries.

    Raises
    ------
    ModelImportError
        The layers are not those of one module.
    """
    inputs, outputs = part.input_size, part.size("weight_hh")
    bias = any(name.startswith("bias") for name in part.entries)
    module: nn.LSTM | nn.LSTMCell
    if part.layered:
        projection = part.entries.get("weight_hr_l0")
        module = nn.LSTM(
            inputs,
            outputs if projection is None else projection.shape[1],
            part.layers,
            bias=bias,
            bidirectional=part.bidirectional,
            proj_size=0 if projection is None else outputs,
            dtype=dtype,
        )
    else:
        module = nn.LSTMCell(inputs, outputs, bias=bias, dtype=dtype)
    try:
        module.load_state_dict(dict(part.entries))
    except RuntimeError as cause:
        raise ModelImportError(
            f"{where}: {part}: the layers do not form one nn.LSTM: {' '.join(str(cause).split())}"
        ) from cause
    return module
