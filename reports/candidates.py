"""Candidates of a study read back from rows: quick trials, and finished points."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gatewright.errors import RunFolderError
from gatewright.results import Rows

FOUND, UNIFORM, UNCOMPRESSED = "found", "uniform", "uncompressed"
"""Kinds of finished points: of the search, set by hand, and the model before compression."""

_COSTS = ("cycles_predicted", "stored_bits")


@dataclass(frozen=True)
class Trial:
    """A candidate that was trained a little and scored on the validation split.

    Parameters
    ----------
    number, round : int
    score, reward : float
        In the task's metric; with what the latency and the volume take off.
    predicted : float
        Cycles per step.
    measured : float or None
        The same on the RTL, where the trial was measured.
    stored_bits, macs, seconds : float or None
        Of the emitted image; multiply-accumulates per step; what the trial took.
    candidate : dict
        What was chosen, by parameter of the space.
    """

    number: int
    round: int
    score: float
    reward: float
    predicted: float
    measured: float | None
    stored_bits: float
    macs: float | None
    seconds: float | None
    candidate: dict = field(default_factory=dict)

    @property
    def cycles(self) -> float:
        """Cycles per step: measured where there are such."""
        return self.predicted if self.measured is None else self.measured


@dataclass(frozen=True)
class Span:
    """An op of one steady step, or of the step after it.

    Parameters
    ----------
    op : int
        Its place in the program.
    opcode, unit : str
    first, last : float
        First and last cycle of its work, from the beginning of the steady step on.
    issue : float or None
        Cycle in which the unit took it; None in older rows.
    what : str
        What it works on, such as ``layer0.recurrent``; empty in older rows.
    later : bool
        Whether it is of the step after.
    """

    op: int
    opcode: str
    unit: str
    first: float
    last: float
    issue: float | None = None
    what: str = ""
    later: bool = False

    @property
    def label(self) -> str:
        """What it works on, or its opcode where that is not known."""
        return self.what or self.opcode


@dataclass(frozen=True)
class Point:
    """A finished candidate: fully trained, and simulated on the RTL.

    Parameters
    ----------
    name : str
        As commands take it: those that were found are ``p0``, ``p1`` and so on.
    kind : str
        ``found``, ``uniform`` or ``uncompressed``.
    candidate : dict
        What was chosen, by parameter of the space.
    validation : float
    test : float or None
        Scores in the task's metric.
    predicted, measured : float
        Cycles per step.
    stored_bits : float
    mismatches, compared : int
        Of the RTL's integers with the golden model's.
    products : dict
        ``rank`` (0: whole), ``bits`` and ``density`` of each product.
    hidden : dict of int
        Hidden units of each layer.
    counters : dict of float
        Cycles per step by performance counter.
    spans : list of Span
        Ops of one step and of the one after it, where they were recorded.
    """

    name: str
    kind: str
    candidate: dict
    validation: float
    test: float | None
    predicted: float
    measured: float
    stored_bits: float
    mismatches: int
    compared: int
    products: dict[str, dict[str, float]]
    hidden: dict[str, int]
    counters: dict[str, float]
    spans: list[Span]

    def asked(self, product: str) -> float | None:
        """Return the density that the candidate asks for of a product; None where it asks for none.

        That of the product counts before that of its layer, and this before that of the network; the head is whole.
        """
        scopes = (product, product.partition(".")[0], "network") if product != "head" else ()
        return next(
            (self.candidate[f"{each}.density"] for each in scopes if f"{each}.density" in self.candidate),
            None,
        )

    @property
    def proven(self) -> bool:
        """Whether the RTL was compared and agrees, in its integers and its cycles."""
        return bool(self.compared) and not self.mismatches and self.predicted == self.measured


@dataclass(frozen=True)
class Target:
    """The best candidate behind a round, that the super network is trained towards."""

    round: int
    reward: float


def read_trials(rows: Rows) -> list[Trial]:
    """Take the trials out of rows, in order."""
    wanted = ["trial_score", "trial_reward", *(f"trial_{name}" for name in _COSTS)]
    names = [*wanted, "trial_cycles_measured", "trial_macs", "trial_seconds"]
    told = rows.lines(wanted[0], "trial", optional=("candidate",))
    candidates = {number: candidate or {} for _, number, candidate in told}
    found = []
    for (number, turn), values in rows.collect(names, "trial", "round").items():
        _need(rows, f"trial {number:g}", wanted, values)
        found.append(
            Trial(
                int(number),
                int(turn),
                values["trial_score"],
                values["trial_reward"],
                values["trial_cycles_predicted"],
                values.get("trial_cycles_measured"),
                values["trial_stored_bits"],
                values.get("trial_macs"),
                values.get("trial_seconds"),
                candidates[number],
            )
        )
    return sorted(found, key=lambda trial: trial.number)


def read_targets(rows: Rows) -> list[Target]:
    """Take the rounds' targets out of rows, in order."""
    targets = [Target(int(turn), reward) for reward, turn in rows.lines("round_target", "round")]
    return sorted(targets, key=lambda target: target.round)


