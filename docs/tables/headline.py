"""The ten figures that the README states."""

from source import markdown, rows, shown_line, summary

DENSITY, MODEL = 0.125, "kept-12.5"
"""Share of the weights that the models kept of which the README tells, and the demo's name for its own."""

_DEMO = "`make demo`"


def demo_cycles() -> tuple[float, float]:
    """Return cycles per step of the demo's `MODEL`, dense and sparse."""
    cycles = summary("demo")["cycles_per_step"][MODEL]
    return cycles["dense"], cycles["sparse"]


def headline_table() -> str:
    """Return the ten figures, each with the command that measures it."""
    lines = (
        (
            "spoken digits: test accuracy of the float model, and in 8-bit integers with 1/8 of the weights",
            _accuracy,
        ),
        ("the same model made small: bits of the whole image against float32", _volume),
        ("integers compared between PyTorch, golden model and RTL; mismatches", _compared),
        ("cycles per step with 1/8 of the weights, 32 lanes: stored dense, stored sparse", _cycles),
        (
            "points of the demo's search against the model in 8 bits: validation accuracy, size, speed",
            _searched,
        ),
        ("lanes and cycles that multiply by a true non-zero weight, 1024 units on 64 lanes", _busy),
        ("predicted cycles equal to those of the RTL, random models", _predicted),
        ("Silero VAD in 4 bits with 25 % of its weights: decisions equal to the float model's", _silero),
        ("clock on an ECP5-85k, 16 lanes, placed and routed (estimate)", _clock),
        (
            "models of PyTorch, ONNX and Keras from their file to a proof, by the command line alone; mismatches",
            _roads,
        ),
    )
    return markdown(("what", "measured", "by"), (shown_line(what, figure) for what, figure in lines))


def _accuracy() -> tuple[str, str]:
    train = rows("train")
    whole, kept = train.figure("mean_float_score"), train.figure("mean_score", density=DENSITY)
    return f"{whole:.1f} %, {kept:.1f} %", "`gatewright bench train`"


def _compared() -> tuple[str, str]:
    found = summary("demo")
    return f"{found['integers_compared']:,}; {found['mismatches']}", _DEMO


def _cycles() -> tuple[str, str]:
    dense, sparse = demo_cycles()
    return f"{dense:,.0f}, {sparse:,.0f}", _DEMO


def _searched() -> tuple[str, str]:
    points = sorted(summary("demo")["search"].values(), key=lambda point: point["times_faster"])
    told = (
        f"{point['score_gained']:+.1f} points: {point['times_smaller']:.2g} times smaller, "
        f"{point['times_faster']:.2g} times faster"
        for point in points
        if not any(other != point and all(other[name] >= point[name] for name in point) for other in points)
    )
    return "; ".join(told), _DEMO


def _roads() -> tuple[str, str]:
    roads = rows("roads")
    return f"{len(roads.distinct('road'))}; {sum(roads.all('mismatches')):.0f}", "`gatewright bench roads`"


def _volume() -> tuple[str, str]:
    compress = rows("compress")
    times, target = max(
        (times, target) for target, times in compress.values("mean_compression", "target").items()
    )
    lost = compress.figure("mean_score_lost", target=target)
    return f"{times:.0f} times smaller, {lost:.1f} points of accuracy lost", "`gatewright bench compress`"


def _busy() -> tuple[str, str]:
    return (
        f"{rows('hw-large').figure('busy_on_nonzeros', mode='sparse'):.1f} %",
        "`gatewright bench hw-large`",
    )


def _predicted() -> tuple[str, str]:
    cycles = rows("cycles")
    (equal,) = cycles.where("jobs_equal")
    return f"{equal.value:,} of {equal.parameters['jobs']:,} jobs", "`gatewright bench cycles`"


def _silero() -> tuple[str, str]:
    equal = rows("silero-vad").figure("equal_decisions", form="4 bits, 25 %")
    return f"{equal:.1f} %", "[examples/silero_vad](examples/silero_vad/README.md)"


def _clock() -> tuple[str, str]:
    place = rows("place")
    megahertz, luts = (place.figure(name, design="16 lanes") for name in ("median_frequency", "luts"))
    return f"{megahertz:.0f} MHz, {luts:,} look-up tables", "`gatewright bench place`"
