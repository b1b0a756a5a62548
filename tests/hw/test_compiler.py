from dataclasses import replace

import numpy as np
import pytest

from gatewright.cosim.golden import Golden
from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.errors import CapacityError, ConfigError
from gatewright.hw.compiler import compile_bundle, smallest_config
from gatewright.hw.compiler.compile import ANY_MODEL, least_config
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.ops import Opcode
from gatewright.sw.bundle import Matrix
from gatewright.sw.mode import POLICY, ModePolicy
from gatewright.sw.numbers import reference

CONFIG = AcceleratorConfig(lanes=8, cell_lanes=2)


def check(bundle, config, mode, hidden="all", logits="all"):
    """Run three sequences on the golden model and hold them against the reference."""
    compiled = compile_bundle(bundle, config, mode=mode, hidden_results=hidden, logit_results=logits)
    golden = Golden(compiled)
    for seed, steps in enumerate((1, 2, 5)):
        x = random_inputs(seed, bundle, steps)
        vectors, sums = compiled.split_results(golden.run(x), steps)
        wanted = reference.run(bundle, x.tolist(), every_step=True)
        first = {"none": steps, "last": steps - 1, "all": 0}
        np.testing.assert_array_equal(
            vectors, np.array(wanted.hidden[first[hidden] :]).reshape(vectors.shape)
        )
        if bundle.head:
            np.testing.assert_array_equal(sums, np.array(wanted.logits[first[logits] :]).reshape(sums.shape))
    return compiled


@pytest.mark.parametrize("mode", ["dense", "sparse"])
@pytest.mark.parametrize("lanes", [4, 8, 32])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("rank", [None, 3])
@pytest.mark.parametrize("projection", [None, 5])
def test_programs_compute_the_model(mode, lanes, layers, rank, projection):
    bundle = random_bundle(
        layers, hidden=10, kept=2, lanes=lanes, layers=layers, rank=rank, projection=projection
    )
    config = smallest_config([(bundle, mode)], lanes=lanes, cell_lanes=1)
    check(bundle, config, mode)


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("narrowest", [2, 4, 8])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("mode", ["dense", "sparse"])
def test_every_width_on_every_hardware(bits, narrowest, groups, mode):
    bundle = random_bundle(5, hidden=9, weight_bits=bits, rank=4, unbalanced=0.6)
    fixed = {"lanes": 16, "groups": groups, "cell_lanes": 1, "narrowest_weight": narrowest}
    check(bundle, smallest_config([(bundle, mode)], **fixed), mode)


@pytest.mark.parametrize("hidden", ["none", "last", "all"])
@pytest.mark.parametrize("logits", ["none", "last", "all"])
def test_results_of_the_steps_that_are_asked_for(hidden, logits):
    if hidden == logits == "none":
        with pytest.raises(ConfigError, match="nothing would be sent"):
            compile_bundle(random_bundle(1), CONFIG, mode="dense", logit_results="none")
    else:
        compiled = check(random_bundle(1), CONFIG, "dense", hidden, logits)
        steps = {"none": 0, "last": 1, "all": 4}
        assert compiled.result_count(4) == 12 * steps[hidden] + 3 * steps[logits]


def test_a_model_without_head_has_no_logits():
    bundle = random_bundle(1, classes=0)
    compiled = check(bundle, CONFIG, "dense")
    assert (compiled.classes, compiled.logit_results) == (0, "none")


def test_a_policy_decides_for_each_matrix():
    bundle = random_bundle(1, hidden=16, kept=1, lanes=8)
    compiled = check(bundle, CONFIG, ModePolicy(weight_threshold=0.5, input_threshold=0.5, policy="or"))
    sparse = {op.arguments["sparse"] for op in compiled.image.program if "sparse" in op.arguments}
    assert sparse == {0, 1}


def test_few_rows_are_private():
    """Three classes on 8 lanes: three words for each of two columns a lane, instead of one for each of 12."""
    program = compile_bundle(random_bundle(1), CONFIG, mode="dense").image.program
    head = program[-2].arguments
    assert (head["private"], head["columns"], head["words"]) == (1, 2, 3)
    # The accumulators of both buffers, 22 of 32, are all that it needs.
    head = compile_bundle(random_bundle(1, hidden=16, classes=11), CONFIG, mode="dense").image.program[-2]
    assert (head.arguments["private"], head.arguments["words"]) == (1, 11)
    # 9 rows of the accumulators beside the 8 that wait there would be too many.
    small = AcceleratorConfig(lanes=8, cell_lanes=2, accumulator_rows=16, narrowest_weight=8)
    head = compile_bundle(random_bundle(1, classes=9), small, mode="dense").image.program[-2].arguments
    assert (head["private"], head["columns"], head["words"]) == (0, 12, 2)


