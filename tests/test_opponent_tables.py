"""The tables of comparisons of methods and of costs, from rows."""

from gatewright.benchmarks.opponents.scale import DIGITS
from gatewright.results import Row


def part(method, seed, volume):
    at = {"task": "t", "method": method}
    yield Row("hypervolume", "percent octaves²", volume, at | {"split": "test"}, seed)
    yield Row("hypervolume", "percent octaves²", volume / 2, at | {"split": "validation part"}, seed)
    yield Row("candidates", "candidates", 100, at, seed)
    yield Row("method_seconds", "seconds", 1234.5, at, seed)


def compared(*more):
    for seed, others in ((1, 32.0), (4, 200.0), *more):
        yield from part("linear", seed, 30.0 * seed)
        yield from part("random", seed, others)
        named = {"task": "t", "split": "test", "metric": "accuracy", "better": "more"}
        yield Row("pooled_hypervolume", "percent octaves²", 50.0 * seed, {"task": "t", "split": "test"}, seed)
        yield Row("float_score", "percent", 90.0, named, seed)
        yield Row("longer_float_score", "percent", 91.0, named, seed)
        for number, score in enumerate((90.0, 81.0, 80.5)):
            at = named | {"method": "linear", "point": number}
            yield Row("opponent_point_score", "percent", score, at, seed)


def gains():
    for seed, value in ((1, 1.5), (2, 2.5)):
        for of in ("cycles", "stored bits"):
            yield Row("grid_gain", "times", value, {"task": "t", "of": of}, seed)


def test_the_best_method_comes_first_with_its_interval(tables):
    # Ours is 15/16, 3/5 and 1 times as large: a mean of -0.192 in logarithms, with 4.303 errors of 0.161.
    text = tables({"opponents-t": [*compared((5, 150.0))]}).opponents_table("t")
    assert text.splitlines()[2:] == [
        "| random | 127.3 | 0.83 (0.41 to 1.65) | 63.67 | 100 | 1,234 |",
        "| linear | 100.0 | – | 50.00 | 100 | 1,234 |",
    ]


def test_a_method_without_quick_scores_has_no_volume_by_them(tables):
    found = [row for row in compared() if row.parameters.get("split") != "validation part"]
    assert tables({"opponents-t": found}).opponents_table("t").splitlines()[2].split(" | ")[3] == "–"


def test_two_seeds_give_no_interval(tables):
    text = tables({"opponents-t": [*compared()]}).opponents_table("t")
    assert text.splitlines()[2] == "| random | 116.0 | 0.75 | 58.00 | 100 | 1,234 |"


def test_float_models_and_the_grid_are_told(tables):
    told = tables({"opponents-t": [*compared(), *gains()]}).opponents_text("t", DIGITS)
    assert "90 on the test split, 91 with the epochs of compression too" in told
    assert "all methods together reach 125.0, 1.08 times the best method's volume" in told
    assert "Not measured: seeds 2, 3, 5 of 5." in told
    assert "2.00 times the cycles and 2.00 times the stored bits (median; of 2 seeds, 2 gave points" in told
    assert "No point of ours scores as well" in tables({"opponents-t": [*compared()]}).opponents_text(
        "t", DIGITS
    )


def test_points_that_have_a_volume_are_counted(tables):
    found = [*compared()]
    told = tables({"opponents-t": found}).opponents_text("t", DIGITS)
    assert "At most 4 points of a method are trained in full; 4 of all 6 come within 10 points" in told
    assert "By quick scores" not in told


def test_fewer_bits_are_better_and_fronts_without_a_volume_are_told(tables):
    named = {"task": "t", "split": "test", "metric": "bits", "better": "less"}
    found = [
        Row(row.name, "bits", row.value, named, row.seed) if "float_score" in row.name else row
        for row in compared()
        if row.name != "opponent_point_score"
    ]
    at = named | {"method": "linear", "point": 0}
    found += [Row("opponent_point_score", "bits", score, at, 1) for score in (80.0, 101.0, 101.5)]
    none = {"task": "t", "method": "linear", "split": "validation part"}
    found.append(Row("hypervolume", "bits octaves²", 0.0, none, 1))
    told = tables({"opponents-t": found}).opponents_text("t", DIGITS)
    assert "2 of all 3 come within 10 bits" in told
    assert "By quick scores 1 of 5 fronts have none" in told


