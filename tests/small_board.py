"""A small accelerator and what it runs, for tests of drivers: the same in all, as each build takes half a minute."""

from types import SimpleNamespace

import numpy as np
import pytest

from gatewright.cosim.golden import Golden
from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.hw.bridge.line import LineKind
from gatewright.hw.compiler import compile_bundle
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.driven import emit_mapped, emit_on_board

CONFIG = AcceleratorConfig(
    lanes=4,
    cell_lanes=1,
    weight_depth=256,
    index_depth=0,
    column_depth=0,
    accumulator_rows=16,
    activation_depth=32,
    bias_depth=16,
    state_depth=16,
    program_depth=16,
)


@pytest.fixture(scope="session")
def model():
    """A compiled model, the words that load it, sequences, and what the golden model makes of these."""
    bundle = random_bundle(5, inputs=3, hidden=6, classes=8, lanes=4)
    compiled = compile_bundle(bundle, CONFIG, mode="dense", logit_results="all")
    sequences = [random_inputs(k, bundle, steps) for k, steps in enumerate((5, 1, 90))]
    golden = Golden(compiled)
    return SimpleNamespace(
        compiled=compiled,
        words=compiled.image.load_words(),
        sequences=sequences,
        wanted=[np.asarray(golden.run(x)) for x in sequences],
    )


@pytest.fixture(scope="session")
def mapped_text():
    return emit_mapped(CONFIG)


@pytest.fixture(scope="session")
def board_text():
    return emit_on_board(CONFIG)


@pytest.fixture(scope="session")
def spi_text():
    return emit_on_board(CONFIG, line=LineKind.SPI)


def run_all(accelerator, model):
    """Load the model, run every sequence, and check each result."""
    accelerator.check(model.compiled.config)
    accelerator.load(model.words)
    for x, wanted in zip(model.sequences, model.wanted, strict=True):
        found = accelerator.run(x, model.compiled.result_count(len(x)))
        np.testing.assert_array_equal(found, wanted)
