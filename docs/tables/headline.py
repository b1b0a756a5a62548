"""The ten figures that the README states."""

import json

import source as files
from source import markdown, rows

from gatewright.results import Rows

DENSITY, MODEL = 0.125, "kept-12.5"
"""Share of the weights that the models kept of which the README tells, and the demo's name for its own."""


def demo() -> dict:
    """Return the summary of the demo's run."""
    return json.loads((files.RESULTS / "demo.json").read_text())


def demo_cycles(summary: dict) -> tuple[float, float]:
    """Return cycles per step of the demo's `MODEL`, dense and sparse."""
    dense, sparse = (summary["cycles_per_step"][MODEL][mode] for mode in ("dense", "sparse"))
    return dense, sparse


def headline_table() -> str:
    """Return the ten figures, each with the command that measures it."""
    summary, train, shapes = demo(), rows("train"), rows("hw-large")
    dense, sparse = demo_cycles(summary)
    return markdown(
        ("what", "measured", "by"),
        (
            (
                "spoken digits: test accuracy of the float model, and in 8-bit integers with 1/8 of the weights",
                f"{train.figure('mean_float_score'):.1f} %, {train.figure('mean_score', density=DENSITY):.1f} %",
                "`gatewright bench train`",
            ),
            (
                "the same model made small: bits of the whole image against float32",
                *_volume(rows("compress")),
            ),
            (
                "integers compared between PyTorch, golden model and RTL; mismatches",
                f"{summary['integers_compared']:,}; {summary['mismatches']}",
                "`make demo`",
            ),
            (
                "cycles per step with 1/8 of the weights, 32 lanes: stored dense, stored sparse",
                f"{dense:,.0f}, {sparse:,.0f}",
                "`make demo`",
            ),
            (
                "leanest point of the demo's search that is no worse than the uncompressed 8-bit model",
                f"{summary['search']['times_smaller']:.0f} times smaller, "
                f"{summary['search']['times_faster']:.0f} times faster",
                "`make demo`",
            ),
            (
                "lanes and cycles that multiply by a true non-zero weight, 1024 units on 64 lanes",
                *_busy(shapes),
            ),
            ("predicted cycles equal to those of the RTL, random models", *_predicted(rows("cycles"))),
            (
                "Silero VAD in 4 bits with 25 % of its weights: decisions equal to the float model's",
                *_silero(),
            ),
            ("clock on an ECP5-85k, 16 lanes, placed and routed (estimate)", *_clock(rows("place"))),
            (
                "models of PyTorch, ONNX and Keras from their file to a proof, by the command line alone; mismatches",
                *_roads(rows("roads")),
            ),
        ),
    )


def _roads(roads: Rows) -> tuple[str, str]:
    return f"{len(roads.distinct('road'))}; {sum(roads.all('mismatches')):.0f}", "`gatewright bench roads`"


def _volume(compress: Rows) -> tuple[str, str]:
    times, target = max(
        (times, target) for target, times in compress.values("mean_compression", "target").items()
    )
    lost = compress.figure("mean_score_lost", target=target)
    return f"{times:.0f} times smaller, {lost:.1f} points of accuracy lost", "`gatewright bench compress`"


def _busy(shapes: Rows) -> tuple[str, str]:
    return f"{shapes.figure('busy_on_nonzeros', mode='sparse'):.1f} %", "`gatewright bench hw-large`"


def _predicted(cycles: Rows) -> tuple[str, str]:
    (equal,) = cycles.where("jobs_equal")
    return f"{equal.value:,} of {equal.parameters['jobs']:,} jobs", "`gatewright bench cycles`"


def _silero() -> tuple[str, str]:
    equal = rows("silero-vad").figure("equal_decisions", form="4 bits, 25 %")
    return f"{equal:.1f} %", "[examples/silero_vad](examples/silero_vad/README.md)"


def _clock(place: Rows) -> tuple[str, str]:
    megahertz, luts = (place.figure(name, design="16 lanes") for name in ("median_frequency", "luts"))
    return f"{megahertz:.0f} MHz, {luts:,} look-up tables", "`gatewright bench place`"
