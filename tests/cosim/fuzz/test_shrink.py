"""How far a failing case is made small, and at what cost: what fails is said by a rule, and nothing is simulated."""

from dataclasses import replace

import pytest

from gatewright.cosim.fuzz import shrink as module
from gatewright.cosim.fuzz.draw import draw_case
from gatewright.cosim.fuzz.judge import Verdict
from gatewright.cosim.fuzz.shrink import shrink
from gatewright.cosim.fuzz.targets import draw_target


@pytest.fixture
def plays(monkeypatch):
    """Lets cases fail by a rule; returns what sets it, which returns the targets that are asked for."""

    def by(rule):
        asked = []

        def play(target, cases, *given):
            asked.append(target)
            return [Verdict(1, 0, 0, 0, ("it fails",) if rule(case) else ()) for case in cases]

        monkeypatch.setattr(module, "play", play)
        return asked

    return by


def case_of(number):
    target = replace(draw_target(7, number), axi=True)
    return draw_case(target, 7, number, 0)


def configurations(asked):
    return list(dict.fromkeys((target.config, target.axi, target.baked) for target in asked))


def test_accelerator_becomes_plain_but_for_what_counts(plays):
    cases = [case for number in range(1, 12) if (case := case_of(number)).target.baked is None]
    case = next(
        each for each in cases if each.target.config.activation_bits == 16 and each.target.config.lanes > 4
    )
    asked = plays(lambda each: each.target.config.activation_bits == 16)
    found = shrink([case]).case
    assert not found.target.axi
    assert (found.target.config.lanes, found.target.config.groups) == (4, 1)
    assert found.target.config.activation_bits == 16
    assert len(found.jobs) == len(found.jobs[0].x) == 1
    assert len(found.models) == found.models[0].layers == 1
    # The first is the case's own; each other is one build.
    assert len(configurations(asked)) <= 1 + module._BUILDS


def test_work_is_bounded(plays):
    asked = plays(lambda each: True)
    assert shrink([case_of(3)], simulations=3, builds=0) is not None
    assert len(asked) <= 3 + 1
    assert len(configurations(asked)) == 1


def test_what_does_not_fail_again_is_left(plays):
    plays(lambda each: False)
    assert shrink([case_of(3)]) is None


def test_what_ran_before_comes_along_where_it_counts(plays):
    first, second = (draw_case(draw_target(7, 3), 7, 3, number) for number in range(2))
    count = len(first.jobs) + len(second.jobs)
    plays(lambda each: len(each.jobs) >= count)
    assert len(shrink([first, second]).case.jobs) == count
