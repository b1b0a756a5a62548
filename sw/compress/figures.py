"""Rows that every way of compressing leaves of a bundle: what it scores, and what it was brought to."""

from collections.abc import Iterator

from gatewright.results import Row
from gatewright.sw.bundle import Bundle
from gatewright.sw.products import LowRank


def score_rows(bundle: Bundle, model: str) -> Iterator[Row]:
    """Yield the scores that a bundle's notes hold; `model` is its name in rows."""
    notes = bundle.notes
    better = "more" if notes["more_is_better"] else "less"
    for split, value in notes["scores"].items():
        at = {
            "model": model,
            "density": notes["density"],
            "split": split,
            "metric": notes["metric"],
            "better": better,
        }
        yield Row("score", notes["unit"], value, at, notes["seed"])


def shape_rows(bundle: Bundle, model: str) -> Iterator[Row]:
    """Yield rank (0: whole) and bits of every product, and the density of every matrix."""
    seed = bundle.notes["seed"]
    for name, (product, source) in bundle.products.items():
        at = {"model": model, "product": name}
        yield Row("rank", "columns", product.rank if isinstance(product, LowRank) else 0, at, seed)
        yield Row("bits", "bits", product.stages(source)[0].matrix.format.bits, at, seed)
    for name, stage in bundle.matrices.items():
        yield Row(
            "weight_density", "percent", 100 * stage.matrix.density, {"model": model, "matrix": name}, seed
        )
