"""Spoken digits on an iCE40 UP5K: a model that its accelerator holds, from training to the RTL."""

from gatewright.cosim.measurement import Measurement
from gatewright.cosim.verify import measure
from gatewright.hw.compiler import compile_bundle
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.estimate import cycles_per_step
from gatewright.hw.fpga.devices import device
from gatewright.progress import Progress, silent
from gatewright.results import Row, score_row
from gatewright.sw.compress import CompressionSpec, CompressSettings, ProductSpec, compress
from gatewright.sw.settings import TrainSettings
from gatewright.sw.tasks import load_task
from gatewright.sw.training import train_float

DEVICE = "ice40-up5k"

CONFIG = AcceleratorConfig(
    lanes=4,
    **device(DEVICE).values,
    weight_depth=2048,
    index_depth=2048,
    column_depth=0,
    accumulator_rows=128,
    activation_depth=256,
    bias_depth=128,
    state_depth=128,
    program_depth=16,
    alignment_bits=4,
    accumulator_bits=16,
)
"""What is chosen for `SPEC` on this device. Its block RAMs are 16 bits wide: one bit more in the sums, and eight
buffers of accumulators and the biases would take 36 of them instead of 27, where there are 30."""

SPEC = CompressionSpec(
    {
        "layer0.input": ProductSpec(bits=4, density=1 / 16),
        "layer0.recurrent": ProductSpec(bits=4, density=1 / 16),
        "head": ProductSpec(bits=2),
    },
    lanes=CONFIG.lanes,
    hidden={"layer0": 120},
)
"""The digits' model with sums of 16 bits, whatever the input, and with room for the head in 128 rows."""

SEED = 0

_TRAIN, _SHRINK = TrainSettings(seed=SEED), CompressSettings(seed=SEED)


def bench_up5k(
    progress: Progress = silent,
    *,
    train: TrainSettings = _TRAIN,
    shrink: CompressSettings = _SHRINK,
    sequences: int = 20,
) -> list[Row]:
    """Train and compress the digits' model, and run it on the RTL of `CONFIG` in Verilator.

    Every hidden value and every logit of the first sequences of the test split is compared with the golden model's.

    Parameters
    ----------
    progress : Progress
    train, shrink : TrainSettings, CompressSettings
    sequences : int

    Raises
    ------
    CapacityError
        What came of the training does not fit.
    ToolError
        A tool is missing or failed, or an integer differs.
    """
    task = load_task("digits", seed=train.seed)
    model = train_float(task, train, progress)
    bundle = compress(task, model, SPEC, shrink, progress)
    compiled = compile_bundle(bundle, CONFIG, mode="sparse", hidden_results="all", logit_results="all")
    x = [bundle.quantise_input(raw) for raw in task.test.sequences[:sequences]]
    (found,) = measure(CONFIG, [Measurement(compiled, x)], progress=progress)
    weights = sum(each.nonzeros for each, _ in bundle.matrices.values())
    at = {"task": task.name, "device": DEVICE, "lanes": CONFIG.lanes, "weights": weights}
    last = compile_bundle(bundle, CONFIG, mode="sparse")
    return [
        score_row("float_score", task.metric, model.score(task.test, task.metric), at, train.seed),
        score_row("score", task.metric, bundle.notes["scores"]["test"], at, train.seed),
        Row("integers_compared", "integers", found.integers_compared, at, train.seed),
        Row("mismatches", "integers", found.mismatches, at, train.seed),
        Row("estimated_cycles_per_step", "cycles", cycles_per_step(last), at, train.seed),
    ]
