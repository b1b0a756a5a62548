"""``make results``: measure parts beside ``docs/results``, and put them there when all are done."""

import os
from collections.abc import Callable, Mapping, Sequence
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
    parts: Sequence[Part], work: Work, checkout: Checkout, say: Callable[[str], None]
) -> list[Outcome]:
    """Measure parts one after the other into `Work.aside`; one that fails does not stop the others.

    What an earlier run measured from the same code is kept.

    Raises
    ------
    ConfigError
        The code has uncommitted changes.
    """
    refuse_changes(work.root / RESULTS, checkout)
    outcomes = []
    for place, part in enumerate(parts, 1):
        say(f"[{place}/{len(parts)}] {part.name}")
        outcome = _measured(part, work, checkout)
        say(f"  {outcome.text}")
        outcomes.append(outcome)
    return outcomes


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
