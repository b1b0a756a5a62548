"""What stands behind ``make results`` and ``make results-status``: measure the results, or say which are stale."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from gatewright.benchmarks.measure import STALE, Outcome, measure, publish_all, select
from gatewright.benchmarks.parts import PARTS, Work
from gatewright.benchmarks.staleness import State, Status, statuses
from gatewright.cli.app import ExitCode
from gatewright.errors import GatewrightError, ToolError
from gatewright.origin import HERE


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m gatewright.benchmarks", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("status", help="which files of docs/results are not those of the code as it is now")
    verb = verbs.add_parser("measure", help="measure docs/results, and write the documents from it")
    verb.add_argument(
        "--only", default="", help=f"parts, separated by commas: {', '.join(PARTS)}; or {STALE}"
    )
    verb.add_argument("--text", type=Path, help="a text for the character models, some megabytes")
    verb.add_argument("--silero", type=Path, help="a folder with Silero VAD and speech")
    verb.add_argument("--images", type=Path, help="a folder with the four IDX files of Fashion-MNIST")
    verb.add_argument(
        "--jobs", type=int, default=1, help="parts measured side by side; those that measure time come alone"
    )
    given = parser.parse_args(words)
    try:
        if given.verb == "status":
            print("\n".join(_line(each) for each in statuses().values()))
            return ExitCode.OK
        work = Work(text=given.text, silero=given.silero, images=given.images)
        return _measure(given.only, work, given.jobs)
    except GatewrightError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.TOOL if isinstance(error, ToolError) else ExitCode.INPUT
    except KeyboardInterrupt:
        print("interrupted: what was measured is kept; the same command goes on", file=sys.stderr)
        return ExitCode.INTERRUPTED


def _measure(only: str, work: Work, jobs: int) -> int:
    names = [name.strip() for name in only.split(",") if name.strip()]
    outcomes = measure(select(names, HERE), work, HERE, lambda line: print(line, flush=True), jobs)
    publish_all(outcomes, work)
    work.python("docs/tables")
    print("\n".join(_told(outcomes)))
    failed = any(outcome.what == "failed" for outcome in outcomes)
    return ExitCode.TOOL if failed else ExitCode.OK


def _told(outcomes: Sequence[Outcome]) -> list[str]:
    done = sum(outcome.done for outcome in outcomes)
    others = [f"{outcome.part.name} {outcome.text}" for outcome in outcomes if not outcome.done]
    return [f"{done} of {len(outcomes)} parts are in docs/results", *others]


def _line(status: Status) -> str:
    line = f"{status.state:<8} {status.file}"
    return line if status.state == State.FRESH else f"{line}: {status.reason}; {status.remedy}"


if __name__ == "__main__":
    sys.exit(main())
