from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest

from gatewright.cosim.workloads import random_bundle
from gatewright.errors import ConfigError
from gatewright.hw.compiler import choose, compile_bundle, smallest_config
from gatewright.hw.compiler.choose import (
    HardwareChoice,
    choose_config,
    fastest_config,
    made_for,
    usual_cell_lanes,
)
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.estimate import cycles_per_step, estimate
from gatewright.hw.fpga.devices import device
from gatewright.hw.fpga.fit import exceeded


@pytest.fixture(scope="module")
def bundle():
    """Balanced for 8 lanes."""
    return random_bundle(3, inputs=5, hidden=13, kept=3, lanes=8)


def cycles(bundle, config, mode="sparse"):
    return estimate(compile_bundle(bundle, config, mode=mode)).cycles_per_step


def test_a_given_configuration_is_taken_as_it_is(bundle):
    given = AcceleratorConfig(lanes=16)
    assert choose_config([(bundle, "dense")], HardwareChoice(config=given)) is given
    with pytest.raises(ConfigError, match="leave out a device, lanes"):
        HardwareChoice(config=given, device="ecp5-25k", lanes=4)


def test_the_smallest_takes_the_lanes_that_the_models_were_made_for(bundle):
    made = replace(bundle, notes={"spec": {"lanes": 8}})
    wider = replace(bundle, notes={"spec": {"lanes": 16}})
    smallest = HardwareChoice()
    assert choose_config([(made, "sparse")], smallest) == smallest_config([(made, "sparse")], lanes=8)
    assert choose_config([(made, "sparse"), (wider, "dense")], smallest).lanes == 16
    assert choose_config([(bundle, "sparse")], smallest).lanes == AcceleratorConfig.lanes


def test_the_smallest_adapts_its_cell_lanes(bundle):
    def chosen(**values):
        config = choose_config([(bundle, "sparse")], HardwareChoice(**values))
        return config.lanes, config.groups, config.cell_lanes

    assert chosen(lanes=4) == (4, 1, 1)
    assert chosen(lanes=8) == (8, 1, 2)
    assert chosen(lanes=16) == (16, 1, 2)
    assert chosen(lanes=16, groups=4) == (16, 4, 1)
    assert chosen(lanes=16, cell_lanes=4) == (16, 1, 4)


@pytest.mark.parametrize(("lanes", "cells"), [(1, 1), (4, 1), (7, 1), (8, 2), (12, 2), (16, 2), (1024, 2)])
def test_cell_lanes_are_two_or_what_a_group_can_have(lanes, cells):
    assert usual_cell_lanes(lanes) == cells


@pytest.mark.parametrize(
    ("notes", "lanes"),
    [
        ([{"spec": {"lanes": 8}}, {"spec": {"lanes": 4}}], 8),
        ([{}, {"spec": {"lanes": 4}}], 4),
        ([{"spec": {}}, {"spec": {"lanes": None}}], 32),
    ],
)
def test_lanes_that_models_were_made_for(notes, lanes):
    assert made_for([(SimpleNamespace(notes=each), "dense") for each in notes]) == lanes


def test_the_fastest_is_the_fastest_of_all_that_fit(bundle):
    target = device("ecp5-25k")
    fastest = choose_config([(bundle, "sparse")], HardwareChoice(device=target.name))
    assert not exceeded(fastest, target)
    fitting = [
        config
        for lanes in (4, 8, 16, 32)
        for groups in (1, 2, 4, 8)
        for cell_lanes in (1, 2, 4, 8)
        if groups * cell_lanes <= lanes // 4
        for block in (1, 0)
        for config in [
            smallest_config(
                [(bundle, "sparse")],
                lanes=lanes,
                groups=groups,
                cell_lanes=cell_lanes,
                block_accumulators=block,
            )
        ]
        if not exceeded(config, target)
    ]
    assert fastest in fitting
    fewest = min(cycles(bundle, each) for each in fitting)
    assert cycles(bundle, fastest) == fewest
    equals = [each for each in fitting if cycles(bundle, each) == fewest]
    assert fastest.lanes == min(each.lanes for each in equals)


