import pytest

from gatewright.benchmarks.shapes import CASES, LARGE, WIDE, Case, Shape

TINY = Shape("tiny", 3, 16, lanes=8)


def test_every_case_can_be_compared():
    assert len(set(CASES)) == len(CASES)
    assert all(case.baseline is None or case.baseline in CASES for case in CASES)
    assert not {case.shape.name for case in CASES} & {case.shape.name for case in LARGE + WIDE}


@pytest.mark.parametrize("case", CASES + LARGE + WIDE, ids=str)
def test_shapes_are_what_they_say(case):
    bundle = case.bundle(0)
    layer = bundle.layers[0]
    assert (layer.input_size, layer.hidden_size) == (case.shape.inputs, case.shape.hidden)
    assert layer.output_size == (case.shape.projection or case.shape.hidden)
    assert len(bundle.labels) == case.shape.classes
    assert layer.input.nonzeros < layer.input.rows * layer.input.columns or not (case.sparse or case.rank)


def test_sparse_models_keep_an_eighth():
    dense, sparse = (Case(TINY, sparse=sparse).bundle(0).layers[0].recurrent for sparse in (False, True))
    assert dense.density == 1
    assert sparse.density == 1 / 8


def test_zeros_are_skipped():
    assert not Case(TINY).skip
    assert Case(TINY, zeros=0.25).skip
