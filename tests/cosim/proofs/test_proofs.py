"""The proofs hold, each notices its broken line, and nothing that is not proved is called so."""

from dataclasses import replace

import pytest
from amaranth.hdl import Assert, Assume, Cover, Module, Signal

from gatewright.cosim.proofs import streams
from gatewright.cosim.proofs.catalogue import PROOFS
from gatewright.cosim.proofs.formal import to_rtlil
from gatewright.cosim.proofs.proof import Broken, Proof, anything
from gatewright.cosim.proofs.prove import Finding, Verdict, examine, prove
from gatewright.errors import ToolError

QUICK = [proof for proof in PROOFS.values() if proof.quick]


@pytest.mark.parametrize("proof", QUICK, ids=lambda proof: proof.name)
def test_proof_holds_and_its_broken_line_does_not(proof):
    finding = prove(proof)
    assert finding.proved, finding.text


def test_every_unit_that_offers_a_stream_is_proved():
    """A new unit, or a unit that offers more, is not forgotten."""
    offering = streams.offering_units()
    assert set(offering) == set(streams.UNITS) | set(streams.COMPOSED)
    assert offering["Accelerator"] == offering["Merge"] == {"o"}


class Counter:
    """Count to `most` while something arbitrary says so."""

    def __init__(self, most, claim, covered=3, given=None):
        self.most, self.claim, self.covered, self.given = most, claim, covered, given

    def __call__(self):
        m = Module()
        count = Signal(4)
        with m.If(anything(m, 1)):
            m.d.sync += count.eq(count + (count < self.most))
        if self.claim is not None:
            m.d.comb += Assert(count <= self.claim)
        if self.covered is not None:
            m.d.comb += Cover(count == self.covered)
        if self.given is not None:
            m.d.comb += Assume(count < self.given)
        return m


def counting(*arguments, depth=8, induction=0, **more):
    design = Counter(*arguments, **more)
    return Proof("counter", "It counts.", design, depth, Broken("pipeline", "", ""), induction)


def verdict(proof, **more):
    return examine(proof, to_rtlil(proof), **more)


def test_a_statement_that_holds():
    assert verdict(counting(5, 5, induction=1)) == Verdict(1, 1, None)
    assert verdict(counting(5, 5, induction=1)).trouble == ""


def test_a_statement_that_fails_is_told_with_its_cycle():
    found = verdict(counting(5, 4))
    assert found.failed == 5
    assert found.trouble == "FAILS in cycle 5"
    assert verdict(counting(5, 0)).failed == 1
    # Beyond the cycles that are looked at, nothing is seen: what is bounded is called bounded.
    assert verdict(counting(5, 4, depth=5)).failed is None
    assert counting(5, 4, depth=5).mode == "bounded 5"


def test_what_holds_from_reset_but_does_not_follow_is_not_proved():
    found = verdict(counting(9, 8, induction=2))
    assert found.failed is None
    assert not found.inductive
    assert found.trouble.startswith("NOT PROVED")


@pytest.mark.parametrize("vacuous", [{"covered": 9}, {"given": 0}], ids=["unreachable", "contradiction"])
def test_a_statement_about_nothing_is_vacuous(vacuous):
    found = verdict(counting(5, 5, **vacuous))
    assert found.unreached == (0,)
    assert found.trouble.startswith("VACUOUS")


@pytest.mark.parametrize(("missing", "claim", "covered"), [("assert", None, 3), ("cover", 5, None)])
def test_a_design_that_states_nothing_is_refused(missing, claim, covered):
    with pytest.raises(ToolError, match=f"has no {missing}"):
        verdict(counting(5, claim, covered))


def test_a_solver_that_runs_out_of_time_proves_nothing():
    with pytest.raises(ToolError, match=r"stopped after 0\.001 s: nothing is proved"):
        verdict(counting(5, 5), seconds=0.001)


def test_a_broken_line_that_goes_unnoticed_is_told():
    good = Verdict(1, 1, None)
    finding = Finding(counting(5, 5), good, good, 0.0, 0.0)
    assert not finding.proved
    assert finding.trouble.startswith("TOO WEAK")
    assert replace(finding, broken=Verdict(1, 1, 2)).proved


def test_a_broken_line_that_is_not_there_is_an_error():
    """A proof whose line was rewritten is noticed, and does not pass with nothing broken."""
    proof = replace(PROOFS["stream-Merge"], broken=Broken("stream", "no such line", ""))
    with pytest.raises(ToolError, match="must stand there once, not 0 times"):
        prove(proof)
