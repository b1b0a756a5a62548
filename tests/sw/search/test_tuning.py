import pytest
from calls import score

from gatewright.errors import ConfigError, DivergenceError, RunFolderError
from gatewright.executors import workers
from gatewright.sw.metrics import METRICS
from gatewright.sw.search.settings import Range, TuneSettings
from gatewright.sw.search.tuning import tune

CANDIDATES = {
    "rate": Range(1e-4, 1.0, logarithmic=True),
    "drop": (0.0, 0.3, 0.6),
    "units": Range(4, 64, whole=True),
}


class Counting:
    """Counts what is trained; may be interrupted."""

    def __init__(self, most=1000):
        self.trained, self.most = [], most

    def __call__(self, values):
        if len(self.trained) == self.most:
            raise KeyboardInterrupt
        self.trained.append(tuple(values.items()))
        return score(values)


def run(path, train=score, metric="accuracy", processes=1, asked=None, candidates=CANDIDATES, **settings):
    with workers(processes) as who:
        settings = TuneSettings(**{"trials": 30, **settings})
        return tune(train, candidates, METRICS[metric], settings, path, asked or {}, who)


@pytest.mark.parametrize("method", ["ucb", "softmax", "greedy", "linear"])
def test_the_best_values_are_found_and_nothing_is_trained_twice(method, tmp_path):
    train = Counting()
    found = run(tmp_path / "journal.log", train, method=method, trials=40)
    assert len(found.trials) == 40
    assert len(train.trained) == len(set(train.trained))
    assert found.best.score == max(each.score for each in found.trials)
    assert found.best.values["drop"] == 0.3
    assert max(found.worths["drop"], key=found.worths["drop"].get) == found.separate.values["drop"] == 0.3
    assert found.separate.score == score(found.separate.values)
    assert found.chosen.score == max(found.best.score, found.separate.score)
    assert all(isinstance(each.values["units"], int) for each in found.trials)
    assert sum(each.seconds == 0 for each in found.trials) >= 40 - len(train.trained)


def test_an_interrupted_tuning_goes_on_as_if_nothing_was(tmp_path):
    whole = run(tmp_path / "whole.log")
    path, train = tmp_path / "journal.log", Counting(most=6)
    with pytest.raises(KeyboardInterrupt):
        run(path, train)
    with path.open("ab") as stream:
        stream.write(b'{"op_code":6,"worker')
    train.most = 1000
    found = run(path, train)
    assert [each.values for each in found.trials] == [each.values for each in whole.trials]
    assert (found.best.values, found.separate.values) == (whole.best.values, whole.separate.values)
    before = len(train.trained)
    assert run(path, train) == found
    more = run(path, train, trials=34)
    assert more.trials[:30] == found.trials
    assert len(train.trained) <= before + 5


def test_where_less_is_better_the_least_is_best(tmp_path):
    found = run(tmp_path / "journal.log", metric="mse")
    assert found.best.score == min(each.score for each in found.trials if each.score is not None)
    assert min(found.worths["drop"].values()) == found.worths["drop"][found.separate.values["drop"]]


def test_what_diverges_is_told_and_never_best(tmp_path):
    fast = {**CANDIDATES, "rate": (0.01, 0.9)}
    found = run(tmp_path / "journal.log", candidates=fast)
    diverged = [each for each in found.trials if each.score is None]
    assert diverged
    assert {each.values["rate"] for each in diverged} == {0.9}
    assert found.chosen.values["rate"] == 0.01
    with pytest.raises(DivergenceError, match="all 3 trainings diverged"):
        run(tmp_path / "all.log", candidates={**CANDIDATES, "rate": (0.8, 0.9)}, trials=3)


def test_processes_share_the_trials(tmp_path):
    found = run(tmp_path / "journal.log", processes=2, trials=12)
    assert len(found.trials) == 12
    assert all(each.score == score(each.values) for each in found.trials)


def test_the_journal_of_something_else_is_refused(tmp_path):
    run(tmp_path / "journal.log", trials=2, asked={"data": "mine"})
    for other in ({"asked": {"data": "yours"}}, {"asked": {"data": "mine"}, "samples": 3}):
        with pytest.raises(RunFolderError, match="holds the tuning of something else"):
            run(tmp_path / "journal.log", trials=2, **other)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Range(1.0, 1.0), "from small to large, not from 1 to 1"),
        (lambda: Range(0.0, 1.0, logarithmic=True), "logarithmic scale must be above 0"),
        (lambda: TuneSettings(trials=0), "trials must be from 1"),
        (lambda: TuneSettings(method="best"), "method must be one of ucb, softmax, greedy, linear"),
    ],
)
def test_refuses(make, text):
    with pytest.raises(ConfigError, match=text):
        make()
