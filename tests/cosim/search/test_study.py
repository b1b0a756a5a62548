import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import optuna
import pytest
import studies
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from studies import Formula, found, make, plan_of

from gatewright.cosim.search.evaluation import Evaluation
from gatewright.cosim.search.folder import TASK, StudyFolder
from gatewright.cosim.search.records import Records, best
from gatewright.cosim.search.settings import BANDITS
from gatewright.cosim.search.study import INTERRUPTED, run_study
from gatewright.errors import RunFolderError, Terminated, ToolError
from gatewright.results import read_rows
from gatewright.sw.search.space import SearchSpace
from gatewright.sw.tasks import DataSettings

METHODS = ["linear", "ucb", "tpe", "nsga2", "random", "entropy"]


def finished(folder):
    return Records(folder, folder.plan).finished()


def lines(log, word):
    return [line for line in log.read_text().splitlines() if line.startswith(word)] if log.exists() else []


def rows_of(folder, name):
    return [row for row in read_rows(folder.trials) if row.name == name]


@dataclass(frozen=True)
class Raising(Formula):
    """Raises an error in place of the evaluation of that number."""

    at: int = 0
    error: type[BaseException] = KeyboardInterrupt

    def __call__(self, candidate, round):
        if len(lines(self.log, "evaluate")) == self.at:
            raise self.error("stopped here")
        return super().__call__(candidate, round)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """What every method finds in one go."""
    results = {}
    for method in METHODS:
        folder = make(tmp_path_factory.mktemp("whole") / "study", method=method, trials=24)
        run_study(folder.root, evaluate=Formula())
        results[method] = finished(folder)
    return results


@pytest.mark.parametrize("method", METHODS)
def test_interrupted_studies_go_on_as_if_nothing_was(method, uninterrupted, tmp_path):
    folder, log = make(tmp_path / "study", method=method, trials=24), tmp_path / "log"
    for at in (3, 7):
        outcome = run_study(folder.root, evaluate=Raising(log, at=at))
        assert outcome.reason == INTERRUPTED
        assert outcome.trials >= at
        assert [row.value for row in rows_of(folder, "stopped")] == [INTERRUPTED]
    outcome = run_study(folder.root, evaluate=Formula(log))
    assert outcome.reason == "all 24 trials are done"
    assert found(finished(folder)) == found(uninterrupted[method])
    assert outcome.best.candidate == best(uninterrupted[method]).candidate
    evaluated = lines(log, "evaluate")
    # What the gradient leads to is known when it is evaluated, not before.
    assert method == "entropy" or len(evaluated) == len(set(evaluated))


