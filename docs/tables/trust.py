"""Proofs of the RTL for all inputs, random trials of everything, and the driver at a board whose line does damage."""

from collections.abc import Callable, Mapping

from source import markdown, rows, rows_of_part


def proofs_table() -> str:
    """Return the time of every proof, and of its refutation with the line that breaks what it says."""
    source = rows("proofs")
    body = []
    for row in source.where("refutation_seconds"):
        at = row.parameters
        held = {"proof": at["proof"], "mode": at["mode"]}
        proved = bool(source.figure("proved", **held))
        body.append(
            (
                f"`{at['proof']}`",
                at["mode"] if proved else f"{at['mode']}, NOT PROVED",
                f"{source.figure('proof_seconds', **held):.1f}",
                f"{at['module']}: `{_cell(at['instead'])}`",
                f"{row.value:.1f}",
            )
        )
    return markdown(("proof", "mode, cycles", "seconds", "broken line", "refuted in seconds"), body)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def fuzz_table() -> str:
    """Return how much `gatewright fuzz` ran and compared, in all."""
    source = rows_of_part("fuzz")
    counts = {
        "accelerators": "fuzzed_accelerators",
        "models": "fuzzed_models",
        "jobs": "fuzzed_jobs",
        "of them wrong, with the error that they should give": "provoked_errors",
        "of them reset on their way": "provoked_resets",
        "integers of the RTL compared": "integers_compared",
        "cycles compared with what was predicted": "cycles_compared",
        "cases with a difference": "differing_cases",
    }
    return _counted(counts, lambda name: sum(row.value for row in source.where(name)))


def board_table() -> str:
    """Return what the driver of boards got through a line that changes and loses bytes."""
    source = rows("board")
    counts = {
        "test recordings": "recordings",
        "results compared with the golden model's": "integers_compared",
        "of them different": "mismatches",
        "bytes on the line, both ways": "line_bytes",
        "of them changed": "line_bytes_changed",
        "of them lost": "line_bytes_lost",
        "requests that were sent again": "requests_repeated",
    }
    return _counted(counts, source.figure)


def _counted(counts: Mapping[str, str], count: Callable[[str], float]) -> str:
    """Return a table of counts: what is said of each, and the name of its rows."""
    return markdown(("what", "count"), ((what, f"{count(name):,.0f}") for what, name in counts.items()))