@pytest.mark.parametrize("classes", [3, 8])
def test_a_low_rank_head(classes):
    """One of its factors is private, the other not, or both are."""
    bundle = random_bundle(4, hidden=classes, rank=4)
    product = bundle.layers[0].recurrent
    second = Matrix(product.second.values[:classes], product.second.format)
    head = replace(bundle.head, matrix=replace(product, second=second), bias=np.arange(classes))
    names = tuple(map(str, range(classes)))
    bundle = replace(bundle, head=head, labels=names)
    check(bundle, CONFIG, "dense")
    program = check(bundle, CONFIG, "sparse").image.program
    sparse = {
        op.name.partition(".")[0]: op.arguments["sparse"] for op in program if op.opcode is Opcode.MATVEC
    }
    assert sparse == {"layer0": 1, "head": 0}


def test_a_head_stays_whole_in_sparse_mode():
    program = compile_bundle(random_bundle(1), CONFIG, mode="sparse").image.program
    assert {op.name: op.arguments["sparse"] for op in program if op.opcode is Opcode.MATVEC} == {
        "layer0.input": 1,
        "layer0.recurrent": 1,
        "head": 0,
    }


def test_layers_may_have_different_sizes():
    lower, upper = random_bundle(1, inputs=3, classes=0), random_bundle(2, inputs=12, projection=5, classes=0)
    layer = replace(upper.layers[0], input_format=lower.layers[0].output_format)
    bundle = replace(lower, layers=(lower.layers[0], layer))
    compiled = check(bundle, CONFIG, "dense")
    assert (compiled.input_size, compiled.output_size) == (3, 5)


def test_biases_are_in_drain_order_with_the_rounding_constant():
    bundle = random_bundle(2, hidden=5, classes=3)
    biases = compile_bundle(bundle, CONFIG, mode="dense").image.biases
    layer = bundle.layers[0]
    lstm = layer.bias.reshape(4, 5) + (1 << layer.requantise_shift - 1)
    np.testing.assert_array_equal(biases[1], np.concatenate([lstm[:, 2], lstm[:, 3]]))
    np.testing.assert_array_equal(biases[2][:4], lstm[:, 4])
    np.testing.assert_array_equal(biases[3], np.concatenate([bundle.head.bias, np.zeros(5)]))


def test_useful_work_is_the_non_zeros():
    bundle = random_bundle(3, inputs=5, hidden=12, kept=1)
    layer = bundle.layers[0]
    by_part = [np.count_nonzero(m.values) for m in (layer.input, layer.recurrent, bundle.head.matrix)]
    compiled = compile_bundle(bundle, CONFIG, mode="dense")
    assert compiled.useful_macs(3) == 3 * by_part[0] + 2 * by_part[1] + by_part[2]
    assert compiled.useful_macs(3, fresh=False) == 3 * by_part[0] + 3 * by_part[1] + by_part[2]


def test_a_model_that_does_not_fit_says_by_how_much():
    with pytest.raises(
        CapacityError, match=r"weight_depth: needs 5,289 words per lane, has 4,096 \(1,193 too few\)"
    ):
        compile_bundle(random_bundle(2, hidden=100), CONFIG, mode="dense")


def test_a_model_beyond_every_accelerator_is_refused():
    bundle = random_bundle(2, inputs=2, hidden=520, lanes=4)
    with pytest.raises(CapacityError, match="too large for any accelerator of 4 lanes"):
        smallest_config([(bundle, "dense")], lanes=4, cell_lanes=1)


