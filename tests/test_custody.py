"""A proof holds for contents, file by file."""

import json

import pytest

from gatewright.custody import DELIVERY, PROOF, Claim, Delivery, Proof, sha256
from gatewright.errors import RunFolderError

ROLES = {"rtl/top.sv": "rtl", "images/a.npz": "image", "constraints/top.lpf": "flow"}
HOLDS = Claim("golden = RTL", "a", "dense", 100, 0)


@pytest.fixture
def root(tmp_path):
    for name in ROLES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"contents of {name}\n")
    Delivery.of(tmp_path, ROLES).save(tmp_path)
    return tmp_path


def proof_of(root, *claims):
    return Proof({name: sha256(root / name) for name in Delivery.load(root).to_prove}, claims)


def test_what_was_written_can_be_read(root):
    proof = Proof({"a": "0" * 64}, (HOLDS,), {"name": "digits", "steps": 7}, "gatewright verify fpga")
    proof.save(root)
    assert Proof.load(root) == proof
    assert Delivery.load(root) == Delivery.of(root, ROLES)


def test_proven_files_pass(root):
    assert proof_of(root, HOLDS).verdict(root) == "PASS"
    assert proof_of(root, HOLDS).unproven(root) == ()


@pytest.mark.parametrize("name", ROLES)
@pytest.mark.parametrize("change", ["corrupted", "missing"])
def test_a_file_that_changed_since_is_named(root, name, change):
    proof = proof_of(root, HOLDS)
    if change == "missing":
        (root / name).unlink()
    else:
        (root / name).write_text("contents of another\n")
    assert proof.unproven(root) == (name,)
    assert proof.verdict(root) == "UNPROVEN"
    assert Delivery.load(root).changed(root) == [name]


def test_a_file_that_was_never_proven_is_named(root):
    proof = proof_of(root, HOLDS)
    left = Proof({name: value for name, value in proof.files.items() if name != "rtl/top.sv"}, proof.claims)
    assert left.unproven(root) == ("rtl/top.sv",)


@pytest.mark.parametrize(
    "claims", [(), (Claim("golden = RTL", "a", "dense", 100, 1),), (HOLDS, Claim("p", "a", "", 0, 0))]
)
def test_a_claim_that_fails_or_compared_nothing_is_no_proof(root, claims):
    assert proof_of(root, *claims).verdict(root) == "FAIL"


def test_a_folder_without_a_build_says_how_to_make_one(tmp_path):
    with pytest.raises(RunFolderError, match="gatewright build"):
        Delivery.load(tmp_path)
    assert Proof.load(tmp_path) is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", json.dumps({"files": 3, "claims": [], "data": {}, "command": ""})]
)
def test_malformed_files_are_refused(root, text):
    (root / PROOF).write_text(text)
    with pytest.raises(RunFolderError, match=PROOF):
        Proof.load(root)
    (root / DELIVERY).write_text(text)
    with pytest.raises(RunFolderError, match=DELIVERY):
        Delivery.load(root)
