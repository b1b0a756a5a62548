import copy
import dataclasses
from random import Random

import numpy as np
import pytest
import torch

from gatewright.errors import BundleError, ConfigError
from gatewright.sw.batching import Batch, Carry
from gatewright.sw.compress import CompressSettings, compress
from gatewright.sw.compress.distillation import Distillation
from gatewright.sw.compress.pattern import layout
from gatewright.sw.compress.quantise import calibrate
from gatewright.sw.compress.sample import batches_of
from gatewright.sw.compress.units import keep_units, kept_units
from gatewright.sw.determinism import seeded
from gatewright.sw.integer import evaluate
from gatewright.sw.metrics import METRICS
from gatewright.sw.models import FloatModel
from gatewright.sw.network import LstmNetwork
from gatewright.sw.search import sandwich as room
from gatewright.sw.search import supernet as supernet_room
from gatewright.sw.search.sandwich import train_super
from gatewright.sw.search.settings import SuperSettings
from gatewright.sw.search.space import SearchSpace
from gatewright.sw.search.supernet import SuperNetwork, candidate_bundle, finalise, shortened
from gatewright.sw.settings import TrainSettings
from gatewright.sw.spec import CompressionSpec, uniform_spec
from gatewright.sw.tasks import task_from


@pytest.fixture
def supernet(float_model):
    return SuperNetwork.of(float_model)


@pytest.fixture(scope="module")
def space(float_model):
    return SearchSpace.of(float_model.network, "matrix", ranks=(1, 4, None), densities=(0.25, 1.0), lanes=8)


@pytest.fixture(scope="module")
def sequences(task, float_model):
    return float_model.standardise(task.train.sequences)


def with_rank(network, rank, name="layer0.recurrent", **others):
    spec = uniform_spec(network, lanes=8)
    product = dataclasses.replace(spec.products[name], rank=rank, **others)
    return dataclasses.replace(spec, products=spec.products | {name: product})


def test_the_whole_network_is_the_trained_one(float_model, supernet):
    whole = supernet.subnetwork(uniform_spec(float_model.network, lanes=8))
    for name, product in whole.products().items():
        assert product.rank is None
        assert torch.allclose(product(), float_model.network.products()[name](), atol=1e-5)
    assert torch.equal(whole.layers[0].bias, float_model.network.layers[0].bias)
    assert torch.equal(whole.head_bias, float_model.network.head_bias)


def test_the_largest_network_in_8_bits_scores_like_the_trained_one(task, float_model, supernet, sequences):
    spec = uniform_spec(float_model.network, lanes=8)
    bundle = candidate_bundle(task, float_model, supernet, spec, sequences, CompressSettings())
    dense = float_model.score(task.validation, task.metric)
    assert abs(evaluate(bundle, task.validation, task.metric) - dense) <= 2.5


def test_smaller_ranks_are_parts_of_larger_ones_and_the_best_approximations(float_model, supernet):
    large = supernet.subnetwork(with_rank(supernet.network, 6)).layers[0].recurrent
    small = supernet.subnetwork(with_rank(supernet.network, 3)).layers[0].recurrent
    assert torch.equal(small.factors[0], large.factors[0][:3])
    assert torch.equal(small.factors[1], large.factors[1][:, :3])
    best = float_model.network.layers[0].recurrent.factorised(3)
    assert torch.allclose(small(), best(), atol=1e-5)


def test_a_subnetwork_is_a_copy(supernet):
    before = copy.deepcopy(supernet.network.state_dict())
    network = supernet.subnetwork(with_rank(supernet.network, None, "head"))
    for parameter in network.parameters():
        assert parameter.is_leaf
        parameter.data.zero_()
    for name, value in supernet.network.state_dict().items():
        assert torch.equal(value, before[name])


