"""``python -m mutation``: a sampled run, see the package."""

import argparse
import sys
from pathlib import Path

from mutation.survey import ROOT, Fate, draw, save, summary, survey
from mutation.targets import GROUPS


def main() -> int:
    """Run mutants; 1 where too few of them are killed."""
    parser = argparse.ArgumentParser(prog="mutation", description="Whether tests notice changed sources.")
    parser.add_argument(
        "--group", choices=GROUPS, action="append", help="What is mutated; both unless given."
    )
    parser.add_argument("--n", type=int, default=200, help="Mutants of each group.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="Only modules whose path contains this.")
    parser.add_argument("--jobs", type=int, default=1, help="Processes.")
    parser.add_argument(
        "--least", type=float, default=95.0, help="Percent to be killed, for the exit status."
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=ROOT / "runs" / "mutants", help="Folder of the lists."
    )
    given = parser.parse_args()
    enough = True
    for group in given.group or GROUPS:
        mutants, fates = draw(group, given.n, given.seed, given.only), []
        for fate in survey(mutants, given.jobs):
            fates.append(fate)
            _tell(group, fate, len(fates), len(mutants))
        found = summary(fates)
        save(given.output / f"{group}.json", {"group": group, "seed": given.seed, **_origin()}, fates)
        enough &= found["killed_percent"] >= given.least
        print(group, ", ".join(f"{name} {value:.4g}" for name, value in found.items()), flush=True)
    return 0 if enough else 1


def _tell(group: str, fate: Fate, done: int, total: int) -> None:
    what = f": {fate.mutant}" if fate.verdict == "survived" else ""
    print(f"{group} {done}/{total} {fate.verdict}{what}", flush=True)


def _origin() -> dict:
    from gatewright.origin import state

    return dict(zip(("commit", "dirty"), state(), strict=True))


if __name__ == "__main__":
    sys.exit(main())
