"""An imported model beside the whole forward of the module that it was taken from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gatewright.errors import ModelImportError
from gatewright.sw.importers.check import Batch, run
from gatewright.sw.importers.torch_episodes import episodes, linked, same_start
from gatewright.sw.importers.torch_plan import Plan
from gatewright.sw.importers.torch_rows import alike, apart, as_rows, bound, nearest, which_steps
from gatewright.sw.importers.torch_source import TorchPart
from gatewright.sw.importers.torch_trace import Trace
from gatewright.sw.models import FloatModel


@dataclass(frozen=True)
class Whole:
    """What a run of the whole module has shown.

    Parameters
    ----------
    difference : float
        Of the model's outputs and logits from the module's own.
    notes : tuple of str
    outside : tuple of str
        Layers without parameters that ran outside of the model.
    heads : tuple of str
        Linear layers that took the model's outputs.
    """

    difference: float
    notes: tuple[str, ...]
    outside: tuple[str, ...]
    heads: tuple[str, ...]


def stack_of(trace: Trace, parts: Mapping[str, TorchPart]) -> str | None:
    """Name the parts that were called, lowest first, if each took the outputs of the one before it."""
    seen = {name: episodes(trace.of(name), part) for name, part in parts.items() if trace.of(name)}
    below = {
        upper: lower
        for upper, own in seen.items()
        for lower, others in seen.items()
        if own and others and upper != lower and linked(others, own)
    }
    tops = [name for name in seen if name not in below.values()]
    if len(tops) != 1:
        return None
    row = tops
    while row[0] in below:
        row = [below[row[0]], *row]
    return ",".join(row) if len(row) == len(seen) else None


class Comparison:
    """Holds a model against one run of the module that it was taken from.

    Parameters
    ----------
    module : nn.Module
    trace : Trace
    planned : Plan
    parts : sequence of TorchPart
        Those of `planned`.
    where : str
        The module's name, for errors.
    """

    def __init__(
        self, module: nn.Module, trace: Trace, planned: Plan, parts: Sequence[TorchPart], where: str
    ):
        self._module, self._trace, self._planned, self._where = module, trace, planned, where
        self._names = [part.name for part, _ in planned.selected]
        self._episodes = [
            episodes(trace.of(name), part) for name, part in zip(self._names, parts, strict=True)
        ]

    @property
    def unseen(self) -> list[str]:
        """Parts that the forward does not call, or not as PyTorch's own are called."""
        return [name for name, own in zip(self._names, self._episodes, strict=True) if not own]

    def whole(self, model: FloatModel) -> Whole:
        """Compare what the last part gave, what the head took and gave, and what the module returned.

        No part may be unseen.

        Raises
        ------
        ModelImportError
            The module computes something else between the parts of the model.
        """
        self._check_links()
        started = self._started()
        outputs = self._run(model)
        logits = model.network.logits(outputs)
        last = self._names[-1]
        difference = apart(outputs, torch.cat([episode.rows() for episode in self._episodes[-1]]))
        self._check(difference, outputs, last)
        head = self._planned.head
        if head is not None and self._trace.of(head.name):
            self._check_head(head.name, outputs)
            last = head.name
            gave = nearest(torch.cat([as_rows(call.output, logits) for call in self._trace.of(last)]), logits)
            self._check(gave, logits, last)
            difference = max(difference, gave)
        before, ran_before = self._before()
        after, ran_after, returned = self._after(logits, last, bool(started))
        return Whole(
            max(difference, returned),
            (*started, *before, after),
            (*ran_before, *ran_after),
            tuple(name for name in (head.name for head in self._planned.heads) if self._takes(name, outputs)),
        )

    def _run(self, model: FloatModel) -> Tensor:
        """Give the model's outputs [rows, outputs] of every episode, from the states that the module started from."""
        result = []
        for k, first in enumerate(self._episodes[0]):
            x, layers, states = first.x.float(), iter(model.network.layers), []
            for own, (part, _) in zip(self._episodes, self._planned.selected, strict=True):
                for index, layer in zip(range(part.layers), layers, strict=False):
                    h, c = (
                        torch.zeros(x.shape[1], layer.output_size),
                        torch.zeros(x.shape[1], layer.hidden_size),
                    )
                    if (start := own[k].start) is not None:
                        h, c = (value.float() for value in start[index])
                    states.append((h, c))
            y = run(model, Batch(x, first.lengths, states), self._planned.reversed_time)
            result.append(first.seen(y))
        return torch.cat(result)

    def _check(self, difference: float, values: Tensor, name: str) -> None:
        if not difference <= bound(values):
            raise ModelImportError(
                f"{self._where}: inside its forward {self._shown(name)} gives outputs that differ from the model's by "
                f"{difference:.3g}: the forward does something that the import does not know"
            )

    def _check_links(self) -> None:
        for k, (lower, upper) in enumerate(zip(self._names, self._names[1:], strict=False)):
            if not linked(self._episodes[k], self._episodes[k + 1]):
                between = self._layers(self._first(lower), self._first(upper))
                raise ModelImportError(
                    f"{self._where}: {upper} does not run on the outputs of {lower} in its forward; between them: "
                    f"{self._listed(between)}"
                )

    def _started(self) -> list[str]:
        """Say which parts start from a state, and hold that none is given another one on its way."""
        notes = []
        for name, own in zip(self._names, self._episodes, strict=True):
            first, *others = (episode.start for episode in own)
            if not all(start is None or same_start(start, first) for start in others):
                raise ModelImportError(
                    f"{self._where}: its forward changes the state of {self._shown(name)} between two calls of it"
                )
            if first is not None:
                notes.append(
                    f"the forward starts {self._shown(name)} from a state that is not zero; the model starts from "
                    "zeros, or carries over the state of the sequence before: its first outputs will differ"
                )
        return notes

    def _takes(self, name: str, outputs: Tensor) -> bool:
        """Whether a module took the model's outputs, or some of them, and nothing else."""
        taken = [call.taken for call in self._trace.of(name)]
        return bool(taken) and all(
            alike(value, outputs) and nearest(as_rows(value, outputs), outputs) <= bound(outputs)
            for value in taken
        )

    def _check_head(self, name: str, outputs: Tensor) -> None:
        if not self._takes(name, outputs):
            between = self._layers(self._first(self._names[-1]), self._first(name))
            raise ModelImportError(
                f"{self._where}: {name} does not follow directly on {self._shown(self._names[-1])} in its forward; "
                f"between them: {self._listed(between)}; import without the head, and let the host go on from the "
                "LSTM's outputs"
            )

    def _before(self) -> tuple[list[str], list[str]]:
        """Say what the module does before its LSTM, and list layers without parameters in it."""
        x = torch.cat([episode.seen(episode.x) for episode in self._episodes[0]])
        first, own = self._shown(self._names[0]), self._trace.x
        if own.is_floating_point() and alike(own, x):
            forms = [own] if own.dim() < 3 else [own, own.transpose(0, 1)]
            if any(form.numel() == x.numel() and torch.equal(form.reshape(x.shape), x) for form in forms):
                return [], []
            rows = as_rows(own, x)
            if len(rows) == len(x) and not nearest(rows, x) and not nearest(x, rows):
                return [f"the forward gives {first} the steps of its input in another order"], []
        layers = self._layers(0, self._first(self._names[0]))
        note = f"what comes before {first} in the forward stays outside the model: {self._listed(layers)}"
        return [note], self._without_parameters(layers)

    def _after(self, logits: Tensor, last: str, started: bool) -> tuple[str, list[str], float]:
        """Compare what the module returned, or say what it does after the last part of the model."""
        for number, value in enumerate(self._trace.outputs):
            if not alike(value, logits) or not (rows := as_rows(value, logits)).isfinite().all():
                continue
            difference = nearest(rows, logits)
            if difference <= bound(logits):
                which = f"output {number + 1}" if number else "output"
                from_there = ", from the state that it starts from," * started
                steps = which_steps(rows, logits, self._episodes[-1][-1].y.shape[1])
                others = ", those before it are not" * bool(number)
                note = f"compared with the whole {self._where}: its {which}{from_there} is the model's {steps}{others}"
                return note, [], difference
        head = self._planned.head
        if head is not None and last != head.name:
            raise ModelImportError(
                f"{self._where}: its forward does not call {head.name}, and returns something else than the model with "
                "that head; import without it"
            )
        layers = self._layers(self._last(last) + 1, len(self._trace.calls))
        note = (
            f"what follows {self._shown(last)} in the forward stays outside the model: {self._listed(layers)}"
        )
        return note, self._without_parameters(layers), 0.0

    def _first(self, name: str) -> int:
        return next(k for k, call in enumerate(self._trace.calls) if call.name == name)

    def _last(self, name: str) -> int:
        return max(k for k, call in enumerate(self._trace.calls) if call.name == name)

    def _layers(self, start: int, stop: int) -> list[str]:
        """Name the modules outside of the model that were called from one call to another, each once."""
        head = self._planned.head
        inside = [*self._names, *([] if head is None else [head.name])]
        return list(dict.fromkeys(c.name for c in self._trace.calls[start:stop] if c.name not in inside))

    def _without_parameters(self, names: Sequence[str]) -> list[str]:
        return [self._listed([name]) for name in names if not self._module.get_submodule(name).state_dict()]

    def _listed(self, names: Sequence[str]) -> str:
        shown = [f"{name} ({type(self._module.get_submodule(name)).__name__})" for name in names]
        return ", ".join(shown) or "operations that are no layers"

    def _shown(self, name: str) -> str:
        return name or self._where
