"""A whole comparison on a tiny problem: parts, resuming, rows."""

import json
import time
from dataclasses import replace
from itertools import count

import pytest

from gatewright.benchmarks.opponents import bench_opponents, problem, trained
from gatewright.benchmarks.opponents.arena import OURS
from gatewright.benchmarks.opponents.parts import KNOWN, METHODS
from gatewright.benchmarks.opponents.rows import QUICK
from gatewright.benchmarks.opponents.scale import DIGITS, IMAGES, TEXT, scale_of
from gatewright.errors import ConfigError, DivergenceError, RunFolderError
from gatewright.results import Rows
from gatewright.sw.tasks import load_task

pytestmark = pytest.mark.slow

FEW = (OURS, "random", "grid by hand")


@pytest.fixture(scope="module")
def compared(mine, scale, tmp_path_factory):
    folder = tmp_path_factory.mktemp("opponents")
    told = []
    rows = bench_opponents(
        mine, folder, lambda *each: told.append(each), seeds=(1, 2), methods=FEW, scale=scale
    )
    return folder, Rows(rows), told


def test_every_method_has_its_volume_its_candidates_and_its_points(compared, scale):
    _, rows, _ = compared
    for method in FEW:
        for seed in (1, 2):
            of = Rows(row for row in rows.where(method=method) if row.seed == seed)
            assert of.figure("hypervolume", split="test") >= 0
            assert of.figure("candidates") == scale.trials
            assert of.figure("method_seconds") > 0
            points = of.distinct("point")
            assert points == list(range(len(points)))
            assert 1 <= len(points) <= scale.points
    names = {"metric": "accuracy", "better": "more", "split": "test"}
    assert len(rows.all("float_score", **names)) == len(rows.all("longer_float_score", **names)) == 2


def test_ratios_are_paired_and_points_held_against_the_grid(compared):
    _, rows, _ = compared
    for method in FEW[1:]:
        low, mean, high = (
            rows.figure(f"hypervolume_ratio{end}", method=method) for end in ("_low", "", "_high")
        )
        assert low <= mean <= high
    assert len(rows.all("grid_gain", of="cycles")) == len(rows.all("grid_gain", of="stored bits"))


def test_no_method_reaches_more_than_all_together(compared):
    _, rows, _ = compared
    for seed in (1, 2):
        of = Rows(row for row in rows if row.seed == seed)
        volumes = [of.figure("hypervolume", split="test", method=method) for method in FEW]
        assert max(volumes) <= of.figure("pooled_hypervolume") <= sum(volumes)


def test_the_time_of_the_rest_is_told_after_each_part(compared):
    _, _, told = compared
    parts = [each for each in told if each[0] == "opponents"]
    assert [each[1:3] for each in parts] == [(k, 6) for k in range(1, 7)]
    assert "s a part" in parts[0][3]


def test_a_run_goes_on_with_the_parts_and_candidates_that_are_there(compared, mine, scale):
    folder, rows, _ = compared
    place = folder / "mine" / "seed2"
    (place / "random.json").unlink()
    before = {path: path.read_bytes() for path in place.iterdir() if path.suffix in (".jsonl", ".pt")}
    again = Rows(bench_opponents(mine, folder, seeds=(1, 2), methods=FEW, scale=scale))
    assert again == rows
    assert all(path.read_bytes() == content for path, content in before.items())


def test_another_scale_wants_another_folder(compared, mine, scale):
    folder, _, _ = compared
    with pytest.raises(RunFolderError, match="with other settings; choose another folder"):
        bench_opponents(mine, folder, seeds=(1,), methods=FEW, scale=replace(scale, trials=5))


def test_an_aim_that_no_candidate_reaches_is_refused(mine, scale, tmp_path):
    with pytest.raises(
        ConfigError, match=r"methods aim at \d+ cycles, and the smallest candidate takes \d+; lower"
    ):
        bench_opponents(mine, tmp_path, seeds=(1,), methods=FEW, scale=replace(scale, aim=1000.0))