def test_the_least_regret_comes_first(tables):
    found = [
        Row("regret", "share", share, {"method": method, "trials": 200, "candidates": 12150}, seed)
        for method, shares in (("random", (0.3, 0.1, 0.2)), ("linear", (0.02, 0.03, 0.01)))
        for seed, share in enumerate(shares)
    ]
    lines = tables({"regret": found}).regret_table().splitlines()
    assert lines[0] == "| method, 200 of 12,150 candidates | regret, median | range |"
    assert lines[2:] == ["| linear | 2.0 % | 1.0 to 3.0 % |", "| random | 20.0 % | 10.0 to 30.0 % |"]


def test_narrowing_is_told_with_its_interval(tables):
    found = [
        Row("hypervolume", "percent octaves²", volume, {"task": "t", "method": method, "split": "test"}, seed)
        for method, volumes in (("whole ranges", (30.0, 50.0)), ("narrowed ranges", (20.0, 60.0)))
        for seed, volume in enumerate(volumes)
    ]
    at = {"task": "t", "method": "narrowed ranges", "split": "test"}
    for end, value in (("", 1.1), ("_low", 0.9), ("_high", 1.25)):
        found.append(Row(f"hypervolume_ratio{end}", "times", value, at))
    text = tables({"narrowing": found}).narrowing_text()
    assert "reach 40.0, narrowed ones 40.0: whole ones 1.10 times as much (0.90 to 1.25, 2 seeds)" in text


def test_the_cause_that_loses_least_comes_first(tables):
    found = []
    for cause, lanes, tau, lost, worst in (
        ("low rank", 128, 0.75, 0.125, 1.5),
        ("density", 4, 0.96, 0.0, 1.0),
    ):
        at = {"cause": cause, "lanes": lanes, "cell_lanes": 8, "candidates": 40}
        found.append(Row("latency_correlation", "Kendall's τ-b", tau, at))
        found.append(Row("latency_lost", "share", lost, at))
        found.append(Row("latency_worst", "times", worst, at))
    lines = tables({"latency": found}, "latency").latency_table().splitlines()
    assert lines[2:] == [
        "| density | 4 | 8 | 40 | 0.96 | 0.0 % | 1.00 times |",
        "| low rank | 128 | 8 | 40 | 0.75 | 12.5 % | 1.50 times |",
    ]


def test_what_is_shared_and_lost_and_the_drains_floor_are_told(tables):
    found = [
        Row(f"latency_{name}", unit, value, {"cause": cause, "lanes": 32})
        for cause, lost, worst in (("low rank", 0.01, 1.5), ("drain of one cell lane", 0.02, 1.25))
        for name, unit, value in (("lost", "share", lost), ("worst", "times", worst))
    ]
    names = {"metric": "accuracy", "better": "more"}
    for cause, lanes, cost, points in (
        ("low rank", 32, "cycles", ((300, 95, 800), (120, 90, 700))),
        ("low rank", 32, "macs", ((300, 95, 800), (130, 90, 650))),
        ("low rank", 128, "cycles", ((90, 90, 700),)),
        ("low rank", 128, "macs", ((90, 90, 700),)),
        ("drain of one cell lane", 32, "cycles", ((200, 90, 1700),)),
        ("drain of one cell lane", 32, "macs", ((210, 90, 600),)),
    ):
        for number, (cycles, score, macs) in enumerate(points):
            at = {"cause": cause, "lanes": lanes, "cell_lanes": 1, "scored_by": cost, "point": number}
            found.append(Row("latency_point_score", "percent", score, at | names))
            found.append(Row("latency_point_cycles", "cycles per step", cycles, at))
            found.append(Row("latency_point_macs", "multiply-accumulates per step", macs, at))
    text = tables({"latency": found}, "latency").latency_text()
    assert "Of 4 points of the fronts by cycles, 2 are on those by MACs too" in text
    assert "most with drain of one cell lane: 2.0 % of the volume" in text
    assert "1.50 times the fewest cycles" in text
    assert "120 cycles per step at 700 MACs, with one 200 at 1,700" in text
