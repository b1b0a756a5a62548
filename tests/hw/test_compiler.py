import numpy as np
import pytest

from gatewright.cosim.golden import Golden
from gatewright.cosim.workloads import random_bundle, random_inputs
from gatewright.errors import CapacityError, ConfigError
from gatewright.hw.compiler import compile_bundle, smallest_config
from gatewright.hw.config import AcceleratorConfig
from gatewright.sw.mode import ModePolicy
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
    # 9 rows of the accumulators beside the 8 that wait there would be too many.
    small = AcceleratorConfig(lanes=8, cell_lanes=2, accumulator_rows=16, narrowest_weight=8)
    head = compile_bundle(random_bundle(1, classes=9), small, mode="dense").image.program[-2].arguments
    assert (head["private"], head["columns"], head["words"]) == (0, 12, 2)


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
    with pytest.raises(CapacityError, match="too large for any accelerator"):
        smallest_config([(bundle, "dense")], lanes=4, cell_lanes=1)


def test_the_smallest_config_holds_the_bundle():
    bundle = random_bundle(2, hidden=40, kept=3)
    config = smallest_config([(bundle, "dense"), (bundle, "sparse")], lanes=8, cell_lanes=2)
    for mode in ("dense", "sparse"):
        compile_bundle(bundle, config, mode=mode, hidden_results="all")
    half = {**config.to_json(), "weight_depth": config.weight_depth // 2}
    with pytest.raises(CapacityError, match="weight_depth"):
        compile_bundle(bundle, AcceleratorConfig(**half), mode="dense")


@pytest.mark.parametrize("mode", ["dense", "sparse"])
@pytest.mark.parametrize("lanes", [8, 16])
@pytest.mark.parametrize("hidden", [4, 8, 32])
@pytest.mark.parametrize("rank", [1, 8, 11, 24])
def test_the_smallest_config_lays_factors_out_as_it_was_sized(mode, lanes, hidden, rank):
    bundle = random_bundle(1, hidden=hidden, kept=1, lanes=lanes, layers=2, rank=rank)
    config = smallest_config([(bundle, mode)], lanes=lanes, cell_lanes=1)
    check(bundle, config, mode, hidden="none")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "fast"}, "mode must be"),
        ({"mode": "dense", "hidden_results": True}, "hidden_results must be"),
    ],
)
def test_wrong_requests_are_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        compile_bundle(random_bundle(1), CONFIG, **arguments)


def test_activation_widths_must_agree():
    with pytest.raises(ConfigError, match="16 bits, the accelerator's 8"):
        compile_bundle(random_bundle(1, activation_bits=16, frac=3), CONFIG, mode="dense")