def read_points(rows: Rows) -> list[Point]:
    """Take the finished points out of rows, from few to many cycles."""
    where = ("kind", "model")
    wanted = [f"point_{name}" for name in (*_COSTS, "cycles_measured", "mismatches", "integers_compared")]
    scores = _inner(rows, ["point_score"], where, "split")
    products = _inner(rows, ["point_rank", "point_bits", "point_density"], where, "product")
    hidden = _inner(rows, ["point_hidden"], where, "layer")
    counters = _inner(rows, ["point_counter"], where, "counter")
    candidates = {tuple(key): candidate for _, candidate, *key in rows.lines(wanted[0], "candidate", *where)}
    spans: dict[tuple, list[Span]] = {}
    told = ("op", "opcode", "unit", "first", "last")
    newer = ("issue", "what", "later")
    for _, kind, name, *span in rows.lines("point_op", *where, *told, optional=newer):
        op, opcode, unit, first, last, issue, what, later = span
        spans.setdefault((kind, name), []).append(
            Span(int(op), opcode, unit, first, last, issue, what or "", bool(later))
        )
    found = []
    for key, values in rows.collect(wanted, *where).items():
        kind, name = key
        known = {split: each["point_score"] for split, each in scores.get(key, {}).items()}
        _need(rows, f"{kind} point {name}", [*wanted, "validation"], values | known)
        if kind not in (FOUND, UNIFORM, UNCOMPRESSED):
            raise RunFolderError(f"{rows.source}: point {name} is of the unknown kind {kind!r}")
        found.append(
            Point(
                name,
                kind,
                candidates[key],
                known["validation"],
                known.get("test"),
                values["point_cycles_predicted"],
                values["point_cycles_measured"],
                values["point_stored_bits"],
                int(values["point_mismatches"]),
                int(values["point_integers_compared"]),
                {
                    product: {entry.removeprefix("point_"): value for entry, value in chosen.items()}
                    for product, chosen in products.get(key, {}).items()
                },
                {layer: int(each["point_hidden"]) for layer, each in hidden.get(key, {}).items()},
                {counter: each["point_counter"] for counter, each in counters.get(key, {}).items()},
                spans.get(key, []),
            )
        )
    return sorted(found, key=lambda point: (point.measured, point.name))


def _inner(
    rows: Rows, names: list[str], where: tuple[str, ...], inner: str
) -> dict[tuple, dict[str, dict[str, float]]]:
    """Return values by point and by what they belong to inside of it."""
    found: dict[tuple, dict[str, dict[str, float]]] = {}
    for (*key, place), values in rows.collect(names, *where, inner).items():
        found.setdefault(tuple(key), {})[place] = values
    return found


def _need(rows: Rows, what: str, names: list[str], values: Mapping[str, float]) -> None:
    """Check that all of some values are there, and that costs are above 0."""
    missing = [name for name in names if name not in values]
    if missing:
        raise RunFolderError(f"{rows.source}: {what} has no row {' and no '.join(missing)}")
    for name, value in values.items():
        if ("_cycles_" in name or name.endswith("_stored_bits")) and value <= 0:
            raise RunFolderError(f"{rows.source}: {what}: {name} must be above 0, not {value!r}")