def test_sums_are_in_look_up_tables_where_block_ram_is_short():
    # Eight lanes of four banks take 64 block RAMs for their sums, of the 56 that there are.
    narrow, target = random_bundle(2, inputs=3, hidden=16, lanes=4, weight_bits=(2, 2, 2)), device("ecp5-25k")
    config = fastest_config([(narrow, "dense")], target)
    assert (config.lanes, config.block_accumulators) == (8, 0)
    assert exceeded(replace(config, block_accumulators=1), target) == ["needs 80 block RAMs, has 56"]
    settled = fastest_config([(narrow, "dense")], target, block_accumulators=1)
    assert (settled.lanes, settled.block_accumulators) == (4, 1)
    assert cycles(narrow, config, "dense") < cycles(narrow, settled, "dense")
    small = random_bundle(3, inputs=5, hidden=13, lanes=8)
    with pytest.raises(
        ConfigError, match=r"ice40-up5k: with 4 lanes .* needs LUT RAM for its sums, has none"
    ):
        fastest_config([(small, "dense")], device("ice40-up5k"), block_accumulators=0)
    # A block RAM costs no logic: where there are enough, sums stay there.
    assert fastest_config([(narrow, "dense")], device("ecp5-85k"), lanes=8).block_accumulators


def test_a_larger_device_is_never_slower(bundle):
    small, large = (fastest_config([(bundle, "sparse")], device(f"ecp5-{size}")) for size in ("25k", "85k"))
    assert cycles(bundle, large) < cycles(bundle, small)


def test_settled_values_stay(bundle):
    config = choose_config([(bundle, "sparse")], HardwareChoice(device="ecp5-85k", lanes=16, cell_lanes=1))
    assert (config.lanes, config.cell_lanes) == (16, 1)


def test_several_models_share_the_fastest(bundle):
    models = [(bundle, "sparse"), (random_bundle(4, inputs=9, hidden=24), "dense")]
    config = fastest_config(models, device("ecp5-25k"), every_step=True)
    for each, mode in models:
        assert cycles_per_step(compile_bundle(each, config, mode=mode)) == cycles(each, config, mode)


@pytest.mark.parametrize(
    ("classes", "every_step", "results"),
    [
        (3, False, ("none", "last")),
        (3, True, ("none", "all")),
        (0, False, ("last", "last")),
        (0, True, ("all", "all")),
    ],
)
def test_the_fastest_sends_what_is_wanted(classes, every_step, results, monkeypatch):
    compiled = []

    def noted(bundle, config, *, mode, hidden_results, logit_results):
        compiled.append((hidden_results, logit_results))
        return compile_bundle(
            bundle, config, mode=mode, hidden_results=hidden_results, logit_results=logit_results
        )

    monkeypatch.setattr(choose, "compile_bundle", noted)
    choice = HardwareChoice(device="ecp5-25k", lanes=4, groups=1, cell_lanes=1)
    models = [(random_bundle(1, classes=classes), "dense")]
    # In the last step alone, unless told otherwise.
    asked = {"every_step": True} if every_step else {}
    choose_config(models, choice, **asked)
    fastest_config(models, device("ecp5-25k"), **choice.settled, **asked)
    assert compiled == [results] * 2


def test_every_legal_shape_is_tried_and_told():
    """Of 2**k times four lanes, groups and cell lanes are powers of two whose exponents are k together, or less."""
    told = []
    with pytest.raises(ConfigError):
        fastest_config(
            [(random_bundle(1), "dense")],
            device("ecp5-25k"),
            progress=lambda *arguments: told.append(arguments),
            index_depth=-1,
        )
    names, done, totals, texts = zip(*told, strict=True)
    assert set(names) == {"choosing the accelerator"}
    assert done == tuple(range(166))
    assert set(totals) == {165}
    counts = Counter(texts[:-1])
    assert counts == {f"{4 << k} lanes": (k + 1) * (k + 2) // 2 for k in range(9)}
    assert list(counts) == [f"{4 << k} lanes" for k in range(9)]
    assert texts[-1] == ""


def test_a_device_names_the_values_that_it_wants():
    small = random_bundle(1, hidden=20, kept=2, lanes=4, weight_bits=(4, 4, 2))
    target = device("ice40-up5k")
    config = fastest_config([(small, "sparse")], target)
    assert config.lanes == 4
    assert target.values.items() <= config.to_json().items()
    assert config.single_port
    # What is settled goes first.
    assert fastest_config([(small, "sparse")], target, counters=1).counters


def test_what_fits_nowhere_says_what_is_short(bundle):
    with pytest.raises(
        ConfigError, match=r"fits ice40-up5k: with 4 lanes .* needs \d+ block RAMs, has 30; take a larger"
    ):
        fastest_config([(bundle, "sparse")], device("ice40-up5k"))
    with pytest.raises(ConfigError, match="no legal one has"):
        fastest_config([(bundle, "sparse")], device("ecp5-85k"), lanes=12)
    with pytest.raises(ConfigError, match="unknown device"):
        HardwareChoice(device="ecp5-1k")
