"""Training, compression, and users' models."""

from statistics import mean

from source import markdown, rows, summary


def accuracy_table() -> str:
    """Return what training and compression reach on the spoken digits."""
    train = rows("train")
    baseline = train.mean("baseline_score")
    table = [
        (
            f"test accuracy, float, mean of 3 seeds (baseline {baseline:.1f} %)",
            f"{train.figure('mean_float_score'):.2f} %",
        )
    ]
    for density in (1.0, 0.25, 0.125, 0.0625):
        accuracy = train.figure("mean_score", density=density)
        kept = "all weights" if density == 1 else f"{density:.4g} of the weights"
        table.append((f"the same in integers, 8 bits, {kept}", f"{accuracy:.2f} %"))
    ratio = train.figure("quantised_epoch_ratio")
    table.append(("an epoch of integer-exact training, in float epochs", f"{ratio:.1f}"))
    body = [(*line, "`gatewright bench train`") for line in table]
    qat = rows("qat")
    ratios = [qat.value("update_ratio", of=name) for name in ("integer-exact", "brevitas")]
    (version,) = qat.texts("brevitas")
    body.append(
        (
            f"an update in integers, in float updates; with the QuantLSTM of Brevitas ({version})",
            "; ".join("–" if ratio is None else f"{ratio:.1f}" for ratio in ratios),
            "`gatewright bench qat`",
        )
    )
    return markdown(("figure", "value", "command"), body)


def scores_picture() -> str:
    """Show the picture of the demo's scores."""
    summary("demo")  # What the picture is drawn from, so that it is marked with it.
    return "![Test accuracy of the integer model against the share of weights kept](images/scores.png)"


def pattern_curves() -> dict[str, dict[float, float]]:
    """Return the mean test accuracy of every kind of pattern, by density."""
    found: dict[str, dict[float, list[float]]] = {}
    for score, columns, density, split in rows("patterns").lines(
        "pattern_score", "columns", "density", "split"
    ):
        if split == "test":
            found.setdefault(columns, {}).setdefault(density, []).append(score)
    return {
        columns: {density: mean(values) for density, values in curve.items()}
        for columns, curve in found.items()
    }


