"""What a model keeps of its weights, counted by hand."""

from dataclasses import replace

import numpy as np

from gatewright.cosim.workloads import random_bundle
from gatewright.flow.design import compile_models
from gatewright.flow.kept import kept_rows
from gatewright.hw.compiler.choose import HardwareChoice
from gatewright.sw.products import Matrix
from gatewright.sw.spec import CompressionSpec, ProductSpec


def told(rows):
    return {(row.name, row.parameters.get("product")): row.value for row in rows}


def sparse_bundle():
    """A model of 4 units whose head keeps 3 of 12 weights, and whose W_ih, of 16 by 2, is whole."""
    bundle = random_bundle(1, inputs=2, hidden=4, classes=3, lanes=4)
    values = np.zeros((3, 4), np.int8)
    values[:, 1] = 1
    whole = np.ones((16, 2), np.int8)
    layer = replace(bundle.layers[0], input=Matrix(whole, bundle.layers[0].input.format))
    head = replace(bundle.head, matrix=Matrix(values, bundle.head.matrix.format))
    return replace(bundle, layers=(layer,), head=head)


def test_zeros_are_counted_in_the_integers():
    bundle = sparse_bundle()
    recurrent = bundle.layers[0].recurrent.values
    found = told(kept_rows(bundle, "a"))
    assert found["product_kept", "head"] == 25
    assert found["product_kept", "layer0.input"] == 100
    assert found["weights_kept", None] == 100 * (3 + 32 + np.count_nonzero(recurrent)) / (12 + 32 + 64)
    assert not any(name == "density_asked" for name, _ in found)


def test_both_factors_of_a_product_count():
    bundle = random_bundle(1, inputs=5, hidden=8, classes=3, lanes=4, rank=2)
    product = bundle.layers[0].recurrent
    nonzeros = np.count_nonzero(product.first.values) + np.count_nonzero(product.second.values)
    assert product.first.values.size + product.second.values.size == 2 * (8 + 32)
    assert told(kept_rows(bundle, "a"))["product_kept", "layer0.recurrent"] == 100 * nonzeros / 80


def test_a_build_tells_what_was_asked_for_beside_it():
    asked = {"layer0.input": 1.0, "layer0.recurrent": 0.0625, "head": 0.5}
    spec = CompressionSpec({name: ProductSpec(density=each) for name, each in asked.items()}, lanes=4)
    bundle = sparse_bundle()
    noted = replace(bundle, notes={"spec": spec.to_json()})
    rows = list(compile_models({"a": noted}, HardwareChoice(lanes=4)).rows())
    found = told(row for row in rows if row.parameters.get("model") == "a")
    assert found["density_asked", "layer0.recurrent"] == 6.25
    assert found["density_asked", "head"] == 50
    assert found["product_kept", "head"] == 25
