import shutil
from dataclasses import dataclass, replace

import numpy as np
import pytest
import studies
import torch

from gatewright.cosim.search import front as module
from gatewright.cosim.search.evaluation import Evaluation, Infeasible
from gatewright.cosim.search.folder import StudyFolder
from gatewright.cosim.search.front import finish, front, uniform_points
from gatewright.cosim.search.pareto import dominated
from gatewright.cosim.search.recommend import recommended
from gatewright.cosim.search.records import Record, Records
from gatewright.cosim.search.settings import Limits
from gatewright.cosim.search.study import run_study
from gatewright.errors import DivergenceError, RunFolderError, ToolError
from gatewright.results import read_rows
from gatewright.sw.bundle import Bundle
from gatewright.sw.integer import evaluate
from gatewright.sw.models import FloatModel
from gatewright.sw.search.settings import EntropySettings

POINTS = 2

NAMES = {0: "p0", 1: "p1", 2: "uncompressed"}


@dataclass(frozen=True)
class Refusing(studies.Formula):
    """Finds hardware for nothing."""

    def __call__(self, candidate, round):
        return Infeasible("too large")


@pytest.fixture(scope="module")
def settings(plan):
    return replace(plan.tune, prune_epochs=2, quantise_epochs=1)


@pytest.fixture(scope="module")
def rows(study, settings):
    return finish(study.root, points=POINTS, settings=settings, uniform=False)


def test_what_a_gradient_chose_starts_from_the_weights_that_it_trained(plan, settings, tmp_path, monkeypatch):
    search = replace(plan.search, method="entropy", measure=False, trials=2, rounds=1)
    plan = replace(plan, search=search, gradient=EntropySettings(epochs=4))
    folder = StudyFolder.create(tmp_path / "study", plan, studies.model())
    run_study(folder.root)
    started, compress = [], module.compress
    monkeypatch.setattr(
        module, "compress", lambda *a, start: started.append(start.state_dict()) or compress(*a, start=start)
    )
    rows = finish(folder.root, points=1, settings=settings, uniform=False)
    candidate = next(row.parameters["candidate"] for row in rows if row.parameters.get("model") == "p0")
    trained = FloatModel.load(folder.trained(candidate)).network.state_dict()
    assert len(started) == 1
    assert all(torch.equal(value, started[0][name]) for name, value in trained.items())
    folder.remove()
    assert not folder.root.exists()


class Ranks:
    """A space whose candidates are models by their ranks; that of 7 is the uncompressed one."""

    uncompressed_key = 7

    @staticmethod
    def key(candidate):
        return candidate["rank"]


def record(number, quality, cycles, bits, round=0):
    found = Evaluation(quality, quality, bits, cycles, cycles, 1, quality, 0.0, 0)
    return Record(number, round, {"rank": number}, found, False)


def test_front_begins_with_the_best_and_leaves_out_what_is_beaten():
    records = [
        record(0, 60.0, 10.0, 100),
        record(1, 90.0, 100.0, 1000),
        record(2, 89.0, 20.0, 200),
        record(3, 59.0, 11.0, 100),
        Record(4, 0, {"rank": 4}, Infeasible("too large"), False),
        record(5, 88.9, 19.9, 199),
    ]
    assert front(records, 1, Ranks) == [{"rank": 1}]
    assert front(records, 2, Ranks) == [{"rank": 1}, {"rank": 5}]
    assert sorted(each["rank"] for each in front(records, 9, Ranks)) == [0, 1, 2, 5]
    assert front(records[4:5], 3, Ranks) == []


def test_the_largest_reward_is_a_point():
    records = [record(k, 90.0 - k, 100.0 - 10 * k, 1000 - k) for k in range(6)]
    rewarded = replace(records[4], found=replace(records[4].found, reward=200.0))
    assert front([*records[:4], rewarded, records[5]], 2, Ranks) == [{"rank": 0}, {"rank": 4}]
    assert front([*records[:4], rewarded, records[5]], 1, Ranks) == [{"rank": 0}]
    assert {"rank": 4} not in front(records, 2, Ranks)


def test_the_last_result_of_a_candidate_counts():
    records = [record(0, 90.0, 10.0, 100), record(1, 50.0, 10.0, 100), record(0, 40.0, 10.0, 100, round=1)]
    assert front(records, 2, Ranks) == [{"rank": 1}]


def test_the_uncompressed_model_is_a_point_only_where_there_is_no_other():
    records = [record(7, 91.0, 200.0, 2000), record(1, 90.0, 100.0, 1000), record(2, 90.0, 201.0, 2001)]
    assert front(records, 3, Ranks) == [{"rank": 1}]
    assert front(records[:1], 3, Ranks) == [{"rank": 7}]


