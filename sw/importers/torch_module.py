"""Import of a PyTorch module that is at hand: it is run, and the model is compared with it."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from gatewright.errors import ModelImportError
from gatewright.sw.importers.check import Imported, compared
from gatewright.sw.importers.torch_head import head_advice
from gatewright.sw.importers.torch_parts import Selected, find_parts
from gatewright.sw.importers.torch_plan import Plan, plan
from gatewright.sw.importers.torch_source import TorchPart, TorchSource
from gatewright.sw.importers.torch_state import folded
from gatewright.sw.importers.torch_trace import Trace, evaluated, trace
from gatewright.sw.importers.torch_whole import Comparison, stack_of
from gatewright.sw.importers.weights import raw_model


def import_module(module: nn.Module, lstm: str | None, head: str | None, double: bool) -> Imported:
    """Import a module; see `import_model`. It is run in evaluation mode, and is afterwards as it was."""
    # What torch.compile wraps is the module itself.
    module = getattr(module, "_orig_mod", module)
    where = type(module).__name__
    like = _check_kind(module, where)
    tensors = {k: v.detach().cpu() for k, v in module.state_dict().items() if isinstance(v, Tensor)}
    state = folded(tensors, where)
    found = find_parts(state)
    with evaluated(module):
        traced = trace(module, found) if found else ""
        if lstm is None and len(found) > 1 and isinstance(traced, Trace):
            lstm = stack_of(traced, {name: _part(module, Selected(p, None)) for name, p in found.items()})
        planned = plan(state, where, lstm, head, double)
        parts = [_part(module, selected) for selected in planned.selected]
        linear = None
        if planned.head is not None:
            linear = module.get_submodule(planned.head.name)
            if not isinstance(linear, nn.Linear):
                raise ModelImportError(
                    f"{where}: {planned.head.name} is {type(linear).__name__}, not an nn.Linear"
                )
        imported = compared(
            raw_model(planned.network),
            TorchSource(parts, linear, like),
            planned.reversed_time,
            planned.notes,
            taken=planned.taken,
            left_out=planned.left_out,
        )
        return _with_whole(imported, module, planned, traced, parts, where)


def _check_kind(module: nn.Module, where: str) -> Tensor:
    """Refuse modules that hold no weights to import; give a tensor of the type that the module computes with."""
    for name, part in module.named_modules():
        what = f"{where}: {name or where} is"
        if isinstance(part, torch.jit.ScriptModule):
            raise ModelImportError(f"{what} TorchScript; give the module that it was made of")
        if type(part).__module__.startswith(("torch.ao.nn.quantized", "torch.nn.quantized")):
            raise ModelImportError(
                f"{what} quantised by PyTorch; Gatewright quantises by itself: give the module as it was before "
                "quantize_dynamic or convert"
            )
    for name, value in module.named_parameters():
        if value.dtype in (torch.float16, torch.bfloat16):
            raise ModelImportError(
                f"{where}: {name} is {value.dtype}; give module.float(), of the same weights"
            )
        if value.is_floating_point():
            return value.detach().flatten()[:1]
    raise ModelImportError(f"{where}: has no parameters of floating point")


def _part(module: nn.Module, selected: Selected) -> TorchPart:
    return TorchPart.of(selected, module.get_submodule(selected.part.name))


def _with_whole(
    imported: Imported,
    module: nn.Module,
    planned: Plan,
    traced: Trace | str,
    parts: Sequence[TorchPart],
    where: str,
) -> Imported:
    """Add what a run of the whole module shows."""
    heads = [head for head in planned.heads if isinstance(module.get_submodule(head.name), nn.Linear)]
    why = traced if isinstance(traced, str) else ""
    if isinstance(traced, Trace):
        comparison = Comparison(module, traced, planned, parts, where)
        if comparison.unseen:
            why = f"it does not call {', '.join(comparison.unseen)} as an LSTM of PyTorch"
    if why:
        note = f"the forward of {where} is not compared ({why}): only the parts that the model has are"
        return replace(imported, notes=(*imported.notes, note), advice=head_advice(heads))
    whole = comparison.whole(imported.model)
    return replace(
        imported,
        left_out=(*imported.left_out, *whole.outside),
        notes=(*imported.notes, *whole.notes),
        difference=max(imported.difference, whole.difference),
        advice=head_advice([head for head in heads if head.name in whole.heads]),
    )
