"""Tables of the README: training, compression, and users' models."""

from statistics import mean

from source import fits, markdown, rows, value


def accuracy_table() -> str:
    """Give what training and compression reach on the spoken digits."""
    train = rows("train")
    baseline = mean(float(row.value) for row in train if row.name == "baseline_accuracy")
    table = [
        (
            f"test accuracy, float, mean of 3 seeds (baseline {baseline:.1f} %)",
            f"{value(train, 'mean_float_accuracy'):.2f} %",
        )
    ]
    for density in (1.0, 0.25, 0.125, 0.0625):
        accuracy = value(train, "mean_quantised_accuracy", density=density)
        kept = "all weights" if density == 1 else f"{density:.4g} of the weights"
        table.append((f"the same in integers, 8 bits, {kept}", f"{accuracy:.2f} %"))
    ratio = value(train, "quantised_epoch_ratio")
    table.append(("an epoch of integer-exact training, in float epochs", f"{ratio:.1f}"))
    body = [(*line, "`gatewright bench train`") for line in table]
    qat = rows("qat")
    ratios = [value(qat, "update_ratio", of=name) for name in ("integer-exact", "brevitas")]
    version = next(row.value for row in qat if row.name == "brevitas")
    body.append(
        (
            f"an update in integers, in float updates; with the QuantLSTM of Brevitas {version}",
            "; ".join(f"{ratio:.1f}" for ratio in ratios),
            "`gatewright bench qat`",
        )
    )
    return markdown(("figure", "value", "command"), body)


def pattern_curves() -> dict[str, dict[float, float]]:
    """Give the mean test accuracy of every kind of pattern, by density."""
    found: dict[str, dict[float, list[float]]] = {}
    for row in rows("patterns"):
        if fits(row, "pattern_accuracy", {"split": "test"}):
            at = row.parameters
            found.setdefault(at["columns"], {}).setdefault(at["density"], []).append(float(row.value))
    return {
        columns: {density: mean(values) for density, values in curve.items()}
        for columns, curve in found.items()
    }


def patterns_table() -> str:
    """Give by how many points balanced patterns are worse than unstructured pruning."""
    source, curves = rows("patterns"), pattern_curves()
    body = []
    for density in curves["unstructured"]:
        accuracies = [curves[columns][density] for columns in ("unstructured", "equal", "contribution")]
        worse = [
            value(source, "worse_than_unstructured", columns=columns, density=density)
            for columns in ("equal", "contribution")
        ]
        body.append(
            (
                f"{100 * density:.4g} %",
                *(f"{accuracy:.2f} %" for accuracy in accuracies),
                ", ".join(f"{points:+.2f}" for points in worse),
            )
        )
    header = (
        "weights kept",
        "unstructured",
        "equal counts",
        "by contribution",
        "points worse: equal, by contribution",
    )
    return markdown(header, body)


def factors_table() -> str:
    """Give what singular values and tensor trains leave of each gate matrix, by rank."""
    source = [row for row in rows("factors") if row.name == "factor_error"]
    body = []
    for product, rank, weights in dict.fromkeys(
        tuple(row.parameters[key] for key in ("product", "rank", "weights")) for row in source
    ):
        errors = [
            mean(
                float(row.value)
                for row in source
                if fits(row, "factor_error", {"product": product, "rank": rank, "factors": factors})
            )
            for factors in ("svd", "tensor train")
        ]
        body.append((f"`{product}`", f"{rank}", f"{weights:,}", *(f"{error:.3f}" for error in errors)))
    return markdown(("matrix", "rank", "weights", "singular values", "tensor train"), body)


def text_table() -> str:
    """Give what compression costs the character model, in bits per character."""
    source = rows("text")
    body = []
    for row in source:
        if row.name == "compression":
            form = row.parameters["form"]
            bits, lost = (
                value(source, name, form=form, split="test") for name in ("compressed_bits", "bits_lost")
            )
            validation = value(source, "bits_lost", form=form, split="validation")
            body.append((form, f"{row.value:.2f} times", f"{bits:.3f}", f"{lost:+.3f}", f"{validation:+.3f}"))
    dense = value(source, "float_bits", split="test")
    baseline = value(source, "baseline_bits")
    header = (
        "weights",
        "smaller than float32",
        f"bits per character, test (float {dense:.3f}, bigrams {baseline:.3f})",
        "lost, test",
        "lost, validation",
    )
    return markdown(header, body)


def volume_table() -> str:
    """Give how small the spoken digits' model becomes, and what that costs."""
    source = rows("compress")
    body = []
    for row in source:
        if row.name == "mean_compression":
            target = row.parameters["target"]
            lost = value(source, "mean_points_lost", target=target)
            met = [r.value for r in source if fits(r, "requirement_met", {"target": target})]
            seconds = [r.value for r in source if fits(r, "compression_seconds", {"target": target})]
            body.append(
                (
                    f"{target} times",
                    f"{row.value:.0f} times",
                    f"{lost:.2f} points",
                    f"{sum(met):.0f} of {len(met)}",
                    f"{mean(seconds):.0f}",
                )
            )
    header = ("asked for", "smaller than float32", "test accuracy lost", "seeds that met it", "seconds")
    return markdown(header, body)


def import_table() -> str:
    """Give how many models of others are imported, and how far they are from their source."""
    source = rows("import")
    body = []
    for name, what in (
        ("import_node_tests", "node tests of the `onnx` package"),
        ("import_graphs", "random ONNX graphs, against onnxruntime"),
        ("import_modules", "random PyTorch modules"),
    ):
        counts = [
            next((f"{row.value}" for row in source if row.name == f"{name}_{kind}"), "0")
            for kind in ("right", "refused", "wrong")
        ]
        difference = next(float(row.value) for row in source if row.name == f"{name}_difference")
        body.append((what, *counts, f"{difference:.1e}"))
    return markdown(("models", "right", "refused by name", "wrong", "largest difference"), body)


def silero_speech() -> str:
    """Tell what speech the example was measured on, and how many integers differed."""
    source = rows("silero-vad")
    found = next(row for row in source if row.name == "input_zeros")
    compared, differing = (
        sum(int(row.value) for row in source if row.name == name)
        for name in ("integers_compared", "mismatches")
    )
    at = found.parameters
    return (
        f"{at['frames']:,} decisions in {at['recordings']} recordings, {found.value:.1f} % of the inputs zero; "
        f"{compared:,} integers of PyTorch, golden model and RTL compared, {differing} mismatches"
    )


def silero_table() -> str:
    """Give what the example makes of Silero VAD."""
    source = rows("silero-vad")
    body = []
    for row in source:
        if row.name == "stored_bits":
            form = row.parameters["form"]
            equal = value(source, "equal_decisions", form=form)
            cycles = [
                value(source, "cycles_per_step", form=form, **{"zeros skipped": skipped})
                for skipped in (False, True)
            ]
            body.append((form, f"{row.value:,}", f"{equal:.2f} %", *(f"{each:,.1f}" for each in cycles)))
    header = (
        "weights",
        "stored bits",
        "decisions equal to the float model's",
        "cycles per step, dense",
        "zeros skipped",
    )
    return markdown(header, body)