def test_the_smallest_config_holds_the_bundle():
    bundle = random_bundle(2, hidden=40, kept=3)
    config = smallest_config([(bundle, "dense"), (bundle, "sparse")], lanes=8, cell_lanes=2)
    for mode in ("dense", "sparse"):
        compile_bundle(bundle, config, mode=mode, hidden_results="all")
    half = {**config.to_json(), "weight_depth": config.weight_depth // 2}
    with pytest.raises(CapacityError, match="weight_depth"):
        compile_bundle(bundle, AcceleratorConfig(**half), mode="dense")


def test_no_memory_of_the_smallest_config_could_be_half_as_deep():
    """Nor could any width be less by a bit. Words are counted by hand: sizes in lanes, groups of units, and ops."""
    bundle = random_bundle(2, inputs=40, hidden=40, layers=2, rank=20, unbalanced=0.5)
    config = smallest_config([(bundle, "sparse")], lanes=8, cell_lanes=2)
    compiled = compile_bundle(bundle, config, mode="sparse", hidden_results="all", logit_results="all")
    # An op that stands twice in the program reads the same words.
    matrices = {op.name: op.arguments for op in compiled.image.program if op.opcode is Opcode.MATVEC}.values()
    dense = sum(a["words"] * a["columns"] for a in matrices if not a["sparse"])
    words = {
        "weight_depth": compiled.image.weights.shape[1],
        "index_depth": compiled.image.weights.shape[1] - dense,
        "column_depth": sum(a["columns"] for a in matrices if a["table"]),
        "activation_depth": 8 * (5 + 2 * 5 + 4 * 3),
        "bias_depth": 2 * 20 + 1,
        "state_depth": 2 * 20,
        "program_depth": len(compiled.image.program),
    }
    for name, needed in words.items():
        depth = getattr(config, name)
        assert depth // 2 < needed <= depth, name
        with pytest.raises(CapacityError, match=f"{name}: needs {needed:,} .*, has {depth // 2:,}"):
            compile_bundle(bundle, replace(config, **{name: depth // 2}), mode="sparse", hidden_results="all")
    for name in ("alignment_bits", "accumulator_bits"):
        bits = getattr(config, name)
        with pytest.raises(CapacityError, match=rf"{name}: needs {bits} bits, has {bits - 1} \(1 too few\)"):
            compile_bundle(bundle, replace(config, **{name: bits - 1}), mode="sparse")


@pytest.mark.parametrize(("lanes", "activations"), [(8, 16), (16, 16), (32, 32)])
def test_the_smallest_and_the_least_config_of_a_tiny_model(lanes, activations):
    bundle = random_bundle(1, inputs=1, hidden=1, classes=0, lanes=4)
    least = {
        "lanes": lanes,
        "activation_bits": 8,
        "narrowest_weight": 8,
        "weight_depth": 16,
        "index_depth": 0,
        "column_depth": 0,
        "accumulator_rows": 4,
        "activation_depth": activations,
        "bias_depth": 16,
        "state_depth": 16,
        "program_depth": 16,
        "alignment_bits": 0,
        "accumulator_bits": 16,
        "private": 0,
    }
    assert least_config([(bundle, "dense")], lanes=lanes) == AcceleratorConfig(**least)
    found = smallest_config([(bundle, "dense")], lanes=lanes)
    shift = max(op.arguments.get("shift", 0) for op in of_matrices(bundle, found))
    settled = {"alignment_bits": shift, "accumulator_bits": max(16, bundle.accumulator_bits)}
    assert found == AcceleratorConfig(**least | settled | {"activation_depth": max(activations, 2 * lanes)})


def of_matrices(bundle, config):
    program = compile_bundle(bundle, config, mode="dense", hidden_results="last").image.program
    return [op for op in program if op.opcode is Opcode.MATVEC]


def test_accumulators_that_there_must_be_let_products_be_private():
    """80 units on 8 lanes take 40 rows, more than there are by default; where there are so many, a factor of 20 rows is
    private, and its rows lie beside those of two steps."""
    bundle = random_bundle(1, hidden=80, rank=20, classes=0)
    config = smallest_config([(bundle, "dense")], lanes=8)
    assert (config.accumulator_rows, config.private) == (128, 1)
    assert {op.arguments["private"] for op in of_matrices(bundle, config)} == {0, 1}
    given = smallest_config([(bundle, "dense")], lanes=8, accumulator_rows=256)
    assert (given.accumulator_rows, given.private) == (256, 1)


def test_accumulators_are_not_added_for_private_products_alone():
    """Those of a factor of 20 rows would take 40, where there are 32 by default."""
    config = smallest_config([(random_bundle(1, hidden=16, rank=20, classes=0), "dense")], lanes=8)
    assert (config.accumulator_rows, config.private) == (16, 0)


def test_values_that_are_given_stay():
    bundle = random_bundle(1, hidden=40, rank=3)
    given = {
        "accumulator_rows": 64,
        "auto_skipping": 1,
        "weight_depth": 8192,
        "narrowest_weight": 2,
        "private": 1,
    }
    config = smallest_config([(bundle, "dense")], lanes=8, **given).to_json()
    assert given.items() <= config.items()
    assert smallest_config([(bundle, "dense")], lanes=8, private=0).private == 0
    assert least_config([(bundle, "dense")], **given).to_json().items() >= given.items()
    assert least_config([(bundle, "dense")]).activation_depth == 32


def test_the_narrowest_weight_is_that_of_all_models_and_matrices():
    wide, narrow = random_bundle(1), random_bundle(1, weight_bits=(8, 4, 8))
    assert smallest_config([(wide, "dense"), (narrow, "dense")], lanes=8).narrowest_weight == 4
    assert smallest_config([(wide, "dense")], lanes=8).narrowest_weight == 8
    with pytest.raises(ConfigError, match=r"share one activation width, not \[8, 16\]"):
        smallest_config([(wide, "dense"), (random_bundle(1, activation_bits=16, frac=3), "dense")], lanes=8)


def test_hardware_for_any_model_has_all_that_one_may_need():
    assert ANY_MODEL == {"alignment_bits": 10, "accumulator_bits": 32, "private": 1}


def test_all_that_is_short_is_told():
    """12 units on 2 quads are 6 words for each of 5 + 12 columns, and the private head has 3 for each of 2."""
    small = replace(CONFIG, weight_depth=64, state_depth=4, alignment_bits=0)
    with pytest.raises(
        CapacityError,
        match=r"does not fit the accelerator: weight_depth: needs 108 words per lane, has 64 \(44 too few\); "
        r"state_depth: needs 6 groups, has 4 \(2 too few\); alignment_bits: needs 3 bits, has 0 \(3 too few\); "
        "raise these values",
    ):
        compile_bundle(random_bundle(2), small, mode="dense")


@pytest.mark.parametrize("mode", ["dense", "sparse"])
@pytest.mark.parametrize("lanes", [8, 16])
@pytest.mark.parametrize("hidden", [4, 8, 32])
@pytest.mark.parametrize("rank", [1, 8, 11, 24])
def test_the_smallest_config_lays_factors_out_as_it_was_sized(mode, lanes, hidden, rank):
    bundle = random_bundle(1, hidden=hidden, kept=1, lanes=lanes, layers=2, rank=rank)
    config = smallest_config([(bundle, mode)], lanes=lanes, cell_lanes=1)
    check(bundle, config, mode, hidden="none")


@pytest.mark.parametrize("lanes", [4, 8, 16, 32])
@pytest.mark.parametrize("seed", range(10))
def test_the_smallest_config_holds_what_is_stored_as_solved(seed, lanes):
    """Forms are solved on the accelerator that is sized by them; each matrix has a width and zeros of its own."""
    rng = np.random.default_rng([seed, lanes])
    bundles = [
        random_bundle(
            int(rng.integers(1 << 30)),
            inputs=int(rng.integers(1, 40)),
            hidden=4 * int(rng.integers(2, 17)),
            lanes=lanes,
            layers=int(rng.integers(1, 3)),
            rank=rng.choice([None, 1, 2, 5, 9]),
            weight_bits=tuple(rng.choice([2, 4, 8], 3).tolist()),
            unbalanced=float(rng.choice([0.2, 0.5, 0.75, 0.875, 0.94])),
        )
        for _ in range(2)
    ]
    for models in ([bundles[0]], [bundles[1]], bundles):
        config = smallest_config([(bundle, POLICY) for bundle in models], lanes=lanes, cell_lanes=1)
        for bundle in models:
            compile_bundle(bundle, config, mode=POLICY, hidden_results="all", logit_results="all")


@pytest.mark.parametrize(
    ("lanes", "model"),
    [
        # By the forms alone.
        (
            8,
            {
                "seed": 1004492690,
                "inputs": 20,
                "hidden": 36,
                "rank": 4,
                "weight_bits": (2, 4, 2),
                "unbalanced": 0.75,
            },
        ),
        (4, {"seed": 354756075, "inputs": 21, "hidden": 44, "weight_bits": (2, 8, 2), "unbalanced": 0.5}),
        # By where products are placed, too: the factor of one row is private with many accumulators only.
        (
            16,
            {
                "seed": 805697932,
                "inputs": 1,
                "hidden": 20,
                "rank": 1,
                "weight_bits": (2, 2, 8),
                "unbalanced": 0.94,
            },
        ),
    ],
)
def test_models_that_did_not_fit_their_own_smallest_config(lanes, model):
    bundle = random_bundle(classes=10, lanes=lanes, **model)
    config = smallest_config([(bundle, POLICY)], lanes=lanes, cell_lanes=1)
    check(bundle, config, POLICY)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "fast"}, "mode must be"),
        ({"mode": "dense", "hidden_results": True}, "hidden_results must be .*, not True"),
        ({"mode": "sparse", "logit_results": "each"}, "logit_results must be .*, not 'each'"),
    ],
)
def test_wrong_requests_are_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        compile_bundle(random_bundle(1), CONFIG, **arguments)


def test_activation_widths_must_agree():
    with pytest.raises(ConfigError, match="16 bits, the accelerator's 8"):
        compile_bundle(random_bundle(1, activation_bits=16, frac=3), CONFIG, mode="dense")
