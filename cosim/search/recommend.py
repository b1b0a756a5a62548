"""The point of a final front that is recommended: what it is, which targets it misses, and what builds it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gatewright.cosim.search.folder import StudyFolder
from gatewright.cosim.search.settings import SearchSettings
from gatewright.errors import shell_word
from gatewright.results import Row, read_rows
from gatewright.run import parallelism


@dataclass(frozen=True)
class MatrixChoice:
    """What a product of a model became.

    Parameters
    ----------
    name : str
        As `LstmNetwork.products` names it.
    rank : int or None
        Of its two factors; None where it is whole.
    bits : int
        Width of its weights.
    density : float
        Share of weights that are not zero.
    """

    name: str
    rank: int | None
    bits: int
    density: float


@dataclass(frozen=True)
class Recommendation:
    """The recommended point of a study.

    The best validation score among the points that meet all targets and limits, less what the reward takes off for
    costs beyond the search's own aims; where none meets them, the point that is the least beyond them. Of equals, the
    one of fewer cycles, then of fewer bits: no point beats it in all.

    Parameters
    ----------
    model : str
        Its name among `StudyFolder.points`.
    bundle : Path
        The integer model.
    validation, test : float
        Scores in the task's metric.
    metric, unit : str
        Of these.
    cycles : float
        Cycles per step, measured at RTL level.
    stored_bits : int
    hidden : tuple of int
        Hidden units of each layer.
    matrices : tuple of MatrixChoice
    missed : tuple of str
        The targets that were asked for and that it misses, a phrase each.
    floor : str
        What more cell lanes would save, where they would; else empty.
    command : str
        Builds its accelerator.
    """

    model: str
    bundle: Path
    validation: float
    test: float
    metric: str
    unit: str
    cycles: float
    stored_bits: int
    hidden: tuple[int, ...]
    matrices: tuple[MatrixChoice, ...]
    missed: tuple[str, ...]
    floor: str
    command: str

    @property
    def text(self) -> str:
        """What a user is told: its figures, rank and bits of every matrix, and the command that builds it."""
        lines = [
            f"recommended: {self.model}, validation {self.validation:.4g} {self.unit} {self.metric}, "
            f"{self.cycles:.1f} cycles per step, {self.stored_bits:,} stored bits",
            *(f"  misses: {text}" for text in self.missed),
            *([f"  {self.floor}"] if self.floor else []),
            *(
                f"  {each.name}: {'whole' if each.rank is None else f'rank {each.rank}'}, {each.bits} bits, "
                f"{100 * each.density:.3g} % of the weights"
                for each in self.matrices
            ),
            f"  hidden units: {', '.join(map(str, self.hidden))}",
            f"  {self.command}",
        ]
        return "\n".join(lines)


def recommended(root: Path) -> Recommendation | None:
    """Give the recommended point of a study; None while its front is not finished, or no point is feasible.

    Raises
    ------
    RunFolderError
        There is no study in the folder.
    """
    folder = StudyFolder.open(root)
    rows = read_rows(folder.front) if folder.front.exists() else []
    name = next((str(row.value) for row in rows if row.name == "recommended"), None)
    if name is None:
        return None
    own = [row for row in rows if row.parameters.get("model") == name]
    figures = _figures(own)
    products = [str(row.parameters["product"]) for row in own if row.name == "point_bits"]
    rank, bits, density = (_by(own, f"point_{kind}", "product") for kind in ("rank", "bits", "density"))
    score = next(row for row in own if row.name == "point_score")
    return Recommendation(
        model=name,
        bundle=folder.bundle(name),
        validation=figures["validation"],
        test=figures["test"],
        metric=str(score.parameters["metric"]),
        unit=score.unit,
        cycles=figures["point_cycles_measured"],
        stored_bits=int(figures["point_stored_bits"]),
        hidden=tuple(int(row.value) for row in own if row.name == "point_hidden"),
        matrices=tuple(
            MatrixChoice(each, int(rank[each]) or None, int(bits[each]), density[each]) for each in products
        ),
        missed=tuple(str(row.value) for row in own if row.name == "target_missed"),
        floor=next((str(row.value) for row in own if row.name == "point_floor"), ""),
        command=f"gatewright build {shell_word(root)} --point best"
        + parallelism(score.parameters["candidate"]),
    )


def recommendation_rows(
    rows: Sequence[Row], search: SearchSettings, seed: int, assumed: Collection[str] = ()
) -> list[Row]:
    """Choose the recommended one of the points of a front.

    Parameters
    ----------
    rows : sequence of Row
        Of the front's points.
    search : SearchSettings
        Gives the targets, and what being beyond them costs.
    seed : int
    assumed : collection of str
        Targets that nobody asked for, as `Plan` has them.

    Returns
    -------
    list of Row
        ``recommended``, its name, and ``target_missed`` for each target that was asked for and that it misses; none
        without points.
    """
    points: dict[str, list[Row]] = {}
    for row in rows:
        if row.parameters.get("kind") == "found" and row.name != "point_infeasible":
            points.setdefault(str(row.parameters["model"]), []).append(row)
    asked, aims = _asked_and_aims(search, assumed)
    judged = []
    for name, own in points.items():
        figures, sign = _figures(own), _sign(own)
        costs = figures["point_cycles_measured"], figures["point_stored_bits"]
        worth = sign * figures["validation"] - _penalty(figures, sign, aims)
        judged.append((_penalty(figures, sign, asked), -worth, *costs, name))
    if not judged:
        return []
    *_, best = min(judged)
    missed = _missed(_figures(points[best]), _sign(points[best]), asked)
    keys = ("point", "model", "kind", "candidate")
    at = {key: value for key, value in points[best][0].parameters.items() if key in keys}
    return [
        Row("recommended", "model", best, at, seed),
        *(Row("target_missed", "text", text, at, seed) for text in missed),
    ]


def _figures(rows: Sequence[Row]) -> dict[str, float]:
    """Give what a point is judged by; its scores by their split."""
    names = ("point_cycles_measured", "point_stored_bits")
    scores = {str(row.parameters["split"]): float(row.value) for row in rows if row.name == "point_score"}
    return scores | {row.name: float(row.value) for row in rows if row.name in names}


def _sign(rows: Sequence[Row]) -> int:
    """Tell whether more is better, as 1, or less, as -1."""
    return next(1 if row.parameters["better"] == "more" else -1 for row in rows if row.name == "point_score")


def _asked_and_aims(
    search: SearchSettings, assumed: Collection[str]
) -> tuple[SearchSettings, SearchSettings]:
    """Part the targets that were asked for from what the search aims at by itself."""
    aims: dict[str, Any] = {f"target_{name}": None for name in assumed}
    targets: dict[str, Any] = {f"target_{name}": None for name in ("cycles", "bits") if name not in assumed}
    return replace(search, **aims), replace(search, target_score=None, **targets)


def _penalty(figures: Mapping[str, float], sign: int, search: SearchSettings) -> float:
    """Give what the reward takes off for targets that a point misses: 0 where it meets all."""
    quality, wanted = sign * figures["validation"], search.target_score
    aimed = replace(search, target_quality=None if wanted is None else sign * wanted)
    return quality - aimed.reward(quality, figures["point_cycles_measured"], figures["point_stored_bits"])


def _missed(figures: Mapping[str, float], sign: int, search: SearchSettings) -> list[str]:
    missed = []
    wanted = search.target_score
    if wanted is not None and sign * (figures["validation"] - wanted) < 0:
        missed.append(f"validation score {figures['validation']:.6g}, {wanted:.6g} asked for")
    for what, name, target in (
        ("cycles per step", "point_cycles_measured", search.target_cycles),
        ("stored bits", "point_stored_bits", search.target_bits),
    ):
        if target is not None and figures[name] > target:
            missed.append(f"{figures[name]:,.6g} {what}, {target:,.6g} asked for")
    return missed


def _by(rows: Sequence[Row], name: str, key: str) -> dict[str, float]:
    return {str(row.parameters[key]): float(row.value) for row in rows if row.name == name}
