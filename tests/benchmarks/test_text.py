import numpy as np
import pytest

from gatewright.benchmarks.text import bench_text
from gatewright.sw.tasks.text import STEPS


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"), 5)) for _ in range(60)]
    path = tmp_path_factory.mktemp("text") / "mine.txt"
    path.write_text(" ".join(rng.choice(words, 40 * STEPS // 6)))
    return bench_text(str(path), hidden=40, epochs=2)


def values(rows, name, **parameters):
    return [row.value for row in rows if row.name == name and parameters.items() <= row.parameters.items()]


def test_what_is_lost_is_told_for_each_form_and_split(rows):
    names = {row.parameters["form"] for row in rows if row.name == "compression"}
    assert names == {"8 bits", "4 bits, low rank"}
    for split in ("validation", "test"):
        (dense,) = values(rows, "float_bits", split=split)
        for form in names:
            (bits,) = values(rows, "compressed_bits", form=form, split=split)
            assert values(rows, "bits_lost", form=form, split=split) == [bits - dense]


def test_the_small_form_is_smaller(rows):
    (plain,) = values(rows, "compression", form="8 bits")
    (small,) = values(rows, "compression", form="4 bits, low rank")
    assert 1 < plain < small
