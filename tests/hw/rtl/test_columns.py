"""The front end against a model of its documented cycles."""

import random
from collections import deque

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory, MemoryData
from simulation import Simulation

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.rtl.column_layout import CREDITS, SLOTS
from gatewright.hw.rtl.columns import ColumnFrontEnd
from gatewright.hw.rtl.stages import ARRIVAL, FIRST_LOOK, REACH
from gatewright.sw.numbers import MAX_ALIGNMENT

CONFIG = AcceleratorConfig(
    lanes=16,
    groups=2,
    cell_lanes=1,
    narrowest_weight=2,
    column_depth=32,
    accumulator_rows=16,
    activation_depth=128,
)
ARGUMENTS = {
    "source": 0,
    "columns": 1,
    "words": 1,
    "weight_base": 0,
    "index_base": 0,
    "table_base": 0,
    "shift": 0,
    "split": 0,
    "sparse": 0,
    "table": 0,
    "private": 0,
    "tail": 0,
    "buffer": 0,
    "alternate": 0,
    "row": 0,
}


def matrix_op(*, skip=0, **arguments):
    assert set(arguments) <= set(ARGUMENTS)
    return {"arguments": ARGUMENTS | arguments, "skip": skip}


class Bench(wiring.Component):
    """The front end, with constant activations and a loaded column table."""

    def __init__(self, flags, table, config=CONFIG, *, baked=False):
        self.config, self.table, self.baked = config, table, baked
        contents = {"column": [[entry[part] for entry in table] for part in range(2)]}
        self.front = ColumnFrontEnd(config, contents if baked else None)
        self._flags = MemoryData(shape=config.lanes, depth=config.vectors, init=flags)
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        m.submodules.front = self.front
        m.submodules.flags = flags = Memory(self._flags)
        read = flags.read_port(domain="comb")
        m.d.comb += [read.addr.eq(self.front.scan.word), self.front.scan.nonzero.eq(read.data)]
        return m

    async def load(self, ctx):
        if self.baked:
            return
        port = self.front.table
        for entry, pair in enumerate(self.table):
            for bit, value in enumerate(pair):
                ctx.set(port.enable, 1 << bit)
                ctx.set(port.offset, entry)
                ctx.set(port.data, value)
                await ctx.tick()
        ctx.set(port.enable, 0)