def test_points_are_trained_down_to_their_own_limit(compared, mine, scale, tmp_path):
    """None beyond the point of the largest reward, where no quick score is good enough."""
    folder, rows, _ = compared
    place = tmp_path / "mine" / "seed1"
    place.mkdir(parents=True)
    for name in ("float.pt", "supernet.pt", "notes.json", "quick.jsonl", "full.jsonl"):
        (place / name).write_bytes((folder / "mine" / "seed1" / name).read_bytes())
    narrow = replace(scale, quick_below=0.0)
    found = Rows(bench_opponents(mine, tmp_path, seeds=(1,), methods=("random",), scale=narrow))
    assert found.distinct("point") == [0]
    assert found.figure("hypervolume", split=QUICK, method="random") == 0
    of = Rows(row for row in rows if row.seed == 1)
    one, more = (each.figure("hypervolume", split="test", method="random") for each in (found, of))
    assert one <= more


def test_a_damaged_part_is_named(compared, mine, scale):
    folder, _, _ = compared
    path = folder / "mine" / "seed1" / "random.json"
    whole = path.read_text()
    path.write_text(json.dumps({"method": "random"}))
    with pytest.raises(RunFolderError, match=r"random\.json: no part of a comparison"):
        bench_opponents(mine, folder, seeds=(1,), methods=FEW, scale=scale)
    path.write_text(whole)


def test_methods_that_train_take_part(mine, scale, tmp_path, monkeypatch):
    monkeypatch.setattr(trained, "LOSSES", (0.4,))
    methods = ("simplify alone", "widths with beacons", "entropy")
    rows = Rows(bench_opponents(mine, tmp_path, seeds=(1,), methods=methods, scale=scale))
    for method in methods:
        assert rows.all("opponent_point_stored_bits", method=method)
        assert rows.figure("candidates", method=method) >= 1
    assert set(methods) < set(METHODS) < set(KNOWN)
    assert METHODS[0] == OURS


def test_shared_weights_and_searches_by_gradient_learn_as_the_datas_models_do(
    mine, scale, tmp_path, monkeypatch
):
    seen, task_of = [], problem.task_of

    def quick(*given):
        task = task_of(*given)
        return replace(task, compression=replace(task.compression, prune_rate=1.6e-2, distillation=0.0))

    def diverges(task, dense, space, base, settings, progress):
        seen.append(settings)
        raise DivergenceError("as asked")

    monkeypatch.setattr(problem, "task_of", quick)
    monkeypatch.setattr(problem, "train_super", lambda *given: seen.append(given[4]))
    monkeypatch.setattr(trained, "entropy_search", diverges)
    made = problem.Problem.prepare(mine, 1, tmp_path, scale)
    assert trained.by_gradient(made, None, 1e-9) == []
    shared, gradient = seen
    assert (shared.learning_rate, shared.distillation, shared.epochs) == (1.6e-2, 0.0, scale.super_epochs)
    assert (gradient.learning_rate, gradient.epochs) == (8e-3, scale.gradient_epochs)


def test_what_the_first_evaluation_compiles_is_no_methods_time(mine, scale, tmp_path, monkeypatch):
    evaluate, calls = problem.evaluate, count()

    def compiles(*given):
        end = time.process_time() + (1 if next(calls) == 0 else 0)
        while time.process_time() < end:
            pass
        return evaluate(*given)

    monkeypatch.setattr(problem, "evaluate", compiles)
    monkeypatch.setattr(problem, "train_super", lambda *given: None)
    made = problem.Problem.prepare(mine, 1, tmp_path, scale)
    assert made.notes["super_seconds"] < 1
    assert made.quick(tmp_path)(made.space.largest).seconds < 1


def test_what_cannot_be_compared_is_refused(mine, scale, tmp_path):
    with pytest.raises(ConfigError, match="no method named 'magic'; known are"):
        bench_opponents(mine, tmp_path, methods=("magic",), scale=scale)
    with pytest.raises(ConfigError, match="seeds must be different"):
        bench_opponents(mine, tmp_path, seeds=(1, 1), scale=scale)
    with pytest.raises(ConfigError, match="methods are compared on digits, fashion-mnist"):
        bench_opponents(mine, tmp_path)


def test_each_task_has_its_scale():
    digits = load_task("digits")
    assert scale_of("digits", digits) is DIGITS
    assert scale_of("mine.txt", digits) is TEXT
    many = replace(digits.train, sequences=digits.train.sequences * 5)
    assert scale_of("images", replace(digits, name="images", train=many)) is IMAGES
