"""Regret on a space that is enumerated, of a tiny model."""

import pytest

from gatewright.benchmarks import regret
from gatewright.benchmarks.compare import Tried, every
from gatewright.benchmarks.opponents.arena import SEARCHES
from gatewright.benchmarks.opponents.scale import Scale
from gatewright.benchmarks.regret import Table, bench_regret
from gatewright.cosim.search.evaluation import Evaluation, Infeasible
from gatewright.errors import ConfigError, RunFolderError
from gatewright.results import Rows
from gatewright.sw.search.space import SearchSpace
from gatewright.sw.tasks import save_task

SPACE = SearchSpace(
    {"layer0.input": (128, 2), "layer0.recurrent": (128, 32), "head": (3, 32)},
    {"layer0.bits": (2, 4, 8), "layer0.density": (0.5, 1.0)},
    lanes=8,
)
SCALE = Scale(
    trials=4,
    points=1,
    prune_epochs=2,
    quantise_epochs=0,
    super_epochs=2,
    gradient_epochs=4,
    aim=1.5,
    below=60.0,
    quick_below=100.0,
    equal=5.0,
    training={"hidden": 32, "epochs": 8, "batch": 16, "noise": 0.1},
    calibrated=8,
    lanes=8,
)


def found(quality, cycles, bits):
    return Evaluation(quality, quality, bits, cycles, None, 7, 0.0, 0.0, 0)


@pytest.fixture(scope="module")
def ramps(task, tmp_path_factory):
    path = tmp_path_factory.mktemp("task") / "ramps.npz"
    save_task(task, path)
    return str(path)


@pytest.fixture(scope="module")
def narrow():
    """Few candidates in place of thousands."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SearchSpace, "of", lambda network, granularity, **given: SPACE)
        yield


@pytest.fixture(scope="module")
def measured(ramps, narrow, tmp_path_factory):
    folder = tmp_path_factory.mktemp("regret")
    return folder, Rows(bench_regret(folder, seeds=(0, 1), source=ramps, scale=SCALE, trials=4))


def test_every_candidate_comes_once():
    candidates = [tuple(each.values()) for each in every(SPACE)]
    assert candidates == [(2, 0.5), (2, 1.0), (4, 0.5), (4, 1.0), (8, 0.5), (8, 1.0)]


def test_a_table_is_what_was_saved(tmp_path):
    first, *others = every(SPACE)
    made = [Tried(each, found(90.0 + k, 10.5 + k, 100 + k), 0.0) for k, each in enumerate(others)]
    Table(SPACE, made).save(tmp_path / "space.json")
    table = Table.load(tmp_path / "space.json")
    assert table.space == SPACE
    assert table.all() == made
    assert isinstance(table(first), Infeasible)
    (tmp_path / "space.json").write_text("{}")
    with pytest.raises(RunFolderError, match="no table of a space"):
        Table.load(tmp_path / "space.json")


def test_a_method_that_tries_all_misses_nothing(measured):
    _, rows = measured
    assert set(rows.distinct("method")) == set(SEARCHES)
    shares = rows.all("regret")
    assert len(shares) == 2 * len(SEARCHES)
    assert all(-1e-9 <= share <= 1 for share in shares)
    assert rows.where("regret")[0].parameters["candidates"] == SPACE.size
    volume = rows.figure("true_hypervolume")
    assert volume > 0
    points = rows.distinct("point")
    for name in ("true_front_cycles", "true_front_stored_bits"):
        assert len(rows.all(name)) == len(points) >= 1


def test_all_candidates_have_no_regret(measured, ramps):
    folder, _ = measured
    rows = Rows(bench_regret(folder, seeds=(0,), source=ramps, scale=SCALE, trials=SPACE.size))
    assert rows.all("regret", method="random") == [pytest.approx(0.0)]


def test_the_table_is_made_once(measured, ramps, monkeypatch):
    folder, rows = measured
    monkeypatch.setattr(regret, "enumerate_space", None)
    again = bench_regret(folder, seeds=(0, 1), source=ramps, scale=SCALE, trials=4)
    assert Rows(again) == rows


def test_an_enumeration_goes_on_where_it_was(measured, ramps):
    folder, _ = measured
    lines = (folder / "quick.jsonl").read_text().splitlines(keepends=True)
    assert len(lines) == SPACE.size
    (folder / "quick.jsonl").write_text("".join(lines[:3]))
    (folder / "space.json").unlink()
    bench_regret(folder, seeds=(0,), source=ramps, scale=SCALE, trials=4)
    assert (folder / "quick.jsonl").read_text().splitlines(keepends=True)[:3] == lines[:3]


def test_a_space_without_a_volume_is_refused(measured, ramps, monkeypatch):
    folder, _ = measured
    monkeypatch.setattr(regret, "log_hypervolume", lambda *told: 0.0)
    with pytest.raises(
        ConfigError, match=r"no candidate of ramps is within 60\.0 percent of the uncompressed model"
    ):
        bench_regret(folder, seeds=(0,), source=ramps, scale=SCALE)
