"""Programs written by hand, and what they mean."""

from dataclasses import replace

import numpy as np

from gatewright.hw.compiler.image import Compiled, Image
from gatewright.hw.ops import ARGUMENTS, Op, Opcode, When
from gatewright.sw.numbers import ACCUMULATOR, STATE, Fixed, reference, round_shift


class Builder:
    """A program written by hand, and the memory contents that it refers to."""

    def __init__(self, config):
        self.config = config
        self.ops = []
        self.weights = np.zeros((config.lanes, 0), dtype=np.uint8)
        self.indices = np.zeros((config.lanes, 0), dtype=np.uint32)
        self.columns = np.zeros((0, 2), dtype=np.int64)
        self.biases = np.zeros((0, config.drain_lanes), dtype=np.int32)

    def op(self, opcode, when=When.ALWAYS, **arguments):
        self.ops.append(Op(opcode, dict.fromkeys(ARGUMENTS[opcode], 0) | arguments, when))

    def matvec(self, packed, when=When.ALWAYS, **arguments):
        bases = {"weight_base": self.weights.shape[1], "index_base": self.indices.shape[1]}
        self.weights = np.concatenate([self.weights, packed.weights], axis=1)
        self.indices = np.concatenate([self.indices, packed.indices], axis=1)
        if packed.table is not None:
            bases |= {"table": 1, "table_base": len(self.columns)}
            self.columns = np.concatenate([self.columns, packed.table])
        kind = {
            name: int(getattr(packed, name))
            for name in ("columns", "tail", "words", "split", "sparse", "private")
        }
        self.op(Opcode.MATVEC, when, **kind, **bases, **arguments)

    def bias(self, values):
        """Append biases; gives the first group."""
        width = self.config.drain_lanes
        groups = np.zeros((-(-len(values) // width), width), dtype=np.int32)
        groups.ravel()[: len(values)] = values
        self.biases = np.concatenate([self.biases, groups])
        return len(self.biases) - len(groups)

    def compiled(self):
        program = (*self.ops[:-1], replace(self.ops[-1], end=True))
        image = Image(self.weights, self.indices, self.columns, self.biases, program)
        macs = {"input": 0, "recurrent": 0, "head": 0}
        return Compiled(self.config, image, 1, 1, 0, Fixed(8, 0), "all", "none", macs)


class Interpreter:
    """The ops as `gatewright.hw.ops` documents them, word by word in plain Python."""

    def __init__(self, compiled):
        self.config, self.image = compiled.config, compiled.image
        config = self.config
        self.accumulators = np.zeros((2, config.accumulator_rows, config.lanes), dtype=object)
        self.activations = [0] * config.activation_depth
        self.states = [0] * (config.state_depth * config.cell_lanes)

    def run(self, x, fresh=True):
        self.stream, self.results, self.flags = iter(x.ravel().tolist()), [], []
        self.drained = []
        for step in range(len(x)):
            self.fresh = fresh and step == 0
            runs = {
                When.ALWAYS: True,
                When.CARRIED: not self.fresh,
                When.FIRST: step == 0,
                When.LAST: step == len(x) - 1,
                When.NOT_LAST: step < len(x) - 1,
            }
            for op in self.image.program:
                if runs[op.when]:
                    a = op.arguments
                    if "buffer" in a:
                        self.rows = self.accumulators[a["buffer"] ^ (a["alternate"] & step % 2)]
                    getattr(self, op.opcode.name.lower())(**a)
        return self.results, self.flags

    def input(self, destination, count):
        self.write(destination, [next(self.stream) for _ in range(count)])

    def output(self, source, count):
        start = source * self.config.lanes
        self.results += self.activations[start : start + count]

    def matvec(self, *, source, columns, words, weight_base, index_base, table_base, shift, split, sparse, table,
               private, tail, buffer, alternate, row):  # fmt: skip
        config, slots = self.config, 1 << split
        parts = config.lanes if private else config.groups
        for k in range(columns):
            offset, count = self.image.columns[table_base + k].tolist() if table else (words * k, words)
            start = source * config.lanes + k * parts
            vector = self.activations[start : start + parts]
            if not private:
                self.flags.append(any(vector[:tail] if tail and k == columns - 1 else vector))
            for lane in range(config.lanes):
                for n in range(count):
                    word = int(self.image.weights[lane, weight_base + offset + n])
                    for slot in range(slots):
                        bits = 8 // slots
                        weight = word >> bits * slot & (1 << bits) - 1
                        weight -= weight >> (bits - 1) << bits
                        place = n
                        if sparse:
                            width = config.slot_index_bits(slots)
                            index = int(self.image.indices[lane, index_base + offset + n])
                            place = index >> width * slot & (1 << width) - 1
                        x = vector[lane * parts // config.lanes]
                        self.rows[row | slots * place + slot, lane] += weight * x << shift

    def cell(self, *, groups, bias_base, state_base, destination, shift, buffer, alternate, row):
        config, hidden = self.config, []
        for unit in range(groups * config.cell_lanes):
            sums = [self.drain(4 * unit + gate, row, private=0) for gate in range(4)]
            bias = self.image.biases[bias_base:].ravel()[4 * unit : 4 * unit + 4].tolist()
            pre = [STATE.saturate((s + b) >> shift) for s, b in zip(sums, bias, strict=True)]
            place = state_base * config.cell_lanes + unit
            c = 0 if self.fresh else self.states[place]
            h, self.states[place] = reference.cell(*pre, c, config.hidden_format)
            hidden.append(h)
        for group in range(0, len(hidden), config.cell_lanes):
            self.drained.append([config.cell_lanes, hidden[group : group + config.cell_lanes].count(0)])
        self.write(destination, hidden)

    def reduce(self, *, count, bias_base, destination, shift, private, biased, send, buffer, alternate, row):
        sums = [self.drain(n, row, private) for n in range(count)]
        if biased:
            sums = [s + int(b) for s, b in zip(sums, self.image.biases[bias_base:].ravel(), strict=False)]
        if send:
            self.results += sums
        else:
            values = [self.config.hidden_format.saturate(round_shift(s, shift)) for s in sums]
            self.drained += [[1, int(value == 0)] for value in values]
            self.write(destination, values)

    def drain(self, n, row, private):
        width = self.config.group_lanes
        places = (row | n, slice(None)) if private else (row | n // width, slice(n % width, None, width))
        total = int(self.rows[places].sum())
        self.rows[places] = 0
        assert ACCUMULATOR.min <= total <= ACCUMULATOR.max
        return total

    def write(self, word, values):
        start = word * self.config.lanes
        self.activations[start : start + len(values)] = values
