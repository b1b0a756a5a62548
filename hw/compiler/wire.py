"""What a host has to know of a model: how reals become elements of the input, and results become reals."""

from typing import Any

from gatewright.hw.compiler.image import Compiled
from gatewright.hw.interface import RESULT
from gatewright.sw.bundle import Bundle


def wire_format(bundle: Bundle, compiled: Compiled) -> dict[str, Any]:
    """Return the formats of a model's input and results as plain JSON values.

    Returns
    -------
    dict
        ``input``: ``size`` elements in each step, signed integers q of ``bits`` bits with ``frac`` fractional bits.
        q is ``(raw - mean) / deviation * 2**frac``, rounded half up and saturated, with ``mean`` and ``deviation`` of
        each element. ``results``: what is sent, in this order within a step: ``kind`` ("hidden": the last layer's
        output; "logits"), ``steps`` ("all" or "last") in which it is sent, ``size`` in integers, their ``bits`` on the
        stream and their ``frac``: a result q is worth ``q * 2**-frac``. ``labels``: names of the logits. ``skip``,
        ``threshold``: what a job asks for, as in `interface.JOB`.
    """
    source = bundle.input_format
    results = [
        {
            "kind": kind,
            "steps": steps,
            "size": size,
            "bits": RESULT["data"].width,
            "signed": True,
            "frac": frac,
        }
        for kind, steps, size, frac in (
            ("hidden", compiled.hidden_results, compiled.output_size, bundle.layers[-1].output_format.frac),
            (
                "logits",
                compiled.logit_results,
                compiled.classes,
                0 if bundle.head is None else bundle.head.logit_frac,
            ),
        )
        if steps != "none"
    ]
    return {
        "input": {
            "size": compiled.input_size,
            "bits": source.bits,
            "signed": True,
            "frac": source.frac,
            "mean": bundle.mean.tolist(),
            "deviation": bundle.deviation.tolist(),
        },
        "results": results,
        "labels": list(bundle.labels),
        "skip": int(compiled.modes.skip),
        "threshold": compiled.modes.threshold,
    }
