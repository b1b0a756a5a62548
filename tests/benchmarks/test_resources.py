from dataclasses import replace

import pytest

from gatewright.benchmarks import resources as module
from gatewright.benchmarks.resources import bench_resources, configurations, fit
from gatewright.hw.area.coefficients import COEFFICIENTS
from gatewright.hw.area.estimate import estimate_resources, fixed_resources
from gatewright.hw.area.terms import terms
from gatewright.quantities import COUNTED


def test_configurations_are_others_and_have_every_switch_both_ways():
    assert configurations(module.SEED) == configurations(module.SEED)
    sets = [configurations(seed) for seed in (*module.FIT_SEEDS, module.SEED)]
    assert len({config for configs in sets for config in configs}) == len(sets) * module.COUNT
    for configs in sets:
        for switch in (
            "private",
            "zero_skipping",
            "auto_skipping",
            "block_accumulators",
            "serial_cell",
            "counters",
        ):
            assert {getattr(config, switch) for config in configs} == {0, 1}
        for depth in ("index_depth", "column_depth"):
            assert {getattr(config, depth) > 0 for config in configs} == {False, True}
        assert {config.narrowest_weight for config in configs} == {2, 4, 8}
        assert {config.activation_bits for config in configs} == {8, 16}


def test_the_fit_finds_the_weights_again():
    """Of estimates, which depend on nothing else."""
    configs = [config for seed in module.FIT_SEEDS for config in configurations(seed)]
    wanted = [estimate_resources(config) for config in configs]
    found = fit(configs, wanted)
    assert set(found) == set(COEFFICIENTS)
    for config, resources in zip(configs, wanted, strict=True):
        amounts, fixed = terms(config), fixed_resources(config)
        for name, (luts, flip_flops) in found.items():
            assert min(*luts.values(), *flip_flops.values(), 1) > 0
            logic, registers = (
                sum(amounts[name][term] * weight for term, weight in weights.items())
                for weights in (luts, flip_flops)
            )
            there, known = resources.modules[name], fixed[name]
            assert logic == pytest.approx(there.luts - known.luts, rel=0.01, abs=3)
            assert registers == pytest.approx(there.flip_flops - known.flip_flops, rel=0.01, abs=3)


def test_errors_are_shares_of_what_synthesis_gives(monkeypatch):
    configs = configurations(module.SEED)
    monkeypatch.setattr(module, "emit", lambda config: config)

    def synthesise(config):
        found = replace(estimate_resources(config), source="synthesis")
        return replace(found, luts=found.luts * 2) if config == configs[3] else found

    monkeypatch.setattr(module, "synthesise", synthesise)
    rows = bench_resources()
    values = {(row.name, row.parameters.get("resource")): row.value for row in rows}
    assert [values["largest_error", name] for name in COUNTED] == [0, 0, 50, 0]
    assert values["median_error", "luts"] == 0
    estimated, counted = (
        [row.value for row in rows if row.name == "luts" and row.parameters.get("source") == source]
        for source in ("estimate", "synthesis")
    )
    assert counted[3] == 2 * estimated[3]
    assert len(counted) == module.COUNT
