"""A PyTorch module run on random input, and what its parts took and gave while it ran."""

import inspect
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from gatewright.sw.determinism import one_thread, seeded
from gatewright.sw.importers.torch_parts import Part

_BATCH, _STEPS = 3, (12, 96)
_TOKENS = 2
_IMAGE = (32, 64)
# Attributes of PyTorch's layers that say how many features they take.
_SIZES = ("in_features", "in_channels", "num_features", "input_size")


class Call(NamedTuple):
    """One call of a module inside another one's forward."""

    name: str
    args: tuple
    kwargs: dict[str, Any]
    output: Any

    @property
    def taken(self) -> Any:
        """The first argument."""
        return next(iter((*self.args, *self.kwargs.values())))


@dataclass(frozen=True)
class Trace:
    """One run of a module's forward; all that is kept lies in main memory.

    Parameters
    ----------
    x : tensor
        Its input.
    calls : list of Call
        Of the watched modules, in the order in which they ended.
    outputs : list of tensor
        All that it returned, of floating point.
    """

    x: Tensor
    calls: list[Call]
    outputs: list[Tensor]

    def of(self, name: str) -> list[Call]:
        """Give the calls of one module."""
        return [call for call in self.calls if call.name == name]


@contextmanager
def evaluated(module: nn.Module) -> Iterator[None]:
    """Run a module as it is used, with the same random numbers every time; its own mode comes back afterwards."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with seeded(0), one_thread(), torch.no_grad(), warnings.catch_warnings():
            # What a user's forward warns of is no matter of the import's.
            warnings.simplefilter("ignore")
            yield
    finally:
        for part, mode in modes:
            part.training = mode


def trace(module: nn.Module, parts: Mapping[str, Part]) -> Trace | str:
    """Run a module on the first of several likely random inputs that it takes.

    Returns
    -------
    Trace or str
        Or why no input would do.
    """
    watched = {
        name: part
        for name, part in module.named_modules()
        if name in parts or not any(True for _ in part.children())
        if not any(name.startswith(other.prefix) for other in parts.values() if other.name not in ("", name))
    }
    like = next(p for p in module.parameters() if p.is_floating_point())
    required = [
        p
        for p in inspect.signature(module.forward).parameters.values()
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    reason = f"its forward takes {', '.join(p.name for p in required)}" if len(required) > 3 else ""
    for x in _inputs(module, parts, like):
        for more in _more(x, parts, like, len(required) - 1):
            try:
                calls, output = _run(module, watched, (x, *more))
            except Exception as cause:
                # A user's forward may raise anything.
                reason = reason or f"{type(cause).__name__}: {cause}".partition("\n")[0]
                continue
            if not any(call.name in parts for call in calls):
                return "its forward calls no LSTM of it as a module"
            outputs = [value for value in _tensors(_copied(output)) if value.is_floating_point()]
            return Trace(x.cpu(), calls, outputs)
    return reason


def _run(module: nn.Module, watched: Mapping[str, nn.Module], arguments: tuple) -> tuple[list[Call], Any]:
    calls: list[Call] = []
    taken: dict[str, tuple[tuple, dict[str, Any]]] = {}

    def before(name: str, args: tuple, kwargs: dict) -> None:
        # In-place operations may change what was taken and given.
        taken[name] = _copied(args), _copied(kwargs)

    def after(name: str, output: Any) -> None:
        args, kwargs = taken[name]
        calls.append(Call(name, args, kwargs, _copied(output)))

    with ExitStack() as stack:
        for name, part in watched.items():
            hooks = (
                part.register_forward_pre_hook(
                    lambda _, args, kwargs, name=name: before(name, args, kwargs), with_kwargs=True
                ),
                part.register_forward_hook(lambda _, args, output, name=name: after(name, output)),
            )
            for hook in hooks:
                stack.callback(hook.remove)
        output = module(*arguments)
    return calls, output


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone().cpu()
    if isinstance(value, PackedSequence):
        return value._replace(data=value.data.clone()).cpu()
    if isinstance(value, Mapping):
        return {key: _copied(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return tuple(_copied(part) for part in value)
    return value


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, PackedSequence):
        yield value.data
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _tensors(part)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _tensors(part)


def _inputs(module: nn.Module, parts: Mapping[str, Part], like: Tensor) -> Iterator[Tensor]:
    """Give inputs that the module may take, likely ones first."""
    layers = [part for part in module.modules() if not any(True for _ in part.children())]
    sizes = [getattr(layer, size) for layer in layers for size in _SIZES if hasattr(layer, size)]
    sizes = list(dict.fromkeys([*sizes[:3], *(part.input_size for part in parts.values())]))
    batch_first = any(getattr(part, "batch_first", False) for part in module.modules())
    for steps in _STEPS:
        if any(isinstance(layer, nn.Embedding | nn.EmbeddingBag) for layer in layers):
            for shape in _ordered((_BATCH, steps), (steps, _BATCH), batch_first):
                yield torch.randint(_TOKENS, shape).to(like.device)
        for size in sizes:
            shapes: list[tuple[int, ...]] = [
                *_ordered((_BATCH, steps, size), (steps, _BATCH, size), batch_first),
                (_BATCH, size, steps),
                (_BATCH, steps),
                (steps, size),
                (_BATCH, size),
                (_BATCH, size, *_IMAGE),
            ]
            for shape in shapes:
                # Some values are large, so that limits that a forward sets are seen.
                x = torch.randn(shape) * torch.randn(shape).mul(1.5).exp()
                yield x.to(like)


def _ordered(
    first: tuple[int, ...], second: tuple[int, ...], batch_first: bool
) -> Collection[tuple[int, ...]]:
    return (first, second) if batch_first else (second, first)


def _more(x: Tensor, parts: Mapping[str, Part], like: Tensor, count: int) -> Iterator[tuple]:
    """Give further arguments that a forward may want: states, none or of zeros, or lengths."""
    if count < 1:
        yield ()
        return
    yield (None,) * count
    part = next(iter(parts.values()))
    if x.dim() < 2 or count > 2:
        return
    for batch, steps in dict.fromkeys((tuple(x.shape[:2]), tuple(x.shape[1::-1]))):
        shape = (part.layers, batch, part.size("weight_hh"))
        h = torch.zeros(shape if part.layered else shape[1:], dtype=like.dtype, device=like.device)
        if count == 2:
            yield (h, h)
        else:
            yield ((h, h),)
            yield (torch.full((batch,), steps),)
