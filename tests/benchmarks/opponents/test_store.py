import pytest

from gatewright.benchmarks.opponents.store import Known
from gatewright.cosim.search.evaluation import Infeasible
from gatewright.errors import RunFolderError


class Counting:
    def __init__(self, ask):
        self.ask, self.asked = ask, []

    def __call__(self, candidate):
        self.asked.append(candidate)
        return self.ask(candidate)


@pytest.fixture
def counting(arena):
    return Counting(arena.ask)


def test_a_candidate_is_evaluated_once_over_all_runs(arena, counting, tmp_path):
    path = tmp_path / "quick.jsonl"
    first, second = arena.space.largest, arena.space.smallest
    known = Known(path, arena.space, counting)
    assert known(first) == known(dict(reversed(first.items()))) == arena.ask(first)
    assert isinstance(known(second), Infeasible)
    again = Known(path, arena.space, counting)
    assert (len(again), first in again) == (2, True)
    assert (again(first), again(second)) == (known(first), known(second))
    assert counting.asked == [first, second]


def test_half_a_line_of_a_killed_run_is_forgotten(arena, counting, tmp_path):
    path = tmp_path / "quick.jsonl"
    Known(path, arena.space, counting)(arena.space.largest)
    whole = path.read_text()
    path.write_text(whole + whole[: len(whole) // 2])
    known = Known(path, arena.space, counting)
    assert len(known) == 1
    known(arena.space.smallest)
    assert len(Known(path, arena.space, counting)) == 2


def test_a_foreign_line_is_refused(arena, tmp_path):
    path = tmp_path / "quick.jsonl"
    path.write_text('{"nothing": 1}\n')
    with pytest.raises(RunFolderError, match="line 1: no candidate"):
        Known(path, arena.space, arena.ask)