def test_uniform_points_are_different_models(study):
    points = uniform_points(studies.model(), study.plan)
    assert [each.kind for each in points] == ["uncompressed"] + ["uniform"] * (len(points) - 1)
    first = points[0].spec
    assert all((each.rank, each.bits, each.density) == (None, 8, 1.0) for each in first.products.values())
    # No rank from 8 up has fewer weights than these small matrices.
    assert [each.candidate for each in points] == [
        {"network.rank": None, "network.bits": bits, "network.density": 1.0} for bits in (8, 4, 2)
    ]


def values(rows, point, name, **more):
    return [
        row.value
        for row in rows
        if row.name == name
        and row.parameters.get("point") == point
        and more.items() <= row.parameters.items()
    ]


def test_every_point_is_simulated_and_as_predicted(rows, study):
    assert read_rows(study.front) == rows
    points = {row.parameters["point"] for row in rows if "point" in row.parameters}
    kinds = [row.parameters["kind"] for row in rows if row.name == "point_stored_bits"]
    assert kinds == ["found"] * (len(points) - 1) + ["uncompressed"]
    plan = study.plan
    for point in points:
        assert values(rows, point, "point_mismatches") == [0]
        predicted, measured = (
            values(rows, point, f"point_cycles_{name}") for name in ("predicted", "measured")
        )
        assert predicted == measured
        assert values(rows, point, "point_counter", counter="cycles") == measured
        # Three logits of each recording, twice; eight hidden values of each step.
        x = module.spread(studies.task_of(plan).validation, plan.search.recordings, plan.search.steps)
        assert values(rows, point, "point_integers_compared") == [2 * 3 * len(x) + 8 * sum(map(len, x))]
    assert not [row for row in rows if row.name == "point_difference"]


def test_rows_are_those_of_the_bundles(rows, study):
    plan = study.plan
    task = studies.task_of(plan)
    for point, name in NAMES.items():
        bundle = Bundle.load(study.bundle(name))
        assert bundle.notes["round"] == 1
        for split in ("validation", "test"):
            found = evaluate(bundle, getattr(task, split), task.metric)
            assert values(rows, point, "point_score", split=split, metric="accuracy", better="more") == [
                found
            ]
        candidate = next(row.parameters["candidate"] for row in rows if row.parameters.get("point") == point)
        assert bundle.notes["candidate"] == candidate
        assert values(rows, point, "point_hidden", layer="layer0", model=name) == [8]
        for name, (product, _) in bundle.products.items():
            (rank,) = values(rows, point, "point_rank", product=name)
            assert rank == getattr(product, "rank", 0)
            (bits,) = values(rows, point, "point_bits", product=name)
            parts = [product] if rank == 0 else [product.first, product.second]
            assert bits == parts[0].format.bits
            (density,) = values(rows, point, "point_density", product=name)
            elements = np.concatenate([part.values.ravel() for part in parts])
            assert density == np.count_nonzero(elements) / elements.size
        assert set(candidate) >= {"network.rank"}


def test_ops_of_a_steady_step(rows):
    ops = [row for row in rows if row.name == "point_op" and row.parameters["model"] == "p0"]
    assert {row.parameters["unit"] for row in ops} == {"input", "matrix", "drain"}
    for row in ops:
        assert row.value == row.parameters["last"] - row.parameters["first"] + 1 > 0
        assert row.parameters["first"] >= row.parameters["issue"] >= 0
        assert row.parameters["what"].partition(".")[0] in ("input", "layer0", "head")
    begins = [
        min(row.parameters["issue"] for row in ops if row.parameters["later"] is later)
        for later in (False, True)
    ]
    assert begins[0] == 0
    assert begins[1] > 0
    assert not [row for row in rows if row.name == "point_op" and row.parameters["kind"] != "found"]


def test_front_points_are_those_of_the_trials(rows, study):
    records = Records(study, study.plan).finished()
    chosen = [
        row.parameters["candidate"]
        for row in rows
        if row.name == "point_stored_bits" and row.parameters["kind"] == "found"
    ]
    assert chosen == front(records, POINTS, study.plan.space) == list(study.candidates())
    points = {tuple(each.candidate.items()): each.found.point for each in records}
    assert not any(dominated(points[tuple(each.items())], list(points.values())) for each in chosen)


def copy_of(study, tmp_path):
    shutil.copytree(study.root, tmp_path / "copy")
    return StudyFolder(tmp_path / "copy")


def test_trained_points_are_kept(rows, study, settings, tmp_path, monkeypatch):
    folder = copy_of(study, tmp_path)
    trained = []
    train = module.finalise
    monkeypatch.setattr(module, "finalise", lambda *a: trained.append(a) or train(*a))
    assert finish(folder.root, points=POINTS, settings=settings, uniform=False) == rows
    assert not trained
    folder.bundle("p0").write_bytes(b"")
    assert finish(folder.root, points=POINTS, settings=settings, uniform=False) == rows
    assert len(trained) == 1
    finish(folder.root, points=1, settings=replace(settings, seed=1), uniform=False)
    assert len(trained) == 3
    assert sorted(path.stem for path in folder.models.iterdir()) == ["p0", "uncompressed"]