@contextmanager
def child(folder, log, processes, evaluations):
    """Run a study in a process group of its own, and give it when that many evaluations have ended; no more will."""
    command = [sys.executable, studies.__file__, folder.root, log, str(evaluations), str(processes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            while len(lines(log, "evaluate")) < evaluations:
                assert process.poll() is None
                time.sleep(0.01)
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def alive(group):
    """Give the states of a group's processes that run, without those that ended and nobody asked after."""
    states = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, number = stat.read_text().rpartition(")")[2].split()[:3]
            states += [state] if int(number) == group and state != "Z" else []
    return states


@pytest.mark.slow
def test_kill_loses_no_finished_trial_and_runs_none_twice(uninterrupted, tmp_path):
    folder, log = make(tmp_path / "study", method="nsga2", trials=24), tmp_path / "log"
    with child(folder, log, 1, evaluations=9) as process:
        process.kill()
    before = finished(folder)
    assert 8 <= len(before) < 24
    done = len(lines(log, "evaluate"))
    run_study(folder.root, evaluate=Formula(log))
    after = finished(folder)
    assert after[: len(before)] == before
    assert [(each.round, each.candidate, each.copied) for each in after] == [
        (each.round, each.candidate, each.copied) for each in uninterrupted["nsga2"]
    ]
    known = {f"evaluate {each.round} {each.candidate}" for each in before}
    assert not known & set(lines(log, "evaluate")[done:])


@pytest.mark.slow
def test_interrupt_stops_all_processes_and_leaves_a_usable_study(tmp_path):
    folder, log = make(tmp_path / "study", method="random", trials=24, rounds=1), tmp_path / "log"
    with child(folder, log, 2, evaluations=4) as process:
        os.killpg(process.pid, signal.SIGINT)
        assert process.communicate()[0] == INTERRUPTED + "\n"
        assert process.returncode == 0
        while alive(process.pid):
            time.sleep(0.1)
    count = len(finished(folder))
    assert 2 <= count < 24
    assert len(rows_of(folder, "trial_reward")) == count
    assert run_study(folder.root, evaluate=Formula(log)).trials == 24


def test_sigterm_ends_a_study_as_ctrl_c_does_but_goes_on_to_the_command(tmp_path):
    folder, log = make(tmp_path / "study", method="random", trials=6, rounds=1), tmp_path / "log"
    with pytest.raises(Terminated):
        run_study(folder.root, evaluate=Raising(log, at=2, error=Terminated))
    assert [row.value for row in rows_of(folder, "stopped")] == [INTERRUPTED]
    assert len(finished(folder)) == 2
    assert run_study(folder.root, evaluate=Formula(log)).trials == 6


def test_trials_that_died_are_failed_and_their_places_taken_again(tmp_path):
    folder = make(tmp_path / "study", trials=4, rounds=1)
    records = Records(folder, folder.plan)
    records.ask(0, 0, {})
    run_study(folder.root, evaluate=Formula())
    states = [trial.state for trial in Records(folder, folder.plan).study.trials]
    assert states == [TrialState.FAIL] + [TrialState.COMPLETE] * 4


def test_half_a_line_and_a_left_lock_are_mended(tmp_path):
    folder = make(tmp_path / "study", trials=8, rounds=1)
    run_study(folder.root, evaluate=Raising(tmp_path / "log", at=3))
    before = found(finished(folder))
    with folder.journal.open("ab") as stream:
        stream.write(b'{"op_code":6,"worker')
    (folder.root / "journal.log.lock").symlink_to(folder.journal)
    run_study(folder.root, evaluate=Formula())
    assert found(finished(folder))[: len(before)] == before
    assert len(finished(folder)) == 8


@pytest.mark.slow
def test_processes_share_the_trials(tmp_path):
    folder, log = make(tmp_path / "study", method="random", trials=10), tmp_path / "log"
    outcome = run_study(folder.root, processes=2, evaluate=Formula(log))
    assert outcome.trials == 10
    rounds = [int(line.split()[1]) for line in log.read_text().splitlines()]
    assert rounds == sorted(rounds)
    evaluated = lines(log, "evaluate")
    assert len(evaluated) == len(set(evaluated)) == sum(not each.copied for each in finished(folder))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["linear", "nsga2"])
def test_processes_find_what_one_finds(method, uninterrupted, tmp_path):
    folder = make(tmp_path / "study", method=method, trials=24)
    run_study(folder.root, processes=3, evaluate=Formula(uneven=0.1))
    assert found(finished(folder)) == found(uninterrupted[method])


def test_what_is_under_way_at_once_does_not_know_of_each_other(tmp_path):
    told = []

    @dataclass(frozen=True)
    class Telling(Formula):
        def __call__(self, candidate, round):
            told.append(len(Records(folder, folder.plan).told()))
            return super().__call__(candidate, round)

    folder = make(tmp_path / "study", trials=12, rounds=2, at_once=3, method="random")
    run_study(folder.root, evaluate=Telling())
    copied = [each.copied for each in finished(folder)]
    places = [place for place in range(12) if not copied[place]]
    assert told[: len(places)] == [max(0, place - 2) if place < 6 else max(6, place - 2) for place in places]


def test_rounds_are_prepared_with_the_best_so_far(tmp_path):
    folder, log = make(tmp_path / "study", trials=12, rounds=3), tmp_path / "log"
    run_study(folder.root, evaluate=Formula(log))
    records = finished(folder)
    assert [each.round for each in records] == [0] * 4 + [1] * 4 + [2] * 4
    targets = [best(records[:end]).candidate for end in (4, 8)]
    assert lines(log, "prepare") == [
        "prepare 0 []",
        f"prepare 1 [{targets[0]}]",
        f"prepare 2 [{targets[1]}]",
    ]
    rows = rows_of(folder, "round_target")
    assert [row.parameters for row in rows] == [
        {"round": k, "candidate": target} for k, target in enumerate(targets)
    ]


def test_one_model_is_evaluated_once_whatever_it_is_called(tmp_path):
    # Four gates of 8 units on 8 lanes in 2 bits are one word, so that every density keeps all.
    density = "layer0.density"
    space = SearchSpace(studies.space().shapes, {density: (0.25, 0.5, 1.0)}, studies.LANES)
    given = {"space": space.changed({"layer0.bits": (2,)})}

    @dataclass(frozen=True)
    class Narrow(Formula):
        def __call__(self, candidate, round):
            return super().__call__({"network.rank": None, "head.bits": 8, **candidate}, round)

    folder, log = make(tmp_path / "study", given=given, method="random", trials=12), tmp_path / "log"
    run_study(folder.root, evaluate=Narrow(log))
    records = finished(folder)
    assert {each.candidate[density] for each in records} == {0.25, 0.5, 1.0}
    assert len(lines(log, "evaluate")) == 2
    assert len({each.found.quality for each in records if each.round == 0}) == 1


def test_known_candidates_are_copied_not_evaluated(tmp_path):
    small = SearchSpace(studies.space().shapes, {"layer0.bits": (2, 8)}, studies.LANES)

    @dataclass(frozen=True)
    class Two(Formula):
        def __call__(self, candidate, round):
            return super().__call__(
                {"network.rank": 1, "layer0.density": 1.0, "head.bits": 8, **candidate}, round
            )

    given = {"space": small}
    folder, log = make(tmp_path / "study", given=given, method="random", trials=20), tmp_path / "log"
    outcome = run_study(folder.root, evaluate=Two(log))
    assert outcome.trials == 20
    assert len(lines(log, "evaluate")) == 4
    assert sum(each.copied for each in finished(folder)) == 16
    assert all(each.found.seconds == 0 for each in finished(folder) if each.copied)


@pytest.mark.parametrize(
    ("search", "reason", "trials"),
    [
        ({"target_score": 70, "target_cycles": 100, "target_bits": 1000}, "all targets are met", None),
        ({"target_score": 100, "target_cycles": 100, "target_bits": 1000}, "all 30 trials are done", 30),
        ({"target_score": 70, "target_cycles": 1, "target_bits": 1000}, "all 30 trials are done", 30),
        ({"target_score": 70, "target_cycles": 100, "target_bits": 1}, "all 30 trials are done", 30),
        ({"target_cycles": 100, "target_bits": 1000}, "all 30 trials are done", 30),
        ({"patience": 4, "at_once": 1}, "no improvement in 4 trials", None),
    ],
)
def test_stops(search, reason, trials, tmp_path):
    folder = make(tmp_path / "study", trials=30, rounds=1, method="random", **search)
    outcome = run_study(folder.root, evaluate=Formula())
    assert outcome.reason == reason
    assert outcome.trials == trials if trials else outcome.trials < 30
    assert [row.value for row in rows_of(folder, "stopped")] == [reason]
    assert run_study(folder.root, evaluate=Formula()) == outcome


def test_patience_counts_from_the_last_improvement(tmp_path):
    folder = make(tmp_path / "study", trials=200, rounds=1, method="random", patience=12)
    run_study(folder.root, evaluate=Formula())
    records = finished(folder)
    points = [each.found.point for each in records]

    def improves(k):
        better = records[k].found.reward > max(each.found.reward for each in records[:k])
        beaten = any(all(a <= b for a, b in zip(other, points[k], strict=True)) for other in points[:k])
        return better or not beaten

    last = max(k for k in range(1, len(records) - 3) if improves(k))
    # Three more were under way.
    assert len(records) == last + 1 + 12 + 3


def test_candidates_without_hardware_are_pruned_and_never_best(tmp_path):
    folder = make(tmp_path / "study", trials=18, rounds=1)
    outcome = run_study(folder.root, evaluate=Formula(infeasible=8))
    study = Records(folder, folder.plan).study
    for trial in study.trials:
        refused = trial.params["head.bits"] == 8
        assert trial.state == (TrialState.PRUNED if refused else TrialState.COMPLETE)
        assert trial.constraints == ({"hardware": 1.0} if refused else {})
    assert outcome.best.candidate["head.bits"] != 8
    refused = rows_of(folder, "trial_infeasible")
    assert refused
    assert {row.value for row in refused} == {"too large"}
    assert len(refused) + len(rows_of(folder, "trial_reward")) == 18


def test_rows_tell_every_trial(tmp_path):
    folder = make(tmp_path / "study", trials=6, rounds=1)
    run_study(folder.root, evaluate=Formula())
    for record in finished(folder):
        at = {"trial": record.trial, "round": 0, "candidate": record.candidate}
        rows = {row.name: (row.unit, row.value) for row in read_rows(folder.trials) if row.parameters == at}
        each = record.found
        (score,) = (
            row
            for row in read_rows(folder.trials)
            if row.parameters == at | {"metric": "accuracy", "better": "more"}
        )
        assert (score.name, score.unit, score.value) == ("trial_score", "percent", each.score)
        assert rows == {
            "trial_cycles_predicted": ("cycles per step", each.cycles_predicted),
            "trial_cycles_measured": ("cycles per step", each.cycles_measured),
            "trial_stored_bits": ("bits", each.stored_bits),
            "trial_macs": ("multiply-accumulates per step", each.macs),
            "trial_reward": ("points", each.reward),
            "trial_seconds": ("seconds", each.seconds),
            "trial_integers_compared": ("integers", each.integers_compared),
        }


def test_objectives_are_quality_measured_cycles_and_bits(tmp_path):
    folder = make(tmp_path / "study", trials=3, rounds=1)

    @dataclass(frozen=True)
    class Measured(Formula):
        def __call__(self, candidate, round):
            return Evaluation(3.0, -3.0, 100, 7.0, 8.0, 1, 5.0, 0.0, 0)

    run_study(folder.root, evaluate=Measured())
    study = Records(folder, folder.plan).study
    assert [trial.values for trial in study.trials] == [[-3.0, 8.0, 100.0]] * 3
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE", "MINIMIZE"]


@pytest.mark.parametrize("method", BANDITS)
def test_separate_optima_are_evaluated_once(method, tmp_path):
    folder, log = make(tmp_path / "study", trials=6, rounds=1, method=method), tmp_path / "log"
    run_study(folder.root, evaluate=Formula(log))
    (row,) = rows_of(folder, "separate_optima_reward")
    records = Records(folder, folder.plan)
    candidate, value = records.separate
    assert row.parameters == {"candidate": candidate}
    assert row.value == value.reward == Formula()(candidate, 0).reward
    evaluated = len(lines(log, "evaluate"))
    run_study(folder.root, evaluate=Formula(log))
    assert len(lines(log, "evaluate")) == evaluated <= 7


def test_failed_evaluations_fail_the_run_not_the_study(tmp_path):
    folder, log = make(tmp_path / "study", trials=6, rounds=1), tmp_path / "log"
    with pytest.raises(ToolError, match="stopped here"):
        run_study(folder.root, evaluate=Raising(log, at=2, error=ToolError))
    assert [row.value for row in rows_of(folder, "stopped")] == ["failed: stopped here"]
    assert len(rows_of(folder, "trial_reward")) == 2
    assert run_study(folder.root, evaluate=Formula(log)).trials == 6


def test_one_process_at_a_time(tmp_path):
    folder = make(tmp_path / "study")
    with folder.locked(), pytest.raises(RunFolderError, match="another process runs the study"):
        run_study(folder.root, evaluate=Formula())


def test_the_lock_is_free_again_after_a_run(tmp_path):
    folder = make(tmp_path / "study", trials=2, rounds=1)
    run_study(folder.root, evaluate=Formula())
    with folder.locked():
        pass


@pytest.mark.slow
def test_more_trials_leave_the_earlier_ones_as_they_are(uninterrupted, tmp_path):
    for method in METHODS:
        folder, log = make(tmp_path / method, method=method, trials=24), tmp_path / f"{method}.log"
        run_study(folder.root, evaluate=Formula())
        first = finished(folder)
        assert found(first) == found(uninterrupted[method])
        plan = folder.plan
        folder.write(replace(plan, search=plan.search.extended(36, len(first))))
        interrupted = run_study(folder.root, evaluate=Raising(log, at=1))
        assert interrupted.reason == INTERRUPTED
        outcome = run_study(folder.root, evaluate=Formula(log))
        assert outcome.reason == "all 36 trials are done"
        records = finished(folder)
        assert records[:24] == first
        assert [each.round for each in records[24:]] == [2] * 12
        assert lines(log, "prepare")[0] == f"prepare 2 [{best(first).candidate}]"
        whole = make(tmp_path / f"{method} in one go", method=method, trials=24)
        whole.write(replace(plan, search=plan.search.extended(36, 24)))
        run_study(whole.root, evaluate=Formula())
        assert found(finished(whole)) == found(records)


def test_what_ended_a_study_does_not_end_it_again(tmp_path):
    given = {"target_score": 70, "target_cycles": 100, "target_bits": 1000, "method": "random"}
    folder = make(tmp_path / "study", trials=10, rounds=1, **given)
    stopped = run_study(folder.root, evaluate=Formula())
    assert stopped.reason == "all targets are met"
    plan = folder.plan
    folder.write(replace(plan, search=plan.search.extended(14, stopped.trials)))
    outcome = run_study(folder.root, evaluate=Formula())
    assert (outcome.reason, outcome.trials) == ("all 14 trials are done", 14)


def test_patience_begins_anew_with_more_trials(tmp_path):
    folder = make(tmp_path / "study", trials=200, rounds=1, method="random", patience=6)
    stopped = run_study(folder.root, evaluate=Formula())
    assert stopped.reason == "no improvement in 6 trials"
    plan = folder.plan
    folder.write(replace(plan, search=plan.search.extended(210, stopped.trials)))
    outcome = run_study(folder.root, evaluate=Formula())
    assert outcome.reason == "no improvement in 6 trials"
    assert outcome.trials >= stopped.trials + 6


def test_separate_optima_follow_added_trials(tmp_path):
    folder, log = make(tmp_path / "study", trials=6, rounds=1), tmp_path / "log"
    run_study(folder.root, evaluate=Formula())
    plan = folder.plan
    folder.write(replace(plan, search=plan.search.extended(9, 6)))
    run_study(folder.root, evaluate=Formula(log))
    candidate, value = Records(folder, folder.plan).separate
    assert value.reward == Formula()(candidate, 1).reward


@pytest.mark.parametrize("method", METHODS)
def test_known_candidates_come_first(method, tmp_path):
    known = (studies.space().smallest, studies.space().largest)
    folder, log = make(tmp_path / "study", trials=6, rounds=1, method=method, known=known), tmp_path / "log"
    run_study(folder.root, evaluate=Raising(log, at=1))
    run_study(folder.root, evaluate=Formula(log))
    records = finished(folder)
    assert [each.candidate for each in records[:2]] == list(known)
    assert len(records) == 6
    assert len({str(each.candidate) for each in records}) > 2


def test_the_gradient_gives_trials_their_parameters(uninterrupted):
    records = uninterrupted["entropy"]
    assert [each.candidate for each in records] == [
        studies.space().sample(Random(place)) for place in range(24)
    ]
    assert [each.found for each in records] == [Formula()(each.candidate, each.round) for each in records]


@pytest.mark.slow
def test_the_gradient_searches_in_processes_too(tmp_path):
    folder, log = make(tmp_path / "study", method="entropy", trials=6, rounds=1), tmp_path / "log"
    outcome = run_study(folder.root, processes=2, evaluate=Formula(log))
    assert outcome.trials == 6
    assert {str(each.candidate) for each in finished(folder)} == {
        str(studies.space().sample(Random(place))) for place in range(6)
    }


def test_optuna_alone_reads_names_and_values(tmp_path):
    folder = make(tmp_path / "study", trials=4, rounds=2)
    run_study(folder.root, evaluate=Formula(infeasible=2))
    storage = JournalStorage(JournalFileBackend(str(folder.journal)))
    study = optuna.load_study(study_name=folder.plan.name, storage=storage)
    assert study.metric_names == ["accuracy", "cycles per step", "stored bits"]
    feasible = 0
    for trial, record in zip(study.trials, finished(folder), strict=True):
        assert trial.params == record.candidate
        plain = (str, int, float, bool, type(None))
        assert all(isinstance(value, plain) or name == "parts" for name, value in trial.user_attrs.items())
        assert trial.user_attrs["round"] == record.round
        if isinstance(record.found, Evaluation):
            feasible += 1
            assert trial.values == record.found.parts
            assert trial.user_attrs["score"] == record.found.score
            assert trial.user_attrs["stored_bits"] == record.found.stored_bits
        else:
            assert trial.user_attrs["infeasible"] == "too large"
    assert feasible


@pytest.mark.slow
def test_any_storage_of_optuna_by_url(tmp_path):
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    for name in ("one", "two"):
        folder = make(tmp_path / name, given={"storage": url, "name": name}, trials=5, rounds=1)
        run_study(folder.root, evaluate=Formula())
        assert not folder.journal.exists()
        assert len(optuna.load_study(study_name=name, storage=url).trials) == 5


def test_damaged_journals_are_named(tmp_path):
    folder = make(tmp_path / "study")
    folder.journal.write_text("no journal\n")
    with pytest.raises(RunFolderError, match=r"journal\.log: the study can be neither read nor begun"):
        run_study(folder.root, evaluate=Formula())


def test_progress_tells_the_best_so_far(tmp_path):
    told = []
    folder = make(tmp_path / "study", trials=4, rounds=1)
    outcome = run_study(folder.root, evaluate=Formula(), progress=lambda *what: told.append(what))
    assert [done for _, done, _, _ in told] == [0, 1, 2, 3, 4]
    assert told[0] == ("search", 0, 4, "")
    assert told[-1][3].startswith(f"best {outcome.best.found.score:.4g} percent, ")


def test_folders(tmp_path):
    plan = plan_of(tmp_path / "study", given={"storage": "sqlite://", "device": "ecp5-25k"})
    folder = StudyFolder.create(tmp_path / "study", plan, studies.model())
    assert StudyFolder.open(folder.root).plan == plan
    assert folder.points() == {}
    assert folder.candidates() == ()
    with pytest.raises(RunFolderError, match="a study needs a new folder"):
        StudyFolder.create(folder.root, plan, studies.model())
    with pytest.raises(RunFolderError, match="is no folder of a study"):
        StudyFolder.open(tmp_path)
    folder.settings.write_text('{"gatewright": "0", "task": "digits"}')
    with pytest.raises(RunFolderError, match="not readable settings"):
        assert folder.plan


def test_only_what_a_study_made_is_removed(tmp_path):
    folder = make(tmp_path / "study", trials=2, rounds=1)
    run_study(folder.root, evaluate=Formula())
    (folder.root / "mine.txt").write_text("mine")
    folder.remove()
    assert [path.name for path in folder.root.iterdir()] == ["mine.txt"]
    other = make(tmp_path / "other")
    other.remove()
    assert not other.root.exists()


def test_data_that_were_in_memory_lie_in_the_folder(tmp_path):
    plan = replace(plan_of(tmp_path / "study"), data=DataSettings(TASK))
    task = studies.task_of(plan_of(tmp_path / "study"))
    folder = StudyFolder.create(tmp_path / "study", plan, studies.model(), task)
    folder.root.rename(tmp_path / "moved")
    moved = StudyFolder.open(tmp_path / "moved")
    again = moved.load_task(studies.model())
    for name in ("train", "validation", "test"):
        for one, other in zip(getattr(task, name).sequences, getattr(again, name).sequences, strict=True):
            assert (one == other).all()
    assert run_study(moved.root, evaluate=Formula()).trials == 12
