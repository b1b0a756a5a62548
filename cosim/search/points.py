"""The points of the final front, chosen among the trials, and those that it is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2
from typing import Literal

from gatewright.cosim.search.evaluation import Evaluation
from gatewright.cosim.search.folder import Plan
from gatewright.cosim.search.pareto import choose, pareto
from gatewright.cosim.search.records import Record
from gatewright.sw.models import FloatModel
from gatewright.sw.search.space import Candidate, SearchSpace
from gatewright.sw.spec import WEIGHT_BITS, CompressionSpec, uniform_spec

Kind = Literal["found", "uniform", "uncompressed"]
"""Found by the search; set by hand, with one rank and width for all; or whole matrices in 8 bits."""

_UNIFORM_RANKS: tuple[int | None, ...] = (8, 16, 32, 64, None)


@dataclass(frozen=True)
class Point:
    """A model of the final front, or one that it is compared with.

    Parameters
    ----------
    name : str
        ``p0``, ``p1`` and so on are found, ``uniform0`` and so on set by hand.
    kind : "found", "uniform" or "uncompressed"
    candidate : Candidate
        What was chosen; of a model set by hand what it has in common with one.
    spec : CompressionSpec
    """

    name: str
    kind: Kind
    candidate: Candidate
    spec: CompressionSpec


def front(records: Sequence[Record], count: int, space: SearchSpace) -> list[Candidate]:
    """Choose at most `count` candidates of the Pareto front of finished trials, spread over it.

    The best quality is the first, the largest reward the second; then always the one that adds the most hypervolume,
    with cycles and bits on a logarithmic scale, so that candidates of little use come last. Of a model's results the
    last counts. The uncompressed model, which is trained beside all points, is one only where there is no other.
    """
    found = {
        space.key(each.candidate): (each.candidate, each.found)
        for each in records
        if isinstance(each.found, Evaluation)
    }
    if not found:
        return []
    candidates, evaluations = zip(*found.values(), strict=True)
    points = [(cost, log2(cycles), log2(bits)) for cost, cycles, bits in (each.point for each in evaluations)]
    whole, keys = space.uncompressed_key, list(found)
    best = sorted(pareto(points), key=lambda k: points[k])
    best = [k for k in best if keys[k] != whole] or best
    ends = [max(points[k][axis] for k in best) + margin for axis, margin in enumerate((1e-9, 1.0, 1.0))]
    rewards = [each.reward for each in evaluations]
    rewarded = max(range(len(best)), key=lambda k: rewards[best[k]])
    chosen = choose([points[k] for k in best], ends, count, dict.fromkeys((0, rewarded)))
    return [candidates[best[k]] for k in chosen]


def uniform_points(dense: FloatModel, plan: Plan) -> list[Point]:
    """Give what a search must beat: the uncompressed 8-bit model, and one rank and width for all, without pruning.

    A rank counts where two factors of it have fewer weights than the whole; equal models come once.
    """
    whole = plan.space.uncompressed
    points = {repr(whole): Point("uncompressed", "uncompressed", _uniform(None, max(WEIGHT_BITS)), whole)}
    for rank in reversed(_UNIFORM_RANKS):
        for bits in sorted(WEIGHT_BITS, reverse=True):
            spec = uniform_spec(
                dense.network, 1.0, bits, whole.lanes, rank, whole.activation_bits, whole.columns
            )
            name = f"uniform{len(points) - 1}"
            points.setdefault(repr(spec), Point(name, "uniform", _uniform(rank, bits), spec))
    return list(points.values())


def _uniform(rank: int | None, bits: int) -> Candidate:
    return {"network.rank": rank, "network.bits": bits, "network.density": 1.0}
