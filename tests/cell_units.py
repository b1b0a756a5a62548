"""LSTM units for tests of the cell units: of every scale, near zero, at ties, and at the extremes."""

import itertools
import random

from gatewright.sw.numbers import ACCUMULATOR, GATE, STATE, round_shift, sigmoid, tanh
from gatewright.sw.numbers.reference import PRODUCT_SHIFT, cell, requantise


def rounding(shift):
    """Give what the stored bias holds besides the bias."""
    return (1 << shift) >> 1


def expected(unit, hidden):
    accumulators, shift, state = unit
    return cell(*(requantise(a, shift, STATE) for a in accumulators), state, hidden)


def random_units(seed, count):
    """Units of every scale: mostly around the range of `STATE`, often at ties, sometimes at the extremes."""
    rng = random.Random(seed)

    def accumulator(shift):
        kind = rng.random()
        highest = ACCUMULATOR.max - rounding(shift)
        if kind < 0.1:
            return rng.choice([ACCUMULATOR.min, highest, 0, -1])
        value = rng.randint(STATE.min - 100, STATE.max + 100)
        low = rounding(shift) if kind < 0.4 else rng.randrange(1 << shift)
        return max(ACCUMULATOR.min, min(highest, (value << shift) + low))

    units = []
    for _ in range(count):
        shift = rng.choice([0, 1, 3, 7, 12, 16, 31, rng.randrange(32)])
        state = rng.choice([STATE.min, STATE.max, 0, rng.randint(STATE.min, STATE.max)])
        units.append(([accumulator(shift) for _ in range(4)], shift, state))
    return units


def small_units(seed, count):
    """Units near zero, where c and h are small and each rounding shows in the last bit."""
    rng = random.Random(seed)
    return [([rng.randint(-6000, 6000) for _ in range(4)], 0, rng.randint(-3000, 3000)) for _ in range(count)]


def decisive_units(seed, count):
    """Units where c turns on the last bit of i·g rounded to the scale of f·c, up or down."""
    rng = random.Random(seed)
    modulus = 1 << GATE.frac
    units = []
    while len(units) < count:
        i, f, g, o = (rng.randint(-5000, 5000) for _ in range(4))
        forget = sigmoid(f)
        if forget % 2:
            added = round_shift(sigmoid(i) * tanh(g), PRODUCT_SHIFT)
            boundary = rng.choice([0, -1]) - added - modulus // 2
            state = boundary * pow(forget, -1, modulus) % modulus
            units.append(([i, f, g, o], 0, rng.choice([state, state - modulus])))
    return units


def extreme_units():
    """Every combination of extreme pre-activations and states: the largest totals in both directions."""
    ends = [ACCUMULATOR.min, ACCUMULATOR.max]
    return [
        (list(accumulators), 0, state)
        for accumulators in itertools.product(ends, repeat=4)
        for state in (STATE.min, STATE.max, 0)
    ]