def patterns_table() -> str:
    """Return by how many points balanced patterns are worse than unstructured pruning."""
    source, curves = rows("patterns"), pattern_curves()
    body = []
    for density in curves["unstructured"]:
        accuracies = [curves[columns][density] for columns in ("unstructured", "equal", "contribution")]
        worse = [
            source.figure("worse_than_unstructured", columns=columns, density=density)
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
    """Return what singular values and tensor trains leave of each gate matrix, by rank."""
    source = rows("factors")
    body = []
    for product, rank, weights in dict.fromkeys(
        tuple(place) for _, *place in source.lines("factor_error", "product", "rank", "weights")
    ):
        errors = [
            source.mean("factor_error", product=product, rank=rank, factors=factors)
            for factors in ("svd", "tensor train")
        ]
        body.append((f"`{product}`", f"{rank}", f"{weights:,}", *(f"{error:.3f}" for error in errors)))
    return markdown(("matrix", "rank", "weights", "singular values", "tensor train"), body)


def trains_text() -> str:
    """Say what the dense float model scores, on all views and on one."""
    source = rows("trains")
    scores = {
        views: source.mean("float_score", form="dense", views=views) for views in source.distinct("views")
    }
    one, (views, all_of_them) = scores.pop(1), scores.popitem()
    return (
        f"The dense float model reaches {all_of_them:.1f} % on {views} views, {one:.1f} % on the first alone. Test "
        "accuracy in integers; points over two factors of about as many weights with their paired 95 % interval; "
        "cycles of a steady step, and those of lanes that never wait:"
    )


def trains_table() -> str:
    """Return accuracy, bits and cycles of every form of a wide W_ih."""
    source = rows("trains")
    body = []
    for bits, form, budget, rank in dict.fromkeys(
        tuple(place)
        for _, *place in source.lines("stored_bits", "weight_bits", "form", optional=("budget", "rank"))
    ):
        at = {"form": form, "weight_bits": bits, "budget": budget}
        gain, low, high = (source.value(f"train_gain{end}", **at) for end in ("", "_low", "_high"))
        told = "–" if gain is None else f"{gain:+.2f} ({low:+.2f} to {high:+.2f})"
        stored, cycles, words = (
            source.figure(name, **at) for name in ("stored_bits", "estimated_cycles_per_step", "lane_words")
        )
        body.append(
            (
                form,
                "–" if rank is None else f"{rank}",
                f"{bits}",
                f"{stored:,}",
                f"{source.mean('score', **at):.2f} %",
                told,
                f"{cycles:,.0f}",
                f"{words:,}",
            )
        )
    header = (
        "W_ih",
        "rank",
        "bits of its weights",
        "stored bits",
        "accuracy",
        "points over low rank",
        "cycles per step",
        "without waits",
    )
    return markdown(header, sorted(body, key=lambda line: -int(line[2])))


def text_table() -> str:
    """Return what compression costs the character model, in bits per character."""
    source = rows("text")
    body = []
    for form, times in source.values("compression", "form").items():
        bits, lost = (source.figure(name, form=form, split="test") for name in ("score", "score_lost"))
        validation = source.figure("score_lost", form=form, split="validation")
        body.append((form, f"{times:.2f} times", f"{bits:.3f}", f"{lost:+.3f}", f"{validation:+.3f}"))
    dense, longer = (source.figure(name, split="test") for name in ("float_score", "longer_float_score"))
    baseline = source.figure("baseline_score")
    header = (
        "weights",
        "smaller than float32",
        f"bits per character, test (float {dense:.3f}, with the epochs of compression {longer:.3f}, bigrams "
        f"{baseline:.3f})",
        "lost against the longer float, test",
        "lost, validation",
    )
    return markdown(header, body)


def volume_table() -> str:
    """Return how small the spoken digits' model becomes, and what that costs."""
    source = rows("compress")
    body = []
    for target, times in source.values("mean_compression", "target").items():
        lost = source.figure("mean_score_lost", target=target)
        met = source.all("requirement_met", target=target)
        seconds = source.mean("compression_seconds", target=target)
        body.append(
            (
                f"{target} times",
                f"{times:.0f} times",
                f"{lost:.2f} points",
                f"{sum(met):.0f} of {len(met)}",
                f"{seconds:.0f}",
            )
        )
    header = ("asked for", "smaller than float32", "test accuracy lost", "seeds that met it", "seconds")
    return markdown(header, body)


def import_table() -> str:
    """Return how many models of others are imported, and how far they are from their source."""
    source = rows("import")
    body = []
    for name, what in (
        ("node tests", "node tests of the `onnx` package"),
        ("graphs", "random ONNX graphs, against onnxruntime"),
        ("modules", "random PyTorch modules"),
    ):
        counts = source.values("imported_models", "outcome", source=name)
        difference = source.figure("import_difference", source=name)
        outcomes = (f"{counts.get(outcome, 0)}" for outcome in ("right", "refused", "wrong"))
        body.append((what, *outcomes, f"{difference:.1e}"))
    return markdown(("models", "right", "refused by name", "wrong", "largest difference"), body)


def roads_table() -> str:
    """Return how models of other frameworks went from their file to a proof, by the command line alone."""
    source = rows("roads")
    body = []
    for road in source.distinct("road"):
        seconds = source.values("road_seconds", "command", road=road)
        compared, differing = (source.figure(name, road=road) for name in ("integers_compared", "mismatches"))
        body.append((road, *(f"{value:.0f}" for value in seconds.values()), f"{compared:,}", f"{differing}"))
    return markdown(
        ("model", "import, s", "quantise, s", "build, s", "verify, s", "integers compared", "mismatches"),
        body,
    )


def silero_speech() -> str:
    """Say what speech the example was measured on, and how many integers differed."""
    source = rows("silero-vad")
    (found,) = source.where("input_zeros")
    compared, differing = (sum(source.all(name)) for name in ("integers_compared", "mismatches"))
    at = found.parameters
    return (
        f"{at['frames']:,} decisions in {at['recordings']} recordings, {found.value:.1f} % of the inputs zero; "
        f"{compared:,} integers of PyTorch, golden model and RTL compared, {differing} mismatches:"
    )


def silero_table() -> str:
    """Return what the example makes of Silero VAD."""
    source = rows("silero-vad")
    body = []
    for form, bits in source.values("stored_bits", "form").items():
        equal = source.figure("equal_decisions", form=form)
        cycles = [
            source.figure("cycles_per_step", form=form, zeros_skipped=skipped) for skipped in (False, True)
        ]
        body.append((form, f"{bits:,}", f"{equal:.2f} %", *(f"{each:,.1f}" for each in cycles)))
    header = (
        "weights",
        "stored bits",
        "decisions equal to the float model's",
        "cycles per step, dense",
        "zeros skipped",
    )
    return markdown(header, body)
