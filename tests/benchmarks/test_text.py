import numpy as np
import pytest

from gatewright.benchmarks.text import bench_text
from gatewright.results import Rows
from gatewright.sw.tasks.text import CHUNK, FEWEST


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"), 5)) for _ in range(60)]
    path = tmp_path_factory.mktemp("text") / "mine.txt"
    path.write_text(" ".join(rng.choice(words, 2 * FEWEST * CHUNK // 6 + 1)))
    return Rows(bench_text(str(path), hidden=40, epochs=2))


def test_what_is_lost_is_told_for_each_form_and_split(rows):
    names = rows.where("compression").distinct("form")
    assert names == ["8 bits", "4 bits, fewer units"]
    for split in ("validation", "test"):
        dense = rows.figure("longer_float_score", split=split, metric="bits", better="less")
        for form in names:
            bits = rows.figure("score", form=form, split=split, metric="bits", better="less")
            assert rows.figure("score_lost", form=form, split=split) == bits - dense


def test_the_float_model_that_got_as_many_epochs_is_no_worse(rows):
    before, after = (
        rows.figure(name, split="validation", metric="bits", better="less")
        for name in ("float_score", "longer_float_score")
    )
    assert after < before


def test_the_small_form_is_smaller(rows):
    times = rows.values("compression", "form")
    assert 1 < times["8 bits"] < times["4 bits, fewer units"]
