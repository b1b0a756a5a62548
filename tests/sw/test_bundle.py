import dataclasses

import numpy as np
import pytest
from stored import stored

from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.errors import BundleError, DataError
from gatewright.storage import write_npz
from gatewright.sw.bundle import Bundle, Head, LowRank, Matrix
from gatewright.sw.numbers import Fixed, hidden_format, reference


@pytest.fixture
def bundle():
    return random_bundle(1, inputs=3, hidden=4, lanes=4, layers=2)


@pytest.fixture
def rich():
    """All kinds of products: low rank, projections, and two layers."""
    return random_bundle(
        3, inputs=3, hidden=6, lanes=4, layers=2, rank=2, projection=5, weight_bits=(8, 4, 2)
    )


def test_parts_that_disagree_are_refused(bundle):
    first, second = bundle.layers
    with pytest.raises(BundleError, match=r"a layer takes 3 inputs .* but the layer below gives 4"):
        dataclasses.replace(bundle, layers=(second, first), mean=np.zeros(4), deviation=np.ones(4))
    with pytest.raises(BundleError, match="at least one layer"):
        dataclasses.replace(bundle, layers=())
    with pytest.raises(BundleError, match="2 labels for 3 logits"):
        dataclasses.replace(bundle, labels=("a", "b"))
    with pytest.raises(BundleError, match="3 labels for 0 logits"):
        dataclasses.replace(bundle, head=None)
    with pytest.raises(BundleError, match="mean must be 3 finite numbers"):
        dataclasses.replace(bundle, mean=np.array([0, np.nan, 0]))
    with pytest.raises(BundleError, match="deviation must be positive"):
        dataclasses.replace(bundle, deviation=np.array([1.0, 0.0, 1.0]))
    for columns, source, text in (
        (5, hidden_format(8), "the head takes 5"),
        (4, Fixed(8, 6), "8 bits, 6 frac"),
    ):
        head = Head(source, Matrix(np.zeros((3, columns), dtype=int), Fixed(8, 0)), np.zeros(3, dtype=int))
        with pytest.raises(BundleError, match=text):
            dataclasses.replace(bundle, head=head)


def test_a_layer_takes_the_projection_of_the_one_below(rich):
    first, second = rich.layers
    assert (second.input_size, second.input_format) == (5, first.output_format)
    recurrent = Matrix(np.zeros((24, 6), dtype=int), Fixed(8, 6))
    unprojected = dataclasses.replace(first, projection=None, recurrent=recurrent)
    with pytest.raises(BundleError, match=r"a layer takes 5 inputs .* gives 6"):
        dataclasses.replace(rich, layers=(unprojected, second))


def test_every_matrix_has_a_name(rich):
    layer = rich.layers[1]
    assert list(rich.matrices)[5:] == [
        "layer1.input.first",
        "layer1.input.second",
        "layer1.recurrent.first",
        "layer1.recurrent.second",
        "layer1.projection",
        "head",
    ]
    assert rich.matrices["layer1.input.first"] == (layer.input.first, rich.layers[0].output_format)
    assert rich.matrices["layer1.recurrent.first"] == (layer.recurrent.first, layer.output_format)
    assert rich.matrices["layer1.recurrent.second"] == (layer.recurrent.second, layer.recurrent.middle)
    assert rich.matrices["layer1.projection"] == (layer.projection.matrix, layer.hidden_format)
    assert rich.matrices["head"] == (rich.head.matrix, layer.output_format)
    assert list(rich.products)[:3] == ["layer0.input", "layer0.recurrent", "layer0.projection"]
    assert rich.products["layer0.input"] == (rich.layers[0].input, rich.input_format)


def test_inputs_are_standardised_then_rounded_half_up():
    made = random_bundle(2, inputs=2)
    made = dataclasses.replace(made, mean=np.array([1.0, -1.0]), deviation=np.array([2.0, 0.5]))
    # frac 5: (1.03125 - 1) / 2 is half an LSB, (-1.2 + 1) / 0.5 is -12.8 LSB.
    assert made.quantise_input([[1.03125, -1.2], [1e6, -1e6]]).tolist() == [[1, -13], [127, -128]]
    with pytest.raises(DataError, match=r"2 features per step, not shape \(4, 3\)"):
        made.quantise_input(np.zeros((4, 3)))


def low_rank_head(bundle):
    first = Matrix(np.array([[1, 2, 3, 4]]), Fixed(8, 6))
    second = Matrix(np.array([[1], [-1], [1]]), Fixed(2, 0))
    head = Head(bundle.head.input_format, LowRank(first, Fixed(8, 5), second), bundle.head.bias)
    return dataclasses.replace(bundle, head=head)


def without_head(bundle):
    return dataclasses.replace(bundle, head=None, labels=())


@pytest.mark.parametrize("change", [lambda bundle: bundle, low_rank_head, without_head])
def test_a_round_trip_on_disk_changes_nothing(bundle, change, tmp_path):
    path = tmp_path / "model.npz"
    bundle = change(bundle)
    bundle = dataclasses.replace(bundle, notes={"task": "digits", "density": 0.125})
    bundle.save(path)
    again = Bundle.load(path)
    x = random_inputs(1, bundle, 5).tolist()
    assert reference.run(again, x) == reference.run(bundle, x)
    assert again.labels == bundle.labels
    assert again.notes == bundle.notes
    assert np.array_equal(again.mean, bundle.mean)
    assert np.array_equal(again.deviation, bundle.deviation)
    assert [p.name for p in tmp_path.iterdir()] == ["model.npz"]


def test_every_kind_of_product_survives_the_disk(rich, tmp_path):
    rich.save(tmp_path / "model.npz")
    again = Bundle.load(tmp_path / "model.npz")
    x = random_inputs(2, rich, 6).tolist()
    assert reference.run(again, x) == reference.run(rich, x)
    assert [stage.matrix.format for stage in again.matrices.values()] == [
        stage.matrix.format for stage in rich.matrices.values()
    ]


def test_other_files_are_refused(bundle, tmp_path):
    path = tmp_path / "model.npz"
    with pytest.raises(BundleError, match="no such file"):
        Bundle.load(path)
    bundle.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BundleError, match="not a bundle file"):
        Bundle.load(path)
    np.savez(path, X=np.zeros(3))
    with pytest.raises(BundleError, match="not a bundle file"):
        Bundle.load(path)
    path.write_text("hello")
    with pytest.raises(BundleError, match="not a bundle file"):
        Bundle.load(path)


@pytest.mark.parametrize(
    "name", ["layer1.bias", "layer0.recurrent.second", "layer1.projection", "head", "mean"]
)
def test_a_bundle_that_lacks_an_array_is_refused(rich, name, tmp_path):
    path = tmp_path / "model.npz"
    rich.save(path)
    with np.load(path) as stored:
        arrays = {key: stored[key] for key in stored.files if key != name}
    np.savez(path, **arrays)
    with pytest.raises(BundleError, match=f"not a whole bundle file: without {name}"):
        Bundle.load(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"formats": []},
        {"formats": {"input": 3}},
        {"formats": {}},
        {"layers": "2"},
        {"layers": 3},
        {"labels": None},
    ],
)
def test_damaged_meta_data_are_refused(rich, changes, tmp_path):
    path = tmp_path / "model.npz"
    rich.save(path)
    meta, arrays = stored(path)
    write_npz(path, meta | changes, arrays)
    with pytest.raises(BundleError, match=r"not a (complete bundle|bundle file|whole bundle file)"):
        Bundle.load(path)