def test_pruning_keeps_the_largest_weights_that_the_pattern_allows(supernet):
    spec = with_rank(supernet.network, None, density=0.25)
    whole = supernet.subnetwork(spec, prune=False).matrices()["layer0.recurrent"]
    pruned = supernet.subnetwork(spec).matrices()["layer0.recurrent"]
    kept = pruned != 0
    assert torch.equal(pruned[kept], whole[kept])
    places = layout("layer0.recurrent", whole, spec)
    counts = places.cube(kept.float(), 0.0).sum(dim=1)
    assert (counts == places.kept(0.25)).all()
    magnitudes = places.cube(whole.detach().abs(), 0.0)
    smallest = magnitudes.masked_fill(places.cube(kept.float(), 0.0) == 0, torch.inf).amin(dim=1)
    dropped = magnitudes.masked_fill(places.cube(kept.float(), 0.0) == 1, -1.0).amax(dim=1)
    assert (dropped <= smallest).all()


def gradients(task, float_model, supernet, spec):
    """Gradients of the shared weights of one sub-network's loss on one batch, and the batch."""
    batch = batches_of(task.train, float_model)[0]
    distillation = Distillation(float_model, CompressSettings(), task)
    sample = float_model.standardise(task.train.sequences[:20])
    supernet.network.zero_grad()
    student = calibrate(supernet.subnetwork(spec), sample, spec)
    room._loss(supernet, spec, student, distillation, batch).backward()
    return {name: parameter.grad for name, parameter in supernet.network.named_parameters()}, batch, sample


def direct(task, float_model, supernet, spec, batch: Batch, sample):
    """Gradients of the same loss with respect to a copy of the sub-network."""
    student = calibrate(supernet.subnetwork(spec), sample, spec)
    Distillation(float_model, CompressSettings(), task)(batch.logits(student), batch).backward()
    return student.masters


def test_a_gradient_lands_in_the_slice_and_nowhere_else(task, float_model, supernet):
    spec = with_rank(supernet.network, 3)
    found, batch, sample = gradients(task, float_model, supernet, spec)
    expected = direct(task, float_model, supernet, spec, batch, sample)
    first, second = (found[f"layers.0.recurrent.factors.{k}"] for k in (0, 1))
    for part, own in zip((first[:3], second[:, :3]), expected.layers[0].recurrent.factors, strict=True):
        assert part.abs().min() > 0
        assert torch.allclose(part, own.grad, rtol=1e-4, atol=1e-7)
    assert not first[3:].any()
    assert not second[:, 3:].any()
    assert torch.allclose(found["layers.0.bias"], expected.layers[0].bias.grad, rtol=1e-4, atol=1e-7)
    assert torch.allclose(found["head.factors.0"], expected.head.factors[0].grad, rtol=1e-4, atol=1e-7)


def test_a_whole_matrix_sends_its_gradient_to_both_factors_and_none_through_dropped_weights(
    task, float_model, supernet
):
    spec = with_rank(supernet.network, None, density=0.25)
    found, batch, sample = gradients(task, float_model, supernet, spec)
    masters = direct(task, float_model, supernet, spec, batch, sample)
    matrix = masters.layers[0].recurrent.factors[0]
    grad = torch.where(matrix == 0, 0.0, matrix.grad)
    first, second = supernet.network.layers[0].recurrent.factors
    assert torch.allclose(found["layers.0.recurrent.factors.0"], second.T @ grad, rtol=1e-4, atol=1e-7)
    assert torch.allclose(found["layers.0.recurrent.factors.1"], grad @ first.T, rtol=1e-4, atol=1e-7)


def test_training_makes_the_smallest_network_better_and_repeats(task, float_model, space, sequences):
    def trained(seed=0):
        supernet = SuperNetwork.of(float_model)
        settings = SuperSettings(epochs=2, sampled=1, seed=seed)
        history = train_super(task, float_model, supernet, space, settings)
        return history, supernet

    dense = copy.deepcopy(float_model.network.state_dict())
    before = SuperNetwork.of(float_model)
    smallest = space.spec(space.smallest)

    def bits(supernet):
        bundle = candidate_bundle(task, float_model, supernet, smallest, sequences, CompressSettings())
        return evaluate(bundle, task.validation, METRICS["bits"])

    history, supernet = trained()
    assert len(history) == 2
    assert bits(supernet) < 0.8 * bits(before)
    for name, value in float_model.network.state_dict().items():
        assert torch.equal(value, dense[name])
    again = trained()
    assert again[0] == history
    for one, other in zip(supernet.network.parameters(), again[1].network.parameters(), strict=True):
        assert torch.equal(one, other)
    other = trained(seed=1)[1].network.parameters()
    assert not all(
        torch.equal(one, two) for one, two in zip(supernet.network.parameters(), other, strict=True)
    )