class Model:
    """The documented behaviour, cycle by cycle."""

    def __init__(self, flags, table, config=CONFIG):
        self.config, self.flags, self.table = config, flags, table
        # The op that the scanner has, and from when on its words come to the choice; that of the choice.
        self.scanned, self.begin, self.current = None, 0, None
        self.told, self.skipped = deque([{}] * REACH), deque([0, 0])
        self.moving, self.queue = deque(), deque()
        self.events = deque([(False, False, None)])
        # Columns that are gone, and that were in the cycle before: a credit comes back a cycle later. A column of no
        # words is gone when it would be at `o`, and dropped in the cycle behind: the slot of its op.
        self.selections, self.gone, self.returned, self.dropping = 0, 0, 0, None

    def step(self, cycle, op, ready, progress):
        """Run one cycle; give what the outputs show in it."""
        offered = self.scanned is None
        entering = op if offered and op is not None and op["arguments"]["columns"] else None
        selected, finished, late = None, False, False
        skipped = self.skipped.popleft()
        self.skipped.append(0)
        self.told.append(progress)
        told = self.told.popleft()
        outstanding = self.selections - self.returned
        self.returned = self.gone
        if self.current is not None:
            selected, finished, late = self._choose(*self._limits(told), outstanding < CREDITS)
        waiting, slot = late and outstanding == 0, self.current and self.current["slot"]
        dropped, self.dropping = self.dropping, None
        if self.moving and self.moving[0][0] + ARRIVAL == cycle:
            column = self.moving.popleft()[1]
            if column["words"]:
                self.queue.append(column)
            else:
                self.dropping = column["slot"]
                self.gone += 1
        offer = self.queue[0] if self.queue else None
        if offer is not None and ready:
            self.queue.popleft()
            self.gone += 1
        if selected is not None:
            self.selections += 1
            self.moving.append((cycle, self._column(selected)))
        if finished:
            self.current = None
        if self.current is None and self.scanned is not None and cycle + 1 >= self.begin:
            self.current, self.done = self.scanned, 0
        if self.scanned is not None and self.current is self.scanned and self._is_scanned():
            self.scanned = None
        if entering is not None:
            self.scanned, self.begin = dict(entering), cycle + FIRST_LOOK
        self.events.append((selected is not None, finished, slot))
        was_selected, was_finished, its_slot = self.events.popleft()
        return {
            "ready": offered,
            "selected": was_selected,
            "finished": was_finished,
            "selected_slot": its_slot if was_selected or was_finished else None,
            "dropped_slot": dropped,
            "waiting": waiting,
            "skipped": skipped,
            "column": offer,
        }

    def _limits(self, told):
        """Give the elements of the current op's vector that are announced and written."""
        return told.get(self.current["arguments"]["source"], (1 << 16, 1 << 16))

    def _word(self):
        """Give the elements of a step, the end of the current word's steps, and whether zeros are passed over."""
        op, lanes = self.current["arguments"], self.config.lanes
        elements = lanes if op["private"] else self.config.groups
        word_steps = lanes // elements
        end = min(op["columns"], (self.done // word_steps + 1) * word_steps)
        return elements, end, self.current["skip"] and not op["private"]

    def _is_scanned(self):
        """Tell whether the current op's last word is next, or has come to the choice, and known to be complete."""
        columns = self.current["arguments"]["columns"]
        elements, end, skip = self._word()
        word_steps = self.config.lanes // elements
        before = (columns - 1) // word_steps * word_steps
        seen, limit = (self._limits(told)[skip] // elements for told in list(self.told)[:2])
        return end + word_steps >= columns and seen >= before and limit >= columns

    def _choose(self, announced, written, room):
        """Give the step that is selected, or None, whether the op is finished, and whether its producer is late.

        `self.done` steps are behind us.
        """
        op = self.current["arguments"]
        elements, end, skip = self._word()
        for step in range(self.done, end):
            if (step + 1) * elements > (written if skip else announced):
                return None, False, True
            if not skip or self._nonzero(op, step):
                if not room:
                    return None, False, False
                self.skipped[-1] = step - self.done
                self.done = step + 1
                return step, self.done == op["columns"], False
        self.skipped[-1] = end - self.done
        self.done = end
        return None, end == op["columns"], False

    def _nonzero(self, op, step):
        element = step * self.config.groups
        flags = self.flags[op["source"] + element // self.config.lanes] >> element % self.config.lanes
        there = op["tail"] if op["tail"] and step == op["columns"] - 1 else self.config.groups
        return flags & ((1 << there) - 1) != 0

    def _column(self, step):
        op = self.current["arguments"]
        offset, words = step * op["words"], op["words"]
        if op["table"]:
            offset, words = self.table[op["table_base"] + step]
        word_steps = 1 if op["private"] else self.config.group_lanes
        return {
            "weight": (op["weight_base"] + offset) % self.config.weight_depth,
            "index": (op["index_base"] + offset) % self.config.index_depth,
            "words": words,
            "word": op["source"] + step // word_steps,
            "step": step % word_steps,
            "slot": self.current["slot"],
            **{name: op[name] for name in ("shift", "split", "sparse", "private", "buffer", "row")},
        }


def random_op(rng):
    private = rng.random() < 0.25
    table = rng.random() < 0.3
    return matrix_op(
        skip=rng.random() < 0.6,
        source=rng.randrange(4),
        columns=rng.choice(
            [0, 1, 2, rng.randrange(1, 5)] if private else [0, 1, 7, 8, 9, 16, rng.randrange(30)]
        ),
        words=rng.choice([0, 1, 1, 2, 5, 16]),
        weight_base=rng.randrange(4096),
        index_base=rng.randrange(1024),
        table=table,
        table_base=rng.randrange(3),
        private=private,
        tail=rng.randrange(CONFIG.groups),
        shift=rng.choice([0, 1, 8, MAX_ALIGNMENT]),
        split=rng.randrange(3),
        sparse=rng.randrange(2),
        buffer=rng.randrange(2),
        row=rng.choice([0, 8, 15]),
    )


def check(seed, ops, *, flags=None, stalls=0.0, gaps=0.0, pace=None, cycles=300, baked=False):
    """Hold the front end against the model.

    `pace` is the chance that a producer's vector grows by an element in a cycle.
    Gives what was seen in each cycle.
    """
    rng = random.Random(seed)
    flags = flags or [rng.choice([0, 0xFFFF, rng.getrandbits(16) & rng.getrandbits(16)]) for _ in range(8)]
    table = [(rng.randrange(4096), rng.choice([0, 0, 1, 2, 16])) for _ in range(32)]
    bench, model = Bench(flags, table, baked=baked), Model(flags, table)
    simulation, front = Simulation(bench, limit=1000), bench.front
    history = []

    async def testbench(ctx):
        await bench.load(ctx)
        todo, elements = deque(ops), 0
        vector = ops[0]["arguments"]["source"]
        for cycle in range(cycles):
            offer = todo[0] if todo and rng.random() >= gaps else None
            ready = rng.random() >= stalls
            ctx.set(front.ops.valid, offer is not None)
            slot = rng.randrange(SLOTS)
            ctx.set(front.slot, slot)
            if offer is not None:
                ctx.set(front.ops.payload, offer)
                offer = offer | {"slot": slot}
            ctx.set(front.o.ready, ready)
            chained = pace is not None and elements < 40
            if chained:
                elements += rng.random() < pace
                written = max(0, elements - 2)
                state = {"active": 1, "vector": vector, "announced": elements, "written": written}
                ctx.set(front.input if seed % 2 else front.drained, state)
            else:
                ctx.set(front.input if seed % 2 else front.drained, {"active": 0})
                written = 0

            limits = {vector: (elements, written)} if chained else {}
            expected = model.step(cycle, offer, ready, limits)
            (
                *_,
                taken,
                selected,
                finished,
                its,
                dropped,
                whose,
                waiting,
                skipped,
                valid,
                column,
            ) = await ctx.tick().sample(
                front.ops.ready,
                front.selected,
                front.finished,
                front.selected_slot,
                front.dropped,
                front.dropped_slot,
                front.waiting,
                front.skipped,
                front.o.valid,
                front.o.payload,
            )
            got = {
                "ready": bool(taken),
                "selected": bool(selected),
                "finished": bool(finished),
                "selected_slot": its if selected or finished else None,
                "dropped_slot": whose if dropped else None,
                "waiting": bool(waiting),
                "skipped": skipped,
                "column": {name: getattr(column, name) for name in expected["column"] or ()}
                if valid
                else None,
            }
            assert got == expected, f"cycle {cycle}: {got} instead of {expected}"
            history.append(got)
            if offer is not None and taken:
                todo.popleft()
        assert not todo

    simulation.add(testbench)
    simulation.run()
    return history


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "conditions",
    [{}, {"stalls": 0.6}, {"gaps": 0.8}, {"pace": 0.4}, {"pace": 0.9, "stalls": 0.3, "gaps": 0.3}],
)
def test_every_cycle_is_as_documented(seed, conditions):
    rng = random.Random(seed)
    history = check(seed, [random_op(rng) for _ in range(10)], cycles=400, **conditions)
    assert sum(cycle["selected"] for cycle in history) > 10


def test_a_baked_table_is_as_good_as_a_loaded_one():
    rng = random.Random(5)
    check(
        5,
        [matrix_op(table=1, table_base=base, columns=rng.randrange(1, 20)) for base in range(4)],
        baked=True,
    )


def test_a_column_takes_the_documented_cycles_and_columns_follow_without_a_gap():
    ops = [matrix_op(columns=columns) for columns in (5, 1, 1, 3)]
    selections = [4, 5, 6, 7, 8, 9, 13, 17, 18, 19]
    history = check(0, ops, cycles=selections[-1] + ARRIVAL + 1)
    assert [cycle - 1 for cycle, seen in enumerate(history) if seen["selected"]] == selections
    offers = [cycle for cycle, seen in enumerate(history) if seen["column"] is not None]
    assert offers == [cycle + ARRIVAL for cycle in selections]


def test_zero_steps_go_by_a_word_per_cycle():
    zero_words = matrix_op(columns=40, skip=1)
    history = check(0, [zero_words], flags=[0, 0, 0, 0, 1 << 15, 0, 0, 0], cycles=12)
    assert [cycle["skipped"] for cycle in history] == [0, 0, 0, 0, 0, 0, 8, 8, 8, 8, 7, 0]
    assert [cycle["selected"] for cycle in history].index(True) == 9
    assert [cycle["finished"] for cycle in history].index(True) == 9
