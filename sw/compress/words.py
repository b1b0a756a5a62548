"""Words of balanced patterns: what each contributes, and a network without some of them."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from gatewright.sw.compress.contribution import Contributions
from gatewright.sw.compress.pattern import Layout, layout
from gatewright.sw.network import LstmNetwork
from gatewright.sw.spec import CompressionSpec


@dataclass(frozen=True)
class Words:
    """The words of a matrix: a weight of every slot of every lane in one column step each.

    Parameters
    ----------
    layout : Layout
    order : int64 [slots, words, steps]
        Which depth of a slot each word holds: in the first are the weights that contribute most.
    present : bool [words, steps]
        False for words that hold zeros only.
    degree : float [words, steps]
        Contribution degree: share of what all words of the layer contribute.
    """

    layout: Layout
    order: Tensor
    present: Tensor
    degree: Tensor


@torch.no_grad()
def word_degrees(
    network: LstmNetwork, contributions: Contributions, spec: CompressionSpec
) -> dict[str, Words]:
    """Give the words of every matrix of the layers by name; the head, which is stored dense, has none.

    Parameters
    ----------
    network : LstmNetwork
    contributions : list
        As `contribution.contributions` gives them.
    spec : CompressionSpec
        Gives lanes and bits.
    """
    words, totals = {}, dict.fromkeys((f"layer{k}" for k in range(len(network.layers))), 0.0)
    for name, matrix in network.matrices().items():
        layer = name.split(".")[0]
        if layer not in totals:
            continue
        places = layout(name, matrix, spec)
        samples = torch.stack([places.cube(sample[name], 0.0) for sample in contributions])
        order = samples.abs().sum(dim=0).argsort(dim=1, descending=True)
        degree = samples.gather(2, order.expand(samples.shape)).sum(dim=1).abs().mean(dim=0)
        present = places.cube((matrix != 0).float(), 0.0).gather(1, order).any(dim=0)
        words[name] = Words(places, order, present, degree)
        totals[layer] += float(degree.sum())
    for name, each in words.items():
        # Of a layer that contributes nothing, all words have the degree 0.
        each.degree.div_(totals[name.split(".")[0]] or 1.0)
    return words


@torch.no_grad()
def drop_words(network: LstmNetwork, words: dict[str, Words], bound: float) -> tuple[LstmNetwork, int]:
    """Give a network without the words up to a degree, and how many went; every matrix keeps its best word."""
    small, dropped = copy.deepcopy(network), 0
    matrices = small.matrices()
    for name, each in words.items():
        kept = (each.degree > bound) | (each.degree == each.degree.max())
        dropped += int((each.present & ~kept).sum())
        matrices[name].mul_(each.layout.mask(each.order, kept))
    return small, dropped