@pytest.mark.parametrize("aimed", [False, True])
def test_every_update_trains_the_largest_the_smallest_and_the_asked_number_of_others(
    task, float_model, space, monkeypatch, aimed
):
    seen = []
    loss = room._loss

    def spy(supernet, spec, *others):
        seen.append(spec)
        return loss(supernet, spec, *others)

    monkeypatch.setattr(room, "_loss", spy)
    target = space.sample(Random(5))
    settings = SuperSettings(epochs=4, sampled=3, calibrated=4)
    targets = [target] if aimed else []
    train_super(task, float_model, SuperNetwork.of(float_model), space, settings, targets=targets)
    updates = 4 * -(-len(task.train) // float_model.settings.batch)
    assert len(seen) == 5 * updates
    assert seen[::5] == [space.spec(space.largest)] * updates
    assert seen[1::5] == [space.spec(space.smallest)] * updates
    random = [spec for k in (2, 3, 4) for spec in seen[k::5]]
    share = sum(spec == space.spec(target) for spec in random) / len(random)
    assert 0.2 < share < 0.8 if aimed else share < 0.2


def test_a_candidate_that_is_trained_a_little_leaves_the_shared_weights_alone(
    task, float_model, supernet, sequences, space
):
    before = copy.deepcopy(supernet.network.state_dict())
    spec = space.spec(space.smallest)
    quick, trained = (
        candidate_bundle(task, float_model, supernet, spec, sequences, CompressSettings(), epochs)
        for epochs in (0, 2)
    )
    assert evaluate(trained, task.validation, METRICS["bits"]) < evaluate(
        quick, task.validation, METRICS["bits"]
    )
    for name, value in supernet.network.state_dict().items():
        assert torch.equal(value, before[name])


def test_finalising_prunes_the_slice_to_the_densities(task, float_model, supernet):
    spec = with_rank(supernet.network, 4, density=0.25)
    settings = CompressSettings(prune_epochs=2, quantise_epochs=1)
    bundle = finalise(task, float_model, supernet, spec, settings)
    assert bundle.notes["spec"] == spec.to_json()
    for name in ("layer0.recurrent.first", "layer0.recurrent.second"):
        values = bundle.matrices[name].matrix.values
        assert 4 in values.shape
        assert 0.15 < (values != 0).mean() <= 0.3


def test_a_checkpoint_is_read_back(tmp_path, supernet):
    supernet.save(tmp_path / "super.pt")
    again = SuperNetwork.load(tmp_path / "super.pt")
    assert again.network.state_dict().keys() == supernet.network.state_dict().keys()
    for name, value in again.network.state_dict().items():
        assert torch.equal(value, supernet.network.state_dict()[name])
    assert again.model.labels == supernet.model.labels


def test_what_is_no_super_network_is_refused(tmp_path, float_model, supernet):
    with pytest.raises(ConfigError, match=r"layer0\.input of a super network must be two factors"):
        SuperNetwork(float_model, supernet.order)
    float_model.save(tmp_path / "float.pt")
    with pytest.raises(BundleError, match=r"float\.pt: not a super network"):
        SuperNetwork.load(tmp_path / "float.pt")
    supernet.save(tmp_path / "cut.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "cut.pt").read_bytes()[:500])
    with pytest.raises(BundleError, match=r"cut\.pt"):
        SuperNetwork.load(tmp_path / "cut.pt")
    with pytest.raises(BundleError, match="no such file"):
        SuperNetwork.load(tmp_path / "missing.pt")


def test_what_the_super_network_cannot_give_is_refused(supernet):
    with pytest.raises(ConfigError, match=r"rank of layer0\.recurrent must be from 1 to 16, not 17"):
        supernet.subnetwork(with_rank(supernet.network, 17))
    with pytest.raises(ConfigError, match="keeps head as it is"):
        supernet.subnetwork(with_rank(supernet.network, 2, "head"))
    spec = uniform_spec(supernet.network)
    fewer = {name: product for name, product in spec.products.items() if name != "head"}
    with pytest.raises(ConfigError, match=r"for the products layer0\.input, layer0\.recurrent, but"):
        supernet.subnetwork(dataclasses.replace(spec, products=fewer))


@pytest.fixture(scope="module")
def deep(task):
    """An untrained model of two layers with projections."""
    with seeded(5):
        network = LstmNetwork.initial(2, 16, 3, layers=2, projection=6)
    return FloatModel(network.eval(), np.zeros(2), np.ones(2), task.labels, TrainSettings(hidden=16))


def fewer_units(model, *, density=1.0, rank=None):
    spec = uniform_spec(model.network, density, lanes=8, rank=rank)
    return dataclasses.replace(spec, hidden={"layer0": 4, "layer1": 8})


@pytest.mark.parametrize("rank", [None, 2])
def test_fewer_units_are_those_that_contribute_most(deep, rank):
    spec = fewer_units(deep, rank=rank)
    network = SuperNetwork.of(deep).subnetwork(spec)
    assert [layer.hidden_size for layer in network.layers] == [4, 8]
    assert network.layers[1].recurrent.rank == rank
    if rank is None:
        direct = keep_units(deep.network, kept_units(deep.network, spec.hidden))
        for name, product in network.products().items():
            assert torch.allclose(product(), direct.products()[name](), atol=1e-5)
        assert torch.equal(network.layers[1].bias, direct.layers[1].bias)


@pytest.mark.parametrize("rank", [None, 2])
def test_gradients_of_fewer_units_go_back_to_the_shared_weights(task, deep, rank):
    supernet, spec = SuperNetwork.of(deep), fewer_units(deep, density=0.5, rank=rank)
    found, batch, sample = gradients(task, deep, supernet, spec)
    masters = direct(task, deep, supernet, spec, batch, sample)
    kept = torch.zeros(16, dtype=torch.bool)
    kept[list(supernet.order[1][:8])] = True
    rows = kept.repeat(4)
    assert torch.allclose(found["layers.1.bias"][rows], masters.layers[1].bias.grad, rtol=1e-4, atol=1e-7)
    assert not found["layers.1.bias"][~rows].any()
    projection = found["layers.1.projection.factors.0"]
    assert projection[:, kept].any()
    assert not projection[:, ~kept].any()
    second = found["layers.1.recurrent.factors.1"]
    assert second[rows].any()
    assert not second[~rows].any()


def test_candidates_of_fewer_units_are_trained_and_finished(task, deep, tmp_path):
    space = SearchSpace.of(deep.network, ranks=(2, None), densities=(0.5, 1.0), lanes=8)
    space = space.changed({"hidden": (4, 16)})
    supernet = SuperNetwork.of(deep)
    train_super(task, deep, supernet, space, SuperSettings(epochs=1, sampled=1, calibrated=4))
    supernet.save(tmp_path / "super.pt")
    assert SuperNetwork.load(tmp_path / "super.pt").order == supernet.order
    spec = space.spec(space.smallest)
    settings = CompressSettings(prune_epochs=2, quantise_epochs=1)
    bundle = finalise(task, deep, supernet, spec, settings)
    assert [layer.hidden_size for layer in bundle.layers] == [4, 4]
    assert CompressionSpec.from_json(bundle.notes["spec"]) == spec
    alone = compress(task, deep, spec, settings)
    assert [layer.hidden_size for layer in alone.layers] == [4, 4]


def test_orders_name_every_unit_once(supernet):
    with pytest.raises(ConfigError, match="must name every hidden unit of each layer once"):
        SuperNetwork(supernet.model, [[0] * 16])


def test_long_sequences_are_cut_to_their_middle():
    long, short = torch.arange(2000.0)[:, None], torch.arange(3.0)[:, None]
    cut, same = shortened([long, short])
    assert len(cut) == 512
    assert cut[0] == 744
    assert torch.equal(same, short)


def test_students_begin_a_chunk_where_their_teacher_was_left(deep):
    supernet, carry = SuperNetwork.of(deep), Carry()
    x = torch.randn(6, 3, 2, generator=torch.Generator().manual_seed(0))
    whole, few = uniform_spec(deep.network, lanes=8), fewer_units(deep)
    students = {id(spec): calibrate(supernet.subnetwork(spec), [x[:, 0]], spec) for spec in (whole, few)}
    assert supernet.beside(deep, carry, students[id(whole)], whole).states(students[id(whole)]) is None
    with torch.no_grad():
        carry.run(deep.network, x)
    carry.advance()
    states = carry.states(deep.network)
    beside = supernet.beside(deep, carry, students[id(whole)], whole)
    assert beside.states(students[id(whole)]) is states
    assert beside.states(deep.network) is states
    with torch.no_grad():
        beside.run(deep.network, x)
    assert carry.states(deep.network) is states
    cut = supernet.beside(deep, carry, students[id(few)], few).states(students[id(few)])
    kept = sorted(supernet.order[0][:4])
    assert torch.equal(cut[0][0], states[0][0])
    assert torch.equal(cut[0][1], states[0][1][:, kept])
    assert torch.equal(cut[1][1], states[1][1][:, sorted(supernet.order[1][:8])])


def test_long_sequences_are_learnt_in_chunks(monkeypatch):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 40, 2)).astype(np.float32)
    task = task_from({"X": x, "y": np.cumsum(x[:, :, :1], axis=1) / 6}, name="sums")
    with seeded(3):
        network = LstmNetwork.initial(2, 8, 1)
    settings = TrainSettings(hidden=8, batch=8, chunk=16, noise=0.0, offset=0.0, dropout=0.0)
    model = FloatModel(network.eval(), np.zeros(2), np.ones(2), task.labels, settings)
    begun = []
    beside = SuperNetwork.beside

    def spy(self, teacher, carry, *others):
        begun.append(None if carry.states(teacher.network) is None else carry.states(teacher.network)[0][0])
        return beside(self, teacher, carry, *others)

    monkeypatch.setattr(SuperNetwork, "beside", spy)
    space = SearchSpace.of(network, ranks=(2, None), lanes=8)
    supernet = SuperNetwork.of(model)
    train_super(task, model, supernet, space, SuperSettings(epochs=1, sampled=1, calibrated=4))
    # Three chunks of three sub-networks, that all begin where the trained model was left.
    assert len(begun) == 9
    assert begun[:3] == [None] * 3
    assert all(begun[k] is begun[3] for k in (4, 5))
    assert not torch.equal(begun[3], begun[6])


def test_points_begin_with_the_better_weights(task, float_model, monkeypatch):
    spec = uniform_spec(float_model.network, lanes=8)
    ruined = SuperNetwork.of(float_model)
    with torch.no_grad():
        for parameter in ruined.network.parameters():
            parameter.mul_(0.01)
    begun = []
    monkeypatch.setattr(supernet_room, "compress", lambda *_, start, **__: begun.append(start))
    for shared in (ruined, SuperNetwork.of(float_model)):
        finalise(task, float_model, shared, spec, CompressSettings())
    assert torch.equal(begun[0].layers[0].bias, float_model.network.layers[0].bias)
    assert torch.equal(begun[1].layers[0].bias, float_model.network.layers[0].bias)
    better = SuperNetwork.of(float_model)
    with torch.no_grad():
        better.network.head_bias.add_(1e-3)
    finalise(task, float_model, better, spec, CompressSettings())
    assert torch.equal(begun[2].head_bias, better.network.head_bias)
