from dataclasses import replace

import pytest

from gatewright.cosim.workloads import random_bundle
from gatewright.hw.compiler import compile_bundle
from gatewright.hw.compiler.modes import Modes
from gatewright.hw.compiler.wire import wire_format
from gatewright.hw.config import AcceleratorConfig

CONFIG = AcceleratorConfig(lanes=8, cell_lanes=2)


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize(("hidden", "logits"), [("all", "last"), ("none", "all"), ("last", "none")])
def test_a_host_is_told_all_that_it_has_to_know(classes, hidden, logits):
    """The last of three layers has other sizes and formats than those below."""
    if not classes:
        hidden, logits = ("all" if hidden == "none" else hidden), "none"
    upper = random_bundle(2, inputs=12, projection=5, classes=classes)
    lower = random_bundle(1, inputs=2, classes=classes)
    below = lower.layers[0].output_format
    middle = replace(random_bundle(3, inputs=12).layers[0], input_format=below)
    layer = replace(upper.layers[0], input_format=below)
    bundle = replace(lower, layers=(lower.layers[0], middle, layer), head=upper.head)
    compiled = compile_bundle(bundle, CONFIG, mode="dense", hidden_results=hidden, logit_results=logits)
    compiled = replace(compiled, modes=Modes(input_threshold=77))
    told = wire_format(bundle, compiled)
    results = [
        {
            "kind": "hidden",
            "steps": hidden,
            "size": 5,
            "bits": 32,
            "signed": True,
            "frac": layer.output_format.frac,
        }
    ] * (hidden != "none")
    if logits != "none":
        frac = upper.head.logit_frac
        results.append(
            {"kind": "logits", "steps": logits, "size": 3, "bits": 32, "signed": True, "frac": frac}
        )
    assert told == {
        "input": {
            "size": 2,
            "bits": 8,
            "signed": True,
            "frac": bundle.input_format.frac,
            "mean": bundle.mean.tolist(),
            "deviation": bundle.deviation.tolist(),
        },
        "results": results,
        "labels": list(bundle.labels),
        "skip": 2,
        "threshold": 77,
    }
    assert layer.output_format != middle.output_format == below
