"""What the driver gets from an accelerator, against the golden model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gatewright.cosim.golden import Golden
from gatewright.errors import DeviceError
from gatewright.host.accelerator import Accelerator
from gatewright.host.transport import Transport
from gatewright.hw.compiler.image import Compiled
from gatewright.hw.skipping import Skip

_SHOWN = 5


@dataclass(frozen=True)
class Driven:
    """What came of sequences that a driver ran.

    Parameters
    ----------
    results : list of int64 array
        Of each sequence that ended, its results in order.
    compared, mismatches : int
        Results compared with the golden model's, and those that differ or did not come.
    report : str
        The first that differ, or what the driver said; empty where all is equal.
    cycles : list of int
        Of each sequence that ended; zeros where the accelerator has no counters.
    """

    results: list[np.ndarray]
    compared: int
    mismatches: int
    report: str
    cycles: list[int]


def drive(
    transport: Transport,
    compiled: Compiled,
    sequences: Sequence[np.ndarray],
    fresh: Sequence[bool],
    *,
    skip: Skip = Skip.NEVER,
    baked: bool = False,
    model: Compiled | None = None,
) -> Driven:
    """Load a model, run sequences, and compare each result with the golden model's.

    Parameters
    ----------
    transport : Transport
        Leads to the accelerator's registers.
    compiled : Compiled
    sequences : sequence of int array [steps, inputs]
        Inputs in LSB of the model's input format.
    fresh : sequence of bool
        Whether each starts from a zero state.
    skip : Skip
        Whether zero activations are passed over.
    baked : bool
        The accelerator has the model in its memories.
    model : Compiled, optional
        What the golden model runs in place of `compiled`, to see that the comparison can fail.

    Raises
    ------
    DeviceError
        There is no such accelerator.
    """
    accelerator = Accelerator(transport)
    accelerator.check(compiled.config)
    golden = Golden(model or compiled)
    every: list[np.ndarray] = []
    cycles: list[int] = []
    compared = mismatches = 0
    report = ""
    try:
        if not baked:
            accelerator.load(compiled.image.load_words())
        for number, (x, begins) in enumerate(zip(sequences, fresh, strict=True)):
            wanted = np.asarray(golden.run(x, begins))
            results = accelerator.run(
                x, wanted.size, fresh=begins, skip=skip, threshold=compiled.modes.threshold
            )
            every.append(results)
            cycles.append(accelerator.counters()["cycles"])
            compared += wanted.size
            wrong = np.flatnonzero(results != wanted)
            mismatches += len(wrong)
            if len(wrong) and not report:
                places = ", ".join(
                    f"result {k} is {results[k]}, not {wanted[k]}" for k in wrong[:_SHOWN].tolist()
                )
                report = f"sequence {number}: {len(wrong)} of {wanted.size} results differ: {places}"
    except DeviceError as error:
        mismatches += 1
        report = report or str(error)
    return Driven(every, compared, mismatches, report, cycles)
