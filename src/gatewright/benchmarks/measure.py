"""``make results``: measure parts beside ``docs/results``, and put them there when all are done."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Literal

from gatewright.benchmarks.parts import PARTS, Part, Work
from gatewright.benchmarks.publishing import ASIDE, RESULTS, refuse_changes
from gatewright.benchmarks.staleness import State, statuses
from gatewright.errors import ConfigError, GatewrightError
from gatewright.origin import Checkout

STALE = "stale"
"""Asks for the parts with a file that is not fresh."""


@dataclass(frozen=True)
class Outcome:
    """What came of a part.

    Parameters
    ----------
    part : Part
    what : str
        ``measured``; ``kept``, where an earlier run that was stopped had measured it; ``failed``; or ``left out``,
        where it needs something that was not given.
    reason : str
        Why it failed or was left out.
    """

    part: Part
    what: Literal["measured", "kept", "failed", "left out"]
    reason: str = ""

    @property
    def done(self) -> bool:
        """Whether its files are there."""
        return self.what in ("measured", "kept")

    @property
    def text(self) -> str:
        """What came of it and why, for people."""
        return f"{self.what}: {self.reason}" if self.reason else self.what


def select(only: Sequence[str], checkout: Checkout, parts: Mapping[str, Part] = PARTS) -> list[Part]:
    """Return the parts of some names, in the order of all; every part for no name.

    What names no part names those that begin with it: ``opponents-digits`` is ``opponents-digits-1`` and its like.

    Raises
    ------
    ConfigError
        There is no such part.
    """
    named = {name: {each for each in parts if _names(name, each, parts)} for name in only or parts}
    unknown = [name for name, found in named.items() if not found and name != STALE]
    if unknown:
        raise ConfigError(f"there is no part {', '.join(unknown)}; there are {', '.join(parts)}, and {STALE}")
    wanted = {each for found in named.values() for each in found}
    if STALE in only:
        wanted |= {
            each.part for each in statuses(checkout, parts.values()).values() if each.state != State.FRESH
        }
    return [part for name, part in parts.items() if name in wanted]


def _names(name: str, part: str, parts: Mapping[str, Part]) -> bool:
    return part == name or (name not in parts and part.startswith(f"{name}-"))


def measure(
    parts: Sequence[Part], work: Work, checkout: Checkout, say: Callable[[str], None], jobs: int = 1
) -> list[Outcome]:
    """Measure parts into `Work.aside`; one that fails does not stop the others.

    What an earlier run measured from the same code is kept.

    Parameters
    ----------
    parts : sequence of Part
    work : Work
    checkout : Checkout
    say : callable
        Told of each part when it begins and when it ends.
    jobs : int
        Parts that are measured side by side, 1 to 64; those that are to be `Part.alone` come after all others.

    Raises
    ------
    ConfigError
        The code has uncommitted changes, or the jobs are out of range.
    """
    if not 1 <= jobs <= 64:
        raise ConfigError(f"parts are measured 1 to 64 at once, not {jobs}")
    refuse_changes(work.root / RESULTS, checkout)
    ordered = list(parts) if jobs == 1 else sorted(parts, key=lambda part: part.alone)
    numbers = {part.name: number for number, part in enumerate(ordered, 1)}

    def told(part: Part) -> Outcome:
        say(f"[{numbers[part.name]}/{len(parts)}] {part.name}")
        outcome = _measured(part, work, checkout)
        say(f"  {part.name} {outcome.text}")
        return outcome

    found: dict[str, Outcome] = {}
    if jobs > 1:
        with ThreadPoolExecutor(jobs) as pool:
            calls = [pool.submit(told, part) for part in ordered if not part.alone]
            try:
                for call in as_completed(calls):
                    found[call.result().part.name] = call.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                work.stop()
                raise
    found |= {part.name: told(part) for part in ordered if part.name not in found}
    return [found[part.name] for part in parts]


def publish_all(outcomes: Sequence[Outcome], work: Work) -> None:
    """Put the files of all parts that are done where the documents read them."""
    for path in (path for outcome in outcomes if outcome.done for path in outcome.part.made):
        target = work.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(work.aside(path), target)


def _measured(part: Part, work: Work, checkout: Checkout) -> Outcome:
    if not work.has(part.need):
        return Outcome(part, "left out", f"it needs {part.need.upper()}=")
    if not _problems(part, work, checkout, (State.FRESH,)):
        return Outcome(part, "kept")
    for path in part.made:
        work.aside(path).unlink(missing_ok=True)
    try:
        part.measure(work)
    except (GatewrightError, OSError) as error:
        return Outcome(part, "failed", str(error))
    # Outside a repository nothing is known of any file, which is no fault of this one.
    problems = _problems(part, work, checkout, (State.FRESH, State.UNKNOWN))
    return Outcome(part, "failed", "; ".join(problems)) if problems else Outcome(part, "measured")


def _problems(part: Part, work: Work, checkout: Checkout, fine: Sequence[State]) -> list[str]:
    """Say what keeps the files of a part, where they lie aside, from being published."""
    found = statuses(checkout, [part], work.root / ASIDE / RESULTS).values()
    absent = [path for path in part.made if not work.aside(path).is_file()]
    return [
        *(f"{path} was not made" for path in absent),
        *(f"{each.file}: {each.reason}" for each in found if each.state not in (*fine, State.MISSING)),
    ]
