from types import SimpleNamespace

import pytest

from gatewright.errors import ConfigError
from gatewright.sw.compress import rounds
from gatewright.sw.compress.rounds import Outcome, Requirement, Round

NOTES = {"seed": 7, "metric": "mse", "unit": "squares"}


@pytest.mark.parametrize("score", [float("inf"), float("nan")])
def test_a_score_must_be_finite(score):
    with pytest.raises(ConfigError, match=f"Requirement.score must be a finite number, not {score}"):
        Requirement(score, 1)


def test_a_volume_must_be_positive():
    assert Requirement(-1.0, 1).volume == 1
    for volume in (0, -1):
        with pytest.raises(ConfigError, match=f"volume must be a positive number of bits, not {volume}$"):
            Requirement(0.0, volume)


@pytest.mark.parametrize(("more", "better"), [(True, "more"), (False, "less")])
def test_an_outcome_is_told_round_by_round(monkeypatch, more, better):
    for part in ("score_rows", "shape_rows"):
        monkeypatch.setattr(rounds, part, lambda bundle, model, part=part: [(part, bundle, model)])
    bundle = SimpleNamespace(notes=NOTES | {"more_is_better": more})
    done = (
        Round("retrain", "all weights", 0.0, 0, 9, 0.5, None, False),
        Round("quantise", "head to 4 bits", 0.75, 0, 8, 0.25, 30, True),
    )
    outcome = Outcome(Requirement(0.5, 40), bundle, None, 30, done, False, "too few")
    first, second, *scores, stored, met = outcome.rows("small")
    metric = {"metric": "mse", "better": better}
    assert (first.name, first.unit, first.value, first.seed) == ("round_score", "squares", 0.5, 7)
    same = {
        "stage": "retrain",
        "what": "all weights",
        "share": 0.0,
        "dropped": 0,
        "weights": 9,
        "passed": False,
    }
    # A volume that did not change is left out.
    assert first.parameters == {"round": 1, **metric, **same}
    assert (second.parameters["round"], second.parameters["volume"]) == (2, 30)
    assert scores == [("score_rows", bundle, "small"), ("shape_rows", bundle, "small")]
    assert (stored.name, stored.unit, stored.value, stored.parameters, stored.seed) == (
        *("stored_bits", "bits", 30, {"model": "small"}),
        7,
    )
    assert (met.name, met.unit, met.value, met.seed) == ("requirement_met", "yes or no", 0, 7)
    asked = {"model": "small", "score": 0.5, "volume": 40, **metric, "reason": "too few"}
    assert met.parameters == asked