def test_wrong_predictions_are_shown_and_fail(rows, study, settings, tmp_path, monkeypatch):
    folder = copy_of(study, tmp_path)
    of = module.Costs.of

    def wrong(*given):
        costs = of(*given)
        costs.predictions[0].counters["cycles"] += 7
        return costs

    monkeypatch.setattr(module.Costs, "of", wrong)
    with pytest.raises(
        ToolError, match="differ on finished points: point 0, sequence 0: cycles is predicted"
    ):
        finish(folder.root, points=POINTS, settings=settings, uniform=False)
    shown = read_rows(folder.front)
    assert any(row.name == "point_difference" for row in shown)
    assert values(shown, 0, "point_cycles_predicted") != values(shown, 0, "point_cycles_measured")


def test_points_beyond_the_device_are_left_out(study, settings, tmp_path, monkeypatch):
    folder, plan = copy_of(study, tmp_path), replace(study.plan, device="ice40-hx8k")
    monkeypatch.setattr(module.StudyFolder, "plan", plan)
    rows = finish(folder.root, points=1, settings=settings, uniform=False)
    assert {row.name for row in rows} == {"point_infeasible", "scored"}
    reasons = [row.value for row in rows if row.name == "point_infeasible"]
    assert all("ice40-hx8k is too small: it needs" in reason for reason in reasons)
    assert recommended(folder.root) is None


def test_points_that_diverge_are_left_out(rows, study, settings, tmp_path, monkeypatch):
    folder = copy_of(study, tmp_path)
    folder.bundle("p1").unlink()

    def diverge(*_):
        raise DivergenceError("the loss is nan")

    monkeypatch.setattr(module, "finalise", diverge)
    kept = finish(folder.root, points=POINTS, settings=settings, uniform=False)
    assert [row for row in kept if row.parameters.get("point", 1) != 1] == [
        row for row in rows if row.parameters.get("point", 1) != 1
    ]
    (left_out,) = (row for row in kept if row.parameters.get("point") == 1)
    assert (left_out.name, left_out.value) == ("point_infeasible", "the loss is nan")


def test_points_have_names_and_one_is_recommended(rows, study):
    names = dict(list(NAMES.items())[-len(study.points()) + 1 :])
    points = study.points()
    assert list(points) == ["best", *names.values()]
    assert all(path.is_file() for path in points.values())
    found = recommended(study.root)
    assert found.bundle == points["best"] == points[found.model]
    assert found.command == f"gatewright build {study.root} --point best"
    assert found.missed == ()
    bundle = Bundle.load(found.bundle)
    assert [each.name for each in found.matrices] == list(bundle.products)
    for each in found.matrices:
        product = bundle.products[each.name][0]
        assert each.rank == getattr(product, "rank", None)
        assert each.bits == getattr(product, "first", product).format.bits
    assert found.hidden == (8,)
    (validation,) = values(rows, int(found.model[1:]), "point_score", split="validation")
    assert (found.validation, found.metric, found.unit) == (validation, "accuracy", "percent")


def test_points_beyond_a_limit_are_left_out_with_the_reason(rows, study, settings, tmp_path, monkeypatch):
    folder, plan = copy_of(study, tmp_path), study.plan
    (bits,) = values(rows, 0, "point_stored_bits")
    limited = replace(plan, search=replace(plan.search, limits=Limits(bits=bits - 1, score=0.0)))
    monkeypatch.setattr(module.StudyFolder, "plan", limited)
    kept = finish(folder.root, points=POINTS, settings=settings, uniform=False)
    left_out = [row for row in kept if row.name == "point_infeasible"]
    assert left_out[0].parameters["model"] == "p0"
    assert left_out[0].value == f"{bits:,.6g} stored bits, at most {bits - 1:,.6g} are allowed"
    assert "p0" not in folder.points()
    strict = replace(plan, search=replace(plan.search, limits=Limits(score=100.0)))
    monkeypatch.setattr(module.StudyFolder, "plan", strict)
    kept = finish(folder.root, points=POINTS, settings=settings, uniform=False)
    reasons = [row.value for row in kept if row.name == "point_infeasible"]
    assert reasons
    assert all(reason.endswith("percent, 100 are asked for") for reason in reasons)
    assert list(folder.points()) == ["uncompressed"]


def test_a_front_needs_trials(tmp_path, settings):
    folder = studies.make(tmp_path / "study")
    with pytest.raises(RunFolderError, match="no trial has finished"):
        finish(folder.root, points=1, settings=settings)
    studies.run_study(folder.root, evaluate=Refusing())
    with pytest.raises(RunFolderError, match="no trial is feasible; 12 of 12 because: too large"):
        finish(folder.root, points=1, settings=settings)
