from dataclasses import replace

import numpy as np
import pytest
import torch

from gatewright.benchmarks.trains import Trial, bench_trains
from gatewright.benchmarks.trains.cores import Cut, TensorTrain, fresh, truncated
from gatewright.benchmarks.trains.forms import Form, forms_of, in_integers, spec_of
from gatewright.benchmarks.trains.lanes import Sizes, cost_of
from gatewright.benchmarks.trains.quantised import QuantisedTrain
from gatewright.benchmarks.trains.views import Views, views_of
from gatewright.errors import ConfigError
from gatewright.results import Rows
from gatewright.sw.compress.quantise import QuantisedNetwork
from gatewright.sw.determinism import seeded
from gatewright.sw.integer import run_integer
from gatewright.sw.network import LstmNetwork

CUTS = (Cut((8, 3), (4, 5)), Cut((8, 3), (20, 1)), Cut((4, 2, 3), (2, 5, 2)))
SMALL = Cut((32, 2), (4, 8))


def write_images(folder, count):
    """Images of 4x8 pixels in two classes, bright above or below."""
    random = np.random.default_rng(5)
    for part, images in (("train", count), ("t10k", count // 2)):
        classes = np.arange(images) % 2
        pixels = random.integers(0, 100, (images, 4, 8))
        pixels[classes == 0, :2] += 150
        pixels[classes == 1, 2:] += 150
        for name, values, shape in (
            ("images-idx3", pixels, pixels.shape),
            ("labels-idx1", classes, (images,)),
        ):
            head = bytes((0, 0, 8, len(shape))) + np.array(shape, ">u4").tobytes()
            (folder / f"{part}-{name}-ubyte").write_bytes(head + values.astype(np.uint8).tobytes())
    return str(folder)


def network_of(form, inputs, hidden):
    with seeded(2):
        network = LstmNetwork.initial(inputs, hidden, 3)
        network.layers[0].input = form.cut_from(network.layers[0].input)
    return network


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.name)
def test_a_train_of_full_rank_is_the_matrix(cut):
    matrix = torch.randn(24, 20, generator=torch.manual_seed(1))
    train = truncated(matrix, cut, 1000)
    torch.testing.assert_close(train(), matrix, atol=1e-5, rtol=0)
    assert [tuple(core.shape) for core in train.factors] == cut.shapes(1000)
    assert sum(core.numel() for core in train.factors) == cut.weights(1000)


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.name)
def test_slices_of_the_cores_give_the_product(cut):
    train = truncated(torch.randn(24, 20, generator=torch.manual_seed(1)), cut, 3)
    x = torch.randn(6, 20)
    values = cut.enter(x)
    for k in reversed(range(len(cut.rows))):
        assert values.shape[-3] * values.shape[-1] == cut.slices(k)
        values = cut.multiply(k, train.factors[k], values)
    outputs = cut.units_together(values.flatten(1).T).T
    torch.testing.assert_close(outputs, x @ train().T, atol=1e-5, rtol=1e-5)


def test_truncation_leaves_what_singular_values_of_the_cut_leave():
    cut = CUTS[0]
    matrix = torch.randn(24, 20, generator=torch.manual_seed(1))
    train = truncated(matrix, cut, 4)
    cores = cut.units_apart(matrix).reshape(8, 3, 4, 5).permute(0, 2, 1, 3).reshape(32, 15)
    left = torch.linalg.svdvals(cores)[4:].norm()
    assert float((train() - matrix).detach().norm()) == pytest.approx(float(left), rel=1e-4)
    first, second = train.factors
    weights = first.detach().reshape(32, 4).norm(dim=0), second.detach().reshape(3, 4, 5).norm(dim=(0, 2))
    torch.testing.assert_close(*weights)


def test_a_kronecker_product_has_rank_one():
    cut = CUTS[0]
    product = torch.kron(torch.randn(8, 4), torch.randn(3, 5))
    train = truncated(cut.units_together(product), cut, 1)
    torch.testing.assert_close(cut.units_apart(train()), product, atol=1e-5, rtol=1e-5)


def test_random_cores_have_the_deviation_that_is_asked_for():
    with seeded(0):
        cut = Cut((32, 8, 4), (8, 8, 8))
        train = TensorTrain(cut, *fresh(0.25, cut.ranks(6), *cut.shapes(6)))
    assert float(train().detach().std()) == pytest.approx(0.25, rel=0.2)


