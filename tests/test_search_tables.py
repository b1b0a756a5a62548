"""The tables of searches, from rows."""

from gatewright.results import Row

_METRIC = {"metric": "mse", "better": "less"}


def model(kind, name, score, cycles):
    at = {"study": "s", "kind": kind, "model": name}
    yield Row("score", "squared units", score, at | _METRIC | {"split": "test"}, 0)
    yield Row("cycles_predicted_per_step", "cycles", cycles, at, 0)


def point(name, score, cycles, high):
    at = {"study": "s", "kind": "found", "model": name}
    yield from model("found", name, score, cycles)
    yield Row("integers_compared", "integers", 1000, at, 0)
    yield Row("mismatches", "integers", 0, at, 0)
    for of, value in high.items():
        yield Row("quality_above_high", "squared units", value, at | _METRIC | {"of": of, "split": "test"}, 0)


def test_studies_tell_points_that_are_as_good_and_points_that_tie(tables):
    rows = [
        *model("by hand", "8 bits", 0.030, 800.0),
        *model("by hand", "4 bits", 0.034, 400.0),
        *point("p0", 0.033, 200.0, {"8 bits": -0.001, "4 bits": 0.002}),
        *point("p1", 0.035, 100.0, {"8 bits": -0.002, "4 bits": 0.0}),
    ]
    text = tables({"studies": rows}, "search").studies_text("s")
    assert "aimed at 1/4 of the cycles" in text
    assert "no worse a test score: 8 bits, no point as good; 4 bits, 2 times." in text
    assert "does not tell apart: 8 bits, no point as good; 4 bits, 4 times." in text
    assert "2,000 integers compared, 0 mismatches" in text
