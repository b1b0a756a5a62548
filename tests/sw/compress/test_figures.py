import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gatewright.sw.compress.figures import score_rows, shape_rows
from gatewright.sw.compress.quantise import calibrate
from gatewright.sw.numbers import Fixed
from gatewright.sw.products import LowRank, Matrix, Stage
from gatewright.sw.spec import uniform_spec

NOTES = {
    "scores": {"validation": 0.25, "test": 0.5},
    "metric": "mse",
    "unit": "squared units",
    "more_is_better": False,
    "density": 0.5,
    "seed": 3,
}


def bundle_of(network):
    spec = uniform_spec(network, bits=4)
    made = calibrate(network, [torch.randn(20, 3)], spec).bundle(np.zeros(3), np.ones(3), list("abcd"))
    return dataclasses.replace(made, notes=NOTES)


def test_scores_say_their_metric_and_its_direction(network_of):
    rows = list(score_rows(bundle_of(network_of()), "small"))
    assert [(row.name, row.unit, row.value, row.seed) for row in rows] == [
        ("score", "squared units", 0.25, 3),
        ("score", "squared units", 0.5, 3),
    ]
    about = {"model": "small", "density": 0.5, "metric": "mse", "better": "less"}
    assert rows[1].parameters == about | {"split": "test"}


def test_every_product_has_rank_and_bits_and_every_matrix_its_density(network_of):
    network = network_of(rank=2)
    with torch.no_grad():
        network.matrices()["layer0.recurrent.first"][0] = 0
    rows = list(shape_rows(bundle_of(network), "small"))
    assert {row.parameters["model"] for row in rows} == {"small"}
    ranks = {row.parameters["product"]: row.value for row in rows if row.name == "rank"}
    assert ranks == {"layer0.input": 2, "layer0.recurrent": 2, "head": 2}
    assert {row.value for row in rows if row.name == "bits"} == {4}
    densities = {row.parameters["matrix"]: row.value for row in rows if row.name == "weight_density"}
    assert set(densities) == set(network.matrices())
    assert 30 < densities["layer0.recurrent.first"] <= 50
    whole = {row.value for row in shape_rows(bundle_of(network_of()), "small") if row.name == "rank"}
    assert whole == {0}


@pytest.mark.parametrize(("more", "better"), [(True, "more"), (False, "less")])
def test_scores_say_what_is_better(more, better):
    bundle = SimpleNamespace(notes=NOTES | {"more_is_better": more})
    assert {row.parameters["better"] for row in score_rows(bundle, "small")} == {better}


def test_bits_are_those_of_the_first_factor_and_density_is_in_percent():
    source = Fixed(8, 7)
    first, second = (
        Matrix(np.array([[1, 0, 0, -1, 0]]), Fixed(4, 3)),
        Matrix(np.ones((8, 1), int), Fixed(2, 0)),
    )
    bundle = SimpleNamespace(
        notes=NOTES,
        products={"head": (LowRank(first, source, second), source), "layer0.input": (second, source)},
        matrices={"head.first": Stage(first, source)},
    )
    rows = list(shape_rows(bundle, "small"))
    assert [(row.name, row.unit, row.value) for row in rows] == [
        ("rank", "columns", 1),
        ("bits", "bits", 4),
        ("rank", "columns", 0),
        ("bits", "bits", 2),
        ("weight_density", "percent", 40.0),
    ]
    assert {row.seed for row in rows} == {3}
