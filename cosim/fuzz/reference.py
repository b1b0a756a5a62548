"""What must come out of a case: by the golden model, and, on every integer, by PyTorch; and in how many cycles."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from gatewright.cosim.fuzz.case import Case, Job, Wrong
from gatewright.cosim.testbenches.model import Expected, Model
from gatewright.hw.compiler.image import Compiled
from gatewright.hw.cycles.model import predict
from gatewright.hw.skipping import Skip
from gatewright.sw.bundle import Bundle
from gatewright.sw.integer import run_head, run_integer


@dataclass(frozen=True)
class Reference:
    """What must come out of one job.

    Parameters
    ----------
    golden : Expected
        By the golden model; of a job that ends with an error, the results that it may give before.
    torch : int32 array
        The same results by PyTorch.
    counters : dict of int
        What is predicted; empty where it cannot be.
    """

    golden: Expected
    torch: np.ndarray
    counters: dict[str, int]


def refer(case: Case) -> list[Reference]:
    """Give the reference of each job of a case.

    Raises
    ------
    DataError
        A sequence does not suit its model.
    """
    built = [recipe.build(case.target.config) for recipe in case.models]
    golden = [Model(compiled) for _, compiled in built]
    outputs = _outputs(case, [bundle for bundle, _ in built])
    found = []
    sparse: bool | None = None
    for job, hidden in zip(case.jobs, outputs, strict=True):
        bundle, compiled = built[job.model]
        if job.wrong == Wrong.STEPS:
            nothing = np.empty(0, dtype=np.int32)
            found.append(Reference(Expected(nothing, nothing.astype(bool)), nothing, {}))
            continue
        expected, counters, sparse = _golden(case, job, golden[job.model], compiled, sparse)
        found.append(Reference(expected, _stream(bundle, compiled, hidden), counters))
    return found


def _golden(
    case: Case, job: Job, model: Model, compiled: Compiled, sparse: bool | None
) -> tuple[Expected, dict[str, int], bool | None]:
    """Run the golden model, and predict; also gives what the hardware decided last on skipping, if that is known."""
    expected, trace = model.trace(job.x, fresh=job.fresh)
    known = job.fresh or job.skip != Skip.AUTO or sparse is not None
    measured = case.target.config.counters and job.full_rate and job.wrong.whole and not job.reset
    if not measured or not known:
        return expected, {}, None
    given = replace(compiled, modes=replace(compiled.modes, input_threshold=job.threshold))
    prediction = predict(given, len(job.x), job.fresh, job.skip, trace, sparse=bool(sparse))
    return expected, prediction.counters, prediction.sparse


def _outputs(case: Case, bundles: list[Bundle]) -> list[np.ndarray]:
    """Give what the last layer puts out in each step of each job, by PyTorch: jobs that carry on are one sequence."""
    found = [np.empty((0, 0), dtype=np.int32)] * len(case.jobs)
    for place, bundle in enumerate(bundles):
        chains: list[list[int]] = []
        for number, job in enumerate(case.jobs):
            if job.model == place and job.wrong != Wrong.STEPS:
                if job.fresh:
                    chains.append([number])
                else:
                    chains[-1].append(number)
        if not chains:
            continue
        joined = [np.concatenate([case.jobs[number].x for number in chain]) for chain in chains]
        for chain, hidden in zip(chains, run_integer(bundle, joined)[0], strict=True):
            ends = np.cumsum([len(case.jobs[number].x) for number in chain])
            for number, piece in zip(chain, np.split(hidden, ends[:-1]), strict=True):
                found[number] = piece
    return found


def _stream(bundle: Bundle, compiled: Compiled, hidden: np.ndarray) -> np.ndarray:
    """Put outputs and logits into the order in which they are sent."""
    count = compiled.result_count(len(hidden))
    stream = np.empty(count, dtype=np.int32)
    at_hidden, at_logits = compiled.split_results(np.arange(count), len(hidden))
    stream[at_hidden] = hidden[len(hidden) - len(at_hidden) :]
    if bundle.head is not None and len(at_logits):
        logits = run_head(bundle.head, torch.from_numpy(hidden)).numpy()
        stream[at_logits] = logits[len(logits) - len(at_logits) :]
    return stream
