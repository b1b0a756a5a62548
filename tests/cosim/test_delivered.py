import re
import shutil
from dataclasses import replace

import pytest

from gatewright.cosim import simulator
from gatewright.cosim.delivered import verify_axi, verify_plain
from gatewright.cosim.measurement import Measurement
from gatewright.cosim.verify import measure, verify
from gatewright.cosim.workloads import random_inputs
from gatewright.errors import DataError
from gatewright.hw.compiler import compile_bundle, smallest_config
from gatewright.hw.fpga.flows import write_flows
from gatewright.hw.fpga.verilog import AXI_TOP, TOP, emit
from gatewright.hw.rtl.axi_registers import CONFIG_REGISTERS, REGISTERS, Response
from gatewright.hw.skipping import Skip

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def loaded(config, tmp_path_factory):
    """The Verilog of a delivery whose memories are loaded."""
    folder = tmp_path_factory.mktemp("loaded")
    write_flows(folder, config)
    return folder / "rtl"


@pytest.fixture(scope="module")
def model(bundle):
    """The model on a smaller accelerator: hardware with contents takes longer to build, as no two lanes are equal."""
    config = smallest_config([(bundle, "sparse")], lanes=4, cell_lanes=1)
    return compile_bundle(bundle, config, mode="sparse", hidden_results="all")


@pytest.fixture(scope="module")
def baked(model, tmp_path_factory):
    """The Verilog of a delivery with the model in it."""
    folder = tmp_path_factory.mktemp("baked")
    write_flows(folder, model.config, model)
    return folder / "rtl"


@pytest.fixture
def edited(tmp_path):
    """Copies a delivery's Verilog with one file changed."""

    def edit(folder, name, change):
        shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
        before = (tmp_path / name).read_text()
        assert change(before) != before
        (tmp_path / name).write_text(change(before))
        return tmp_path

    return edit


def other_digit(text):
    """Change one hexadecimal digit of a weight that is not zero."""
    literal = re.search(r"'h([0-9a-f]+);\n *initial for .* \\?weight_memory\S* ?\[0 \+", text)
    place = next(k for k in reversed(range(*literal.span(1))) if text[k] != "0")
    return text[:place] + f"{int(text[place], 16) ^ 4:x}" + text[place + 1 :]


@pytest.mark.parametrize("mode", ["dense", "sparse"])
def test_axi_top(loaded, compiled, sequences, mode):
    found = verify_axi(loaded, compiled[mode], sequences)
    assert found.mismatches == 0, found.report
    assert found.integers_compared == sum(compiled[mode].result_count(len(x)) for x in sequences)
    predicted = Measurement(compiled[mode], sequences).predict()
    assert found.counters["cycles"] == [each.cycles for each in predicted]


def test_axi_top_with_stalls_zeros_skipped_and_carried_state(loaded, compiled, sequences):
    choices = {"fresh": [True, False, True], "skip": [False, True, True]}
    found = verify_axi(loaded, compiled["sparse"], sequences, stalls=True, seed=3, **choices)
    assert found.mismatches == 0, found.report
    assert found.fresh == choices["fresh"]
    # Whatever the seed, a quarter of the cycles is paused: the sequence of seven steps waits, if not each of one step.
    assert sum(found.counters["output_wait"]) > 0
    predicted = Measurement(compiled["sparse"], sequences, choices["skip"], choices["fresh"]).predict()
    for cycles, least in zip(found.counters["cycles"], predicted, strict=True):
        assert cycles >= least.cycles


def test_axi_top_that_decides_by_its_threshold(bundle, config, tmp_path):
    deciding = replace(config, auto_skipping=1)
    write_flows(tmp_path, deciding)
    compiled = compile_bundle(bundle, deciding, mode="sparse", hidden_results="all")
    sequences = [random_inputs(k, bundle, 6, zeros=share) for k, share in enumerate((0.9, 0.0))]
    skipped = {}
    for threshold in (60, 200):
        chosen = replace(compiled, modes=replace(compiled.modes, input_threshold=threshold))
        found = verify_axi(tmp_path / "rtl", chosen, sequences, skip=Skip.AUTO)
        assert found.mismatches == 0, found.report
        predicted = Measurement(chosen, sequences, Skip.AUTO).predict()
        assert found.counters["cycles"] == [each.cycles for each in predicted]
        skipped[threshold] = sum(found.counters["skipped"])
    assert 0 < skipped[200] < skipped[60]


def test_another_model_is_found(loaded, compiled, sequences):
    image = compiled["dense"].image
    weights = image.weights.copy()
    weights[2, 4] ^= 0x40
    other = replace(compiled["dense"], image=replace(image, weights=weights))
    found = verify_axi(loaded, compiled["dense"], sequences[1:2], model=other)
    assert 0 < found.mismatches <= found.integers_compared
    assert "sequence 0, step 1, output" in found.report


@pytest.mark.parametrize("run", [verify_plain, verify_axi])
def test_baked_tops_need_no_loading(baked, model, sequences, run):
    found = run(baked, model, sequences, baked=True)
    assert found.mismatches == 0, found.report
    assert found.integers_compared > 0
    # Loading alone would take longer.
    assert found.simulated_cycles < sum(found.counters["cycles"]) + len(model.image.load_words())


@pytest.mark.parametrize(("run", "top"), [(verify_plain, TOP), (verify_axi, AXI_TOP)])
def test_one_other_digit_in_a_memory_is_found(baked, edited, model, sequences, run, top):
    found = run(edited(baked, f"{top}.sv", other_digit), model, sequences, baked=True)
    assert 0 < found.mismatches < found.integers_compared


def test_one_other_line_of_verilog_is_found(loaded, edited, compiled, sequences):
    # What the registers say of the configuration is compared too, so that this accelerator runs no job at all.
    depth = f"32'd{compiled['sparse'].config.weight_depth}"
    folder = edited(loaded, f"{AXI_TOP}.sv", lambda text: text.replace(depth, "32'd2048", 1))
    found = verify_axi(folder, compiled["sparse"], sequences[:1])
    assert found.mismatches > 0
    assert "sequence 0: no end within" in found.report
    offset = CONFIG_REGISTERS["weight_depth"].offset
    assert f"register 0x{offset:03x} is 2048, not 1024" in found.report


def test_verify_simulates_the_text_that_it_is_given(compiled, config, sequences, monkeypatch):
    texts = []
    build = simulator.build_verilog

    def spy(verilog, *given, **options):
        texts.append(verilog)
        return build(emit(config), *given, **options)

    monkeypatch.setattr(simulator, "build_verilog", spy)
    assert verify(compiled["dense"], sequences, verilog="the text").mismatches == 0
    assert measure(config, [Measurement(compiled["dense"], sequences)], verilog="another")[0].mismatches == 0
    assert texts == ["the text", "another"]


def test_a_baked_top_cannot_be_loaded(baked, model, sequences):
    found = verify_plain(baked, model, sequences[:1])
    assert "sequence 0: took 0 of" in found.report
    found = verify_axi(baked, model, sequences[:1])
    address = REGISTERS["LOAD_ADDRESS"].offset
    assert f"to register 0x{address:03x} was answered {Response.DECERR.value}" in found.report


def test_a_file_that_is_missing(model, sequences, tmp_path):
    with pytest.raises(DataError, match=f"{AXI_TOP}.sv: cannot be read"):
        verify_axi(tmp_path, model, sequences)
