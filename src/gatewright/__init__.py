"""Gatewright: a trained LSTM becomes a verified FPGA accelerator.

The path, from a trained model to a proven accelerator::

    import gatewright as gw

    model = gw.import_model(network, head="classifier")      # an nn.Module, or a file
    data = gw.load_data("mine.npz")
    small = gw.quantise(model, data, bits=4, density=0.25)
    design = gw.compile(small, device="ecp5-25k")
    print(design.estimate().text())
    proof = design.verify(data)
    design.write("fpga", proof=proof)

Each function says what it takes; the command line (``gatewright --help``) is another thin layer over the same verbs.
The four rooms of the package are `sw` (making models small), `hw` (the accelerator and its compiler), `cosim` (the
proof) and `reports`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from gatewright.face import (
        compare,
        compile,
        import_model,
        load_data,
        load_model,
        open_build,
        quantise,
        report,
        search,
        simplify,
        train,
        tune,
    )
    from gatewright.sw.bundle import Bundle
    from gatewright.sw.metrics import Metric
    from gatewright.sw.models import FloatModel

_HOMES = {
    "import_model": "gatewright.face",
    "load_data": "gatewright.face",
    "load_model": "gatewright.face",
    "train": "gatewright.face",
    "tune": "gatewright.face",
    "quantise": "gatewright.face",
    "simplify": "gatewright.face",
    "search": "gatewright.face",
    "compile": "gatewright.face",
    "open_build": "gatewright.face",
    "report": "gatewright.face",
    "compare": "gatewright.face",
    "Metric": "gatewright.sw.metrics",
    "FloatModel": "gatewright.sw.models",
    "Bundle": "gatewright.sw.bundle",
}
"""Where each name of the Python face lives; imported when it is first used, as torch takes seconds."""

__all__ = [
    "Bundle",
    "FloatModel",
    "Metric",
    "__version__",
    "compare",
    "compile",
    "import_model",
    "load_data",
    "load_model",
    "open_build",
    "quantise",
    "report",
    "search",
    "simplify",
    "train",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gatewright' has no attribute {name!r}; it has {', '.join(_HOMES)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
