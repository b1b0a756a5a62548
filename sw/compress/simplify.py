"""Simplify a network by contribution degrees, as far as an accuracy requirement lets it and a volume needs it.

Source: CN108734266A (2018) drops the units of each layer that contribute least, until the requirement is met. Ours:
the kinds of units, the measures, that a round that fails is taken back and tried with half the share, and that it ends
as soon as the image in 8 bits is as small as it has to be: what is dropped below that only costs score.
"""

import copy
from collections.abc import Callable
from math import ceil

import torch
from torch import Tensor

from gatewright.progress import Progress, silent
from gatewright.sw.compress.contribution import Contributions, contributions
from gatewright.sw.compress.distillation import Distillation
from gatewright.sw.compress.pruning import retrain
from gatewright.sw.compress.rounds import Requirement, Round
from gatewright.sw.compress.sample import batches_of, sample_of
from gatewright.sw.compress.units import keep_units, removable, unit_degrees
from gatewright.sw.compress.words import drop_words, word_degrees
from gatewright.sw.models import FloatModel
from gatewright.sw.network import LstmNetwork
from gatewright.sw.settings import CompressSettings, SimplifySettings, Unit
from gatewright.sw.spec import uniform_spec
from gatewright.sw.tasks import Task

NAMES = {"hidden": "hidden units", "words": "words"}
"""What the units are called in the record."""


def simplify(
    task: Task,
    dense: FloatModel,
    requirement: Requirement,
    volume: Callable[[LstmNetwork], int | None],
    settings: CompressSettings,
    how: SimplifySettings,
    progress: Progress = silent,
) -> tuple[LstmNetwork, list[Round]]:
    """Drop what contributes least, round after round, and retrain after each, until the volume is met.

    Parameters
    ----------
    task : Task
    dense : FloatModel
        Start and teacher; left as it is.
    requirement : Requirement
        Score that every model kept has, and the volume that ends the rounds.
    volume : callable
        Bits of the image of a network, with all weights in the widest integers; None where it is too large for any.
    settings : CompressSettings
    how : SimplifySettings
    progress : Progress

    Returns
    -------
    network : LstmNetwork
        The last model that met the requirement: the start itself where no round did.
    rounds : list of Round
    """
    network, rounds = copy.deepcopy(dense.network).eval(), []
    batches, loss = batches_of(sample_of(task), dense), Distillation(dense, settings, task)
    size = volume(network)
    for unit in how.units:
        share = how.share
        while share >= how.least_share and (size is None or size > requirement.volume):
            degrees = contributions(network, how.degree, batches, loss)
            candidate, dropped = _WITHOUT[unit](network, degrees, share, how)
            if not dropped:
                break
            what = f"drop {dropped} {NAMES[unit]}"
            score = retrain(task, dense, candidate, settings, how.round_epochs, what, progress)
            passed, smaller = task.metric.meets(score, requirement.score), volume(candidate)
            rounds.append(
                Round(
                    "simplify", NAMES[unit], share, dropped, weight_count(candidate), score, smaller, passed
                )
            )
            if passed:
                network, size = candidate, smaller
            else:
                share /= 2
    return network, rounds


def weight_count(network: LstmNetwork) -> int:
    """Count the weights of all matrices that are not zero."""
    return sum(int(matrix.count_nonzero()) for matrix in network.matrices().values())


def _without_units(
    network: LstmNetwork, contributions: Contributions, share: float, how: SimplifySettings
) -> tuple[LstmNetwork, int]:
    """Drop hidden units. Each layer keeps whole quads of lanes busy: its units are rounded up to them."""
    degrees = unit_degrees(network, contributions, incoming=how.degree != "response")
    quads, may = how.lanes // 4, removable(network)
    pool = [degree for degree, allowed in zip(degrees, may, strict=True) if allowed]
    if not pool:
        return network, 0
    bound = _bound(torch.cat(pool), share)
    kept = []
    for degree, allowed in zip(degrees, may, strict=True):
        wanted = int((degree > bound).sum()) if allowed else len(degree)
        count = min(len(degree), quads * max(1, ceil(wanted / quads)))
        units = torch.zeros(len(degree), dtype=torch.bool)
        units[degree.topk(count).indices] = True
        kept.append(units)
    return keep_units(network, kept), sum(int((~units).sum()) for units in kept)


def _without_words(
    network: LstmNetwork, contributions: Contributions, share: float, how: SimplifySettings
) -> tuple[LstmNetwork, int]:
    """Drop words of columns, balanced for the settings' lanes and bits."""
    spec = uniform_spec(network, bits=how.pattern_bits, lanes=how.lanes)
    words = word_degrees(network, contributions, spec)
    return drop_words(
        network, words, _bound(torch.cat([each.degree[each.present] for each in words.values()]), share)
    )


_WITHOUT: dict[Unit, Callable[..., tuple[LstmNetwork, int]]] = {
    "hidden": _without_units,
    "words": _without_words,
}
"""What gives a network without the share of a kind of unit, over all layers, that contributes least; and how many."""


def _bound(degrees: Tensor, share: float) -> float:
    """Give the largest degree that goes with the lowest share of all."""
    count = int(share * len(degrees))
    return float(degrees.kthvalue(count).values) if count else -1.0
