import pytest
import study_rows

from gatewright.reports.summary import summarise


def test_headline_figures(make_run):
    summary = summarise(make_run(), {"task": "spoken digits", "caveat": "", "seconds": None})
    assert summary == {
        "task": "spoken digits",
        "metric": "accuracy",
        "baseline_score": 93.2,
        "float_score": 98.5,
        "scores": {"whole": 98.0, "quarter": 97.25, "eighth": 97.125, "simplified": 98.0},
        "verdict": "PASS",
        "integers_compared": 6300,
        "mismatches": 0,
        "cycles_per_step": {"quarter": {"dense": 400, "sparse": 100}},
        "simulated_cycles_per_second": 250000.0,
    }


def test_what_has_not_been_run_is_left_out(make_run):
    absent = dict.fromkeys(("claims", "quantise", "simplify", "build", "verify", "synth"))
    summary = summarise(make_run(**absent), {})
    assert list(summary) == ["metric", "baseline_score", "float_score", "verdict"]


def test_a_search_tells_what_each_point_gains(make_run):
    folder = make_run()
    study_rows.write_study(folder / "search", {"front": study_rows.point_rows()})
    searched = summarise(folder, {})["search"]
    assert list(searched) == [f"p{number}" for number in range(8)]
    assert searched["p0"] == {
        "score_gained": pytest.approx(96.2 - 98.65),
        "times_smaller": 750_000 / 38_000,
        "times_faster": 2711.5 / 70,
    }
