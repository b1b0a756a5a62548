"""Which beacon scores which candidate, and how many are trained."""

from types import SimpleNamespace

import pytest

from gatewright.benchmarks.opponents.trained import Beacons


@pytest.fixture
def beacons(arena, monkeypatch):
    trained = []

    def train(self, candidate):
        trained.append(candidate["layer0.bits"])
        return f"beacon of {candidate['layer0.bits']} bits"

    monkeypatch.setattr(Beacons, "_trained", train)
    made = Beacons(SimpleNamespace(space=arena.space, cut=lambda source, candidate: source))
    made.trained = trained
    return made


def of(arena, bits, head):
    return arena.space.largest | {"layer0.bits": bits, "head.bits": head}


def test_near_candidates_take_a_beacons_weights_and_far_ones_get_their_own(arena, beacons):
    assert beacons(of(arena, 8, 8)) == "beacon of 8 bits"
    # One octave of one matrix is near; two matrices of a layer make two octaves.
    assert beacons(of(arena, 8, 4)) == "beacon of 8 bits"
    assert beacons(of(arena, 4, 8)) == "beacon of 4 bits"
    assert beacons(of(arena, 2, 2)) == "beacon of 2 bits"
    assert beacons(of(arena, 2, 4)) == "beacon of 2 bits"
    assert beacons.trained == [8, 4, 2]
    assert len(beacons) == 3


def test_the_nearest_beacon_counts(arena, beacons):
    for bits in (8, 2):
        beacons(of(arena, bits, 8))
    assert beacons(of(arena, 8, 4)) == "beacon of 8 bits"
    assert beacons(of(arena, 2, 4)) == "beacon of 2 bits"
