"""The tables of proofs and of fuzzing, from rows."""

from gatewright.results import Row


def test_a_proof_has_its_time_and_its_broken_line(tables):
    def proof(name, mode, proved, instead):
        at = {"proof": name, "mode": mode}
        change = {"module": "pipeline.py", "line": "right", "instead": instead}
        yield Row("proved", "proofs", proved, at)
        yield Row("proof_seconds", "seconds", 12.34, at)
        yield Row("refutation_seconds", "seconds", 0.5, at | change)

    found = [*proof("rounding", "induction 4", 1, "a | b"), *proof("sums", "bounded 12", 0, "c")]
    assert tables({"proofs": found}, "trust").proofs_table().splitlines()[2:] == [
        r"| `rounding` | induction 4 | 12.3 | pipeline.py: `a \| b` | 0.5 |",
        "| `sums` | bounded 12, NOT PROVED | 12.3 | pipeline.py: `c` | 0.5 |",
    ]


def test_what_was_fuzzed_is_summed_over_its_parts(tables):
    units = {"fuzzed_accelerators": "configurations", "fuzzed_models": "models", "fuzzed_jobs": "jobs"}
    units |= {"provoked_errors": "jobs", "provoked_resets": "jobs"}
    units |= {"integers_compared": "integers", "cycles_compared": "cycles", "differing_cases": "cases"}
    found = [
        Row(name, unit, 1000 * place + first, {"first": first}, 2026)
        for first in (0, 12)
        for place, (name, unit) in enumerate(units.items())
    ]
    table = tables({"fuzz": found}, "trust").fuzz_table()
    counts = [line.split(" | ")[1].rstrip(" |") for line in table.splitlines()[2:]]
    assert counts == ["12", "2,012", "4,012", "6,012", "8,012", "10,012", "12,012", "14,012"]