def test_forms_of_a_budget_have_about_the_same_weights():
    forms = forms_of((Cut((32, 8), (28, 28)), Cut((32, 2, 4), (7, 8, 14))), (4, 16), 256, 784)
    sizes = {form: sum(rows * columns for rows, columns in form.shapes(256, 784)) for form in forms}
    assert [form.name for form in forms[:2]] == ["whole", "low rank"]
    assert sizes[Form()] == 256 * 784
    for form, weights in sizes.items():
        if form.cut:
            assert weights == pytest.approx(form.budget * (256 + 784), rel=0.1)


@pytest.mark.parametrize("text", [((6, 2), (4, 8)), ((8,), (4,)), ((8, 2), (4, 2, 2))])
def test_a_cut_has_gates_in_its_first_rows_and_as_many_rows_as_columns(text):
    with pytest.raises(ConfigError, match="multiple of 4 rows first"):
        Cut(*text)


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.name)
@pytest.mark.parametrize("bits", [8, 4])
def test_the_quantised_train_is_plain_integer_arithmetic(cut, bits):
    form = Form(3, cut, 3)
    network = network_of(form, 20, 6)
    sequences = list(torch.randn(12, 4, 20, generator=torch.manual_seed(7)))
    student = in_integers(network, spec_of(network, form, bits), sequences)
    assert isinstance(student, QuantisedTrain)
    bundle, matrices = student.bundle_and_cores()
    x = torch.stack(sequences, dim=1)
    with torch.no_grad():
        logits = student.logits(student(x)[-1]).numpy()

    ranks = cut.ranks(3)
    integers = []
    for sequence in sequences:
        steps = []
        for vector in student.vectors[0].quantise(sequence.numpy()):
            values = {
                (): vector.reshape(*cut.columns, 1)
            }  # By the rows that later cores gave: [n1, ..., nk, rk].
            for number, matrix in enumerate(matrices):
                k = len(cut.rows) - 1 - number
                source, target = student.vectors[number : number + 2]
                shift = source.frac + matrix.format.frac - target.frac
                core = matrix.values.astype(np.int64).reshape(cut.rows[k], ranks[k], -1)
                found = {}
                for given, slices in values.items():
                    sums = slices.reshape(-1, core.shape[2]) @ core.reshape(-1, core.shape[2]).T
                    rounded = target.saturate(sums + (1 << shift >> 1) >> shift)
                    rounded = rounded.reshape(*cut.columns[:k], cut.rows[k], ranks[k])
                    for row in range(cut.rows[k]):
                        found[row, *given] = rounded[..., row, :]
                values = found
            steps.append(np.stack([each.ravel() for _, each in sorted(values.items())], axis=1).ravel())
        integers.append(np.stack(steps))
    with torch.no_grad():
        between = student.between(x).permute(1, 0, 2).numpy() * 2.0 ** student.vectors[-1].frac
    np.testing.assert_array_equal(between, np.stack(integers))
    assert bundle.input_format == student.vectors[-1]
    np.testing.assert_array_equal(run_integer(bundle, integers)[1] * 2.0**-bundle.head.logit_frac, logits)


def test_integers_follow_the_float_train_and_gradients_reach_every_core():
    form = Form(4, CUTS[2], 4)
    network = network_of(form, 20, 6)
    sequences = list(torch.randn(12, 4, 20, generator=torch.manual_seed(7)))
    student = in_integers(network, spec_of(network, form, 8), sequences)
    x = torch.stack(sequences, dim=1)
    outputs = student(x)
    assert float((outputs - network(x)).detach().abs().max()) < 0.05
    outputs.square().sum().backward()
    network(x).square().sum().backward()
    last, *others = reversed(network.layers[0].input.factors)
    for core, exact in zip(
        (*student.cores, student.rest.masters.layers[0].input.factors[0]), (last, *others), strict=True
    ):
        close = torch.nn.functional.cosine_similarity(core.grad.flatten(), exact.grad.flatten(), dim=0)
        assert float(close) > 0.95


def test_costs_of_what_the_compiler_knows_are_those_of_the_compiled_model():
    sizes = Sizes(32, 16, 2)
    whole, factors = cost_of(Form(), 8, sizes), cost_of(Form(2), 8, sizes)
    # 32 columns of 64 rows on 16 lanes, and 16 columns of W_hh.
    assert whole.words == 32 * 4 + 16 * 4
    # The first factor private, 2 rows in 2 steps; the second 2 columns.
    assert factors.words == 2 * 2 + 2 * 4 + 16 * 4
    assert (whole.between, factors.between) == (0, 2)
    assert whole.stored_bits - factors.stored_bits == 8 * 16 * (32 * 4 - 2 * 2 - 2 * 4) - 4 * 128


