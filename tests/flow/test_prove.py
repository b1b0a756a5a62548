"""`gatewright prove` says what is not proved, and its exit status does too."""

import json

import pytest
from typer.testing import CliRunner

from gatewright.cli import app
from gatewright.cli.app import ExitCode
from gatewright.cosim.proofs.prove import Finding, Verdict
from gatewright.flow import prove
from gatewright.results import Rows, read_rows

HOLDS, FAILS = Verdict(1, 1, None), Verdict(1, 1, 3)


@pytest.mark.parametrize(
    ("verdict", "broken", "trouble", "status"),
    [
        (HOLDS, FAILS, "", ExitCode.OK),
        (FAILS, FAILS, "FAILS in cycle 3", ExitCode.MISMATCH),
        (HOLDS, HOLDS, "TOO WEAK: its broken line goes unnoticed", ExitCode.MISMATCH),
    ],
)
def test_what_is_not_proved_is_said(verdict, broken, trouble, status, monkeypatch, tmp_path):
    monkeypatch.setattr(prove, "prove_one", lambda proof: Finding(proof, verdict, broken, 0.0, 0.0))
    kept = tmp_path / "proofs.json"
    result = CliRunner().invoke(app, ["prove", "--only", "tanh", "--json", "--rows", f"{kept}"])
    assert result.exit_code == status, result.output
    (found,) = json.loads(result.stdout)["proofs"]
    assert (found["name"], found["trouble"], found["proved"]) == ("tanh", trouble, not trouble)
    rows = Rows(read_rows(kept))
    assert rows.figure("proved", proof="tanh") == (not trouble)
    assert rows.figure("proof_seconds", proof="tanh") == rows.figure("refutation_seconds", proof="tanh") == 0
    assert len(json.loads(result.stdout)["rows"]) == 3


def test_an_unknown_proof_is_refused_with_those_there_are():
    result = CliRunner().invoke(app, ["prove", "--only", "cosine"], env={"COLUMNS": "400"})
    assert result.exit_code == ExitCode.INPUT
    assert "no proof 'cosine'" in result.output
    assert "tanh" in result.output
