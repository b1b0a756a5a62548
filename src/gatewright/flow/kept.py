"""What a model keeps of its weights, beside what was asked for."""

from collections.abc import Iterator

from gatewright.results import Row
from gatewright.sw.bundle import Bundle
from gatewright.sw.products import LowRank
from gatewright.sw.spec import CompressionSpec


def kept_rows(bundle: Bundle, model: str) -> Iterator[Row]:
    """Yield the weights that are not zero, in percent: of the model, and of each product beside the density asked for.

    They are counted in the integers of the bundle. A pattern keeps at least one word of each step, which may be more
    than was asked for; narrow weights that round to zero make it less.

    Raises
    ------
    ConfigError
        The specification in the bundle's notes is malformed.
    """
    spec = bundle.notes.get("spec")
    asked = {} if spec is None else CompressionSpec.from_json(spec).products
    kept = size = 0
    for name, (product, _) in bundle.products.items():
        parts = [product.first, product.second] if isinstance(product, LowRank) else [product]
        nonzeros, weights = sum(each.nonzeros for each in parts), sum(each.values.size for each in parts)
        kept, size = kept + nonzeros, size + weights
        at = {"model": model, "product": name}
        yield Row("product_kept", "percent", 100 * nonzeros / weights, at)
        if name in asked:
            yield Row("density_asked", "percent", 100 * asked[name].density, at)
    yield Row("weights_kept", "percent", 100 * kept / size, {"model": model})
