"""The compiled loops of the golden model.

Numba's cache notices changes of this file only. So whatever is defined elsewhere reaches these functions as an
argument, never as a global: the program as rows of integers, the formats and shifts as `Machine`. Nothing here
checks an address; `gatewright.cosim.golden` has done so.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

INPUT, DENSE, SPARSE, CELL, LOGITS, OUTPUT = range(6)
"""First element of a program row: what it does. Its arguments follow from the third element on."""

ALWAYS, CARRIED, LAST = range(3)
"""Second element of a program row: in which steps it runs."""

ROW_LENGTH = 8
"""Elements of a program row: kernel, condition and up to six arguments."""


class Machine(NamedTuple):
    """Sizes of the accelerator, and the shifts (bits) and bounds (LSB) of its arithmetic."""

    lanes: int
    cell_lanes: int
    product_shift: int
    state_shift: int
    hidden_shift: int
    state_min: int
    state_max: int
    hidden_min: int
    hidden_max: int


class Memories(NamedTuple):
    """Memory contents, all flat.

    `weights` (int8) and `targets` (uint32) go word by word, all lanes of a word together. `accumulators` and
    `biases` (int32) go row by row, all lanes of a row together, which is the order of draining; a target is a
    position in `accumulators`. `activations` and `states` are int32; `sigmoid` and `tanh` (int32) hold the
    function of every value of `STATE`, from the lowest up.
    """

    weights: np.ndarray
    targets: np.ndarray
    biases: np.ndarray
    accumulators: np.ndarray
    activations: np.ndarray
    states: np.ndarray
    sigmoid: np.ndarray
    tanh: np.ndarray


@njit(cache=True, nogil=True)
def run_job(program, memory, machine, x, results, steps, fresh):
    """Run a program (int64 [ops, ROW_LENGTH]) for one sequence; takes x and fills results in stream order."""
    group = 4 * machine.cell_lanes
    taken = sent = 0
    for step in range(steps):
        first = fresh and step == 0
        for row in range(len(program)):
            kernel, when, a, b, c, d, e, f = program[row]
            if (when == CARRIED and first) or (when == LAST and step != steps - 1):
                continue
            if kernel == INPUT:
                memory.activations[a : a + b] = x[taken : taken + b]
                taken += b
            elif kernel == DENSE:
                start, size = d * machine.lanes, c * machine.lanes
                weights = memory.weights[start : start + b * size]
                _dense(weights, memory.activations[a : a + b], memory.accumulators, size, f)
            elif kernel == SPARSE:
                start, size = d * machine.lanes, c * machine.lanes
                weights = memory.weights[start : start + b * size]
                targets = memory.targets[e * machine.lanes : e * machine.lanes + b * size]
                _sparse(
                    weights, targets, memory.activations[a : a + b], memory.accumulators, c, machine.lanes, f
                )
            elif kernel == CELL:
                units = a * machine.cell_lanes
                states = memory.states[c * machine.cell_lanes : c * machine.cell_lanes + units]
                if first:
                    states[:] = 0
                _cell(
                    memory, memory.biases[b * group :], states, memory.activations[d : d + units], e, machine
                )
            elif kernel == LOGITS:
                for n in range(a):
                    results[sent + n] = memory.accumulators[n] + memory.biases[b * group + n]
                memory.accumulators[: -(-a // group) * group] = 0
                sent += a
            else:
                results[sent : sent + b] = memory.activations[a : a + b]
                sent += b


@njit(cache=True)
def _dense(weights, x, accumulators, size, shift):
    for column in range(len(x)):
        factor = np.int32(x[column] << shift)
        start = column * size
        for k in range(size):
            accumulators[k] += np.int32(weights[start + k]) * factor


@njit(cache=True)
def _sparse(weights, targets, x, accumulators, entries, lanes, shift):
    for column in range(len(x)):
        factor = np.int32(x[column] << shift)
        for start in range(column * entries * lanes, (column + 1) * entries * lanes, lanes):
            word = weights[start : start + lanes]
            target = targets[start : start + lanes]
            for lane in range(lanes):
                accumulators[target[lane]] += np.int32(word[lane]) * factor


@njit(cache=True)
def _cell(memory, biases, states, hidden, shift, m):
    for unit in range(len(states)):
        i = _gate(memory.accumulators, biases, 4 * unit, shift, m)
        f = _gate(memory.accumulators, biases, 4 * unit + 1, shift, m)
        g = _gate(memory.accumulators, biases, 4 * unit + 2, shift, m)
        o = _gate(memory.accumulators, biases, 4 * unit + 3, shift, m)
        kept = np.int64(memory.sigmoid[f]) * states[unit]
        added = _round_shift(np.int64(memory.sigmoid[i]) * memory.tanh[g], m.product_shift)
        c = min(max(_round_shift(kept + added, m.state_shift), m.state_min), m.state_max)
        h = _round_shift(np.int64(memory.sigmoid[o]) * memory.tanh[c - m.state_min], m.hidden_shift)
        states[unit] = c
        hidden[unit] = min(max(h, m.hidden_min), m.hidden_max)


@njit(cache=True)
def _gate(accumulators, biases, position, shift, m):
    """Drain one accumulator; gives its pre-activation as a position in the tables."""
    value = np.int64(accumulators[position]) + biases[position]
    accumulators[position] = 0
    return min(max(_round_shift(value, shift), m.state_min), m.state_max) - m.state_min


@njit(cache=True)
def _round_shift(value, shift):
    return (value + ((np.int64(1) << shift) >> 1)) >> shift
