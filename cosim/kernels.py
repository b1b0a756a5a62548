"""The compiled loops of the golden model.

Numba's cache notices changes of this file only. So whatever is defined elsewhere reaches these functions as an
argument, never as a global: the program as records, the formats and shifts as `Machine`. Nothing here
checks an address; `gatewright.cosim.program` has done so.

Lanes work in parts: those of a part multiply with the same element of a vector in one column step, and draining adds
the sums of all parts. In broadcast orientation the parts are the groups; in private orientation every lane is one.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

INPUT, DENSE, SPARSE, CELL, REDUCE, OUTPUT = range(6)
"""Field `kernel` of an op: what it does."""

ALWAYS, CARRIED, FIRST, LAST, NOT_LAST = range(5)
"""Field `when` of an op: in which steps it runs."""


class Machine(NamedTuple):
    """Sizes of the accelerator, and the shifts (bits) and bounds (LSB) of its arithmetic."""

    lanes: int
    groups: int
    cell_lanes: int
    product_shift: int
    state_shift: int
    hidden_shift: int
    state_min: int
    state_max: int
    activation_min: int
    activation_max: int


class Memories(NamedTuple):
    """Memory contents.

    `weights` (int8) are unpacked and flat: word by word, in a word slot by slot, in a slot lane by lane; the matrices
    one behind the other, the sparse ones first. `targets` (uint32) goes along with those: places in the op's region
    of `accumulators` (int32 [2, rows * lanes], all lanes of a row together). Column step k of an op has the weights
    from ``starts[first_step + k]`` to ``starts[first_step + k + 1]`` (uint64: Numba indexes faster by what cannot be
    negative). The others are flat int32; `sigmoid` and `tanh` hold the function of every value of `STATE`, from the
    lowest up.
    """

    weights: np.ndarray
    targets: np.ndarray
    starts: np.ndarray
    biases: np.ndarray
    accumulators: np.ndarray
    activations: np.ndarray
    states: np.ndarray
    sigmoid: np.ndarray
    tanh: np.ndarray


@njit(cache=True, nogil=True)
def run_job(program, memory, machine, x, results, flags, drained, steps, fresh):
    """Run a program for one sequence; takes x and fills results in stream order.

    `flags` (uint8) is empty or gets, for each column step of broadcast orientation in order, whether any of its
    elements is non-zero. `drained` (int64 [writes, 2]) is empty or gets, for each write of a
    drain op, the elements and the zeros among them.
    """
    operand = np.empty(machine.lanes, dtype=np.int32)
    sums = np.empty(memory.accumulators.shape[1], dtype=np.int32)
    taken = sent = flagged = wrote = 0
    for step in range(steps):
        first = fresh and step == 0
        for op in program:
            if not _runs(op.when, step, steps, first):
                continue
            accumulators = memory.accumulators[op.buffer ^ (op.alternate & step), op.row * machine.lanes :]
            if op.kernel == INPUT:
                start = op.destination * machine.lanes
                memory.activations[start : start + op.count] = x[taken : taken + op.count]
                taken += op.count
            elif op.kernel == DENSE or op.kernel == SPARSE:
                if len(flags) > 0 and not op.private:
                    _trace(op, memory, machine, flags[flagged : flagged + op.columns])
                    flagged += op.columns
                _matvec(op, memory, machine, accumulators, operand)
            elif op.kernel == CELL:
                _cell(op, memory, machine, accumulators, sums, first)
                wrote += _count(op, memory, machine, drained[wrote:], op.groups, machine.cell_lanes)
            elif op.kernel == REDUCE:
                sent += _reduce(op, memory, machine, accumulators, sums, results[sent:])
                if not op.send:
                    wrote += _count(op, memory, machine, drained[wrote:], op.count, 1)
            else:
                start = op.source * machine.lanes
                results[sent : sent + op.count] = memory.activations[start : start + op.count]
                sent += op.count


@njit(cache=True)
def _runs(when, step, steps, first):
    if when == CARRIED:
        return not first
    if when == FIRST:
        return step == 0
    if when == LAST:
        return step == steps - 1
    if when == NOT_LAST:
        return step != steps - 1
    return True


@njit(cache=True)
def _count(op, memory, machine, drained, writes, elements):
    """Count the zeros of each write of a drain op, if that is wanted; gives how many writes were counted."""
    if len(drained) == 0:
        return 0
    vector = memory.activations[op.destination * machine.lanes :]
    for write in range(writes):
        drained[write, 0] = elements
        drained[write, 1] = np.sum(vector[write * elements : (write + 1) * elements] == 0)
    return writes


@njit(cache=True)
def _trace(op, memory, machine, flags):
    vector = memory.activations[op.source * machine.lanes :]
    groups = machine.groups
    end = len(flags) * groups - (groups - op.tail if op.tail else 0)
    for step in range(len(flags)):
        flags[step] = np.any(vector[step * groups : min((step + 1) * groups, end)])


@njit(cache=True)
def _matvec(op, memory, machine, accumulators, operand):
    parts = machine.lanes if op.private else machine.groups
    vector = memory.activations[op.source * machine.lanes :][: op.columns * parts]
    starts = memory.starts[op.first_step :]
    # One factor for all lanes allows longer loops. Those over the steps are inside: a call costs as much as a step.
    if op.kernel == SPARSE:
        if parts == 1:
            _sparse_broadcast(memory.weights, memory.targets, starts, vector, op.shift, accumulators)
        else:
            _sparse(memory.weights, memory.targets, starts, vector, op.shift, accumulators, operand, parts)
    elif parts == 1:
        _dense_broadcast(memory.weights, starts, vector, op.shift, accumulators)
    else:
        _dense(memory.weights, starts, vector, op.shift, accumulators, operand, parts)


@njit(cache=True)
def _dense_broadcast(weights, starts, vector, shift, accumulators):
    for step in range(len(vector)):
        factor = np.int32(vector[step] << shift)
        if factor != 0:
            column = weights[starts[step] : starts[step + 1]]
            for place in range(len(column)):
                accumulators[place] += np.int32(column[place]) * factor


@njit(cache=True)
def _sparse_broadcast(weights, targets, starts, vector, shift, accumulators):
    for step in range(len(vector)):
        factor = np.int32(vector[step] << shift)
        if factor != 0:
            for place in range(starts[step], starts[step + 1]):
                accumulators[targets[place]] += np.int32(weights[place]) * factor


@njit(cache=True)
def _dense(weights, starts, vector, shift, accumulators, operand, parts):
    lanes = len(operand)
    for step in range(len(vector) // parts):
        if _spread(vector, step, shift, operand, parts):
            column = weights[starts[step] : starts[step + 1]]
            for start in range(0, len(column), lanes):
                row = column[start : start + lanes]
                target = accumulators[start : start + lanes]
                for lane in range(lanes):
                    target[lane] += np.int32(row[lane]) * operand[lane]


@njit(cache=True)
def _sparse(weights, targets, starts, vector, shift, accumulators, operand, parts):
    lanes = len(operand)
    for step in range(len(vector) // parts):
        if _spread(vector, step, shift, operand, parts):
            column = weights[starts[step] : starts[step + 1]]
            places = targets[starts[step] : starts[step + 1]]
            for start in range(0, len(column), lanes):
                row = column[start : start + lanes]
                target = places[start : start + lanes]
                for lane in range(lanes):
                    accumulators[target[lane]] += np.int32(row[lane]) * operand[lane]


@njit(cache=True)
def _spread(vector, step, shift, operand, parts):
    """Give every lane its element of a column step, shifted; tells whether any is not zero."""
    width = len(operand) // parts
    seen = np.int32(0)
    for part in range(parts):
        factor = np.int32(vector[step * parts + part] << shift)
        seen |= factor
        for lane in range(part * width, (part + 1) * width):
            operand[lane] = factor
    return seen != 0


@njit(cache=True)
def _cell(op, memory, machine, accumulators, sums, first):
    m = machine
    units = op.groups * m.cell_lanes
    biases = memory.biases[op.bias_base * 4 * m.cell_lanes :]
    states = memory.states[op.state_base * m.cell_lanes :][:units]
    hidden = memory.activations[op.destination * m.lanes :][:units]
    if first:
        states[:] = 0
    _drain(accumulators, sums, 4 * units, m.groups, m.lanes)
    for unit in range(units):
        i = _gate(sums, biases, 4 * unit, op.shift, m)
        f = _gate(sums, biases, 4 * unit + 1, op.shift, m)
        g = _gate(sums, biases, 4 * unit + 2, op.shift, m)
        o = _gate(sums, biases, 4 * unit + 3, op.shift, m)
        kept = np.int64(memory.sigmoid[f]) * states[unit]
        added = _round_shift(np.int64(memory.sigmoid[i]) * memory.tanh[g], m.product_shift)
        c = min(max(_round_shift(kept + added, m.state_shift), m.state_min), m.state_max)
        h = _round_shift(np.int64(memory.sigmoid[o]) * memory.tanh[c - m.state_min], m.hidden_shift)
        states[unit] = c
        hidden[unit] = min(max(h, m.activation_min), m.activation_max)


@njit(cache=True)
def _gate(sums, biases, value, shift, m):
    """Give a pre-activation as a position in the tables. The bias holds the rounding constant."""
    total = np.int32(sums[value] + biases[value])
    return min(max(np.int64(total >> shift), m.state_min), m.state_max) - m.state_min


@njit(cache=True)
def _reduce(op, memory, machine, accumulators, sums, results):
    """Drain plain values; gives how many of them went to the results."""
    m = machine
    _drain(accumulators, sums, op.count, m.lanes if op.private else m.groups, m.lanes)
    if op.biased:
        biases = memory.biases[op.bias_base * 4 * m.cell_lanes :]
        for value in range(op.count):
            sums[value] += biases[value]
    if op.send:
        results[: op.count] = sums[: op.count]
        return op.count
    destination = memory.activations[op.destination * m.lanes :]
    for value in range(op.count):
        rounded = _round_shift(np.int64(sums[value]), op.shift)
        destination[value] = min(max(rounded, m.activation_min), m.activation_max)
    return 0


@njit(cache=True)
def _drain(accumulators, sums, count, parts, lanes):
    """Add what all parts have of each value, and clear it."""
    width = lanes // parts
    for row in range((count + width - 1) // width):
        total = sums[row * width : min((row + 1) * width, count)]
        total[:] = 0
        for part in range(parts):
            start = row * lanes + part * width
            own = accumulators[start : start + len(total)]
            for value in range(len(total)):
                total[value] += own[value]
                own[value] = 0


@njit(cache=True)
def _round_shift(value, shift):
    return (value + ((1 << shift) >> 1)) >> shift