@pytest.mark.parametrize("bits", [8, 4])
def test_a_train_of_one_slice_costs_what_two_factors_do(bits):
    sizes, cut = Sizes(32, 16, 2), Cut((64, 1), (1, 32))
    for rank in (2, 5, 16):
        train, factors = cost_of(Form(rank, cut, rank), bits, sizes), cost_of(Form(rank), bits, sizes)
        assert replace(train, cycles=factors.cycles) == factors
        # The compiler does not look for the faster buffer.
        assert factors.cycles - 4 <= train.cycles <= factors.cycles


def test_costs_of_a_train_count_every_slice():
    sizes, form = Sizes(32, 16, 2), Form(2, SMALL, 2)
    assert form.shapes(64, 32) == [(32, 8), (4, 8)]
    train, factors = cost_of(form, 8, sizes), cost_of(Form(2), 8, sizes)
    # The last core private, 4 rows for each of 4 slices; the first 8 columns of 2 words for each of 2 slices.
    assert train.words == 4 * 4 + 2 * 8 * 2 + 16 * 4
    assert train.between == 4 * 4
    assert train.cycles >= train.words
    # Programs count alike: what differs is the words of weights, of 16 lanes.
    assert train.stored_bits - factors.stored_bits == 8 * 16 * (4 + 8 * 2 - (2 * 2 + 2 * 4))


def test_three_cores_take_two_more_ops_in_each_half_of_the_program():
    sizes = Sizes(32, 16, 2)
    two, three = (cost_of(Form(2, cut, 2), 8, sizes) for cut in (SMALL, Cut((32, 2, 1), (4, 4, 2))))
    assert three.cycles > two.cycles
    words = 2 + 4 + 8 * 2 - (4 + 8 * 2)
    assert three.stored_bits - two.stored_bits == 8 * 16 * words + 4 * 128


def test_views_are_shifted_and_hidden_and_always_the_same():
    images = np.full((5, 6, 8), 9, np.uint8)
    views = Views(count=3, shift=1, hidden=2)
    seen = views_of(images, views, 4)
    assert seen.shape == (5, 3, 48)
    np.testing.assert_array_equal(seen, views_of(images, views, 4))
    assert {int(black) for black in (seen == 0).sum(axis=2).ravel()} <= set(range(4, 4 + 6 + 8))
    assert (views_of(images, replace(views, shift=0), 4) == 0).sum() == 5 * 3 * 4


def test_rows_tell_accuracy_bits_and_cycles(tmp_path):
    trial = Trial(
        Views(count=2, shift=0, hidden=1, every=1),
        hidden=16,
        epochs=2,
        ranks=(2,),
        wider=(3,),
        cuts=(SMALL,),
        bits=(8,),
    )
    rows = Rows(bench_trains(write_images(tmp_path, 120), seeds=(0, 1), trial=trial))
    assert len(rows.all("score", form="whole", weight_bits=8)) == 2
    assert len(rows.where("score", form="low rank")) == 4
    assert rows.distinct("views") == [1, 2]
    (gain,) = rows.where("train_gain")
    ours = rows.all("score", form=SMALL.name)
    others = rows.all("score", form="low rank", budget=2)
    assert gain.value == pytest.approx(np.mean(ours) - np.mean(others))
    low, high = (rows.figure(f"train_gain_{end}") for end in ("low", "high"))
    assert low <= gain.value <= high
    # Of rank 1, which comes nearest to the weights.
    assert rows.figure("lane_words", form=SMALL.name) == 4 * 2 + 2 * 4 * 2 + 16 * 4
    assert {row.name for row in rows} >= {"stored_bits", "estimated_cycles_per_step", "values_between"}


def test_other_forms_are_quantised_as_ever():
    network = network_of(Form(2), 20, 6)
    student = in_integers(network, spec_of(network, Form(2), 4), [torch.randn(3, 20)])
    assert isinstance(student, QuantisedNetwork)
    assert student.formats["layer0.input.first"].bits == 4
    assert student.formats["layer0.recurrent"].bits == 8
