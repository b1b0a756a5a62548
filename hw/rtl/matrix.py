"""The matrix engine: the lanes, and what feeds and empties them."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, flipped
from amaranth.utils import exact_log2

from gatewright.hw.config import WEIGHT_BITS, AcceleratorConfig
from gatewright.hw.memories import Contents
from gatewright.hw.rtl.activations import producer_port, scan_port, values_port, vector_bits
from gatewright.hw.rtl.checks import checks, never
from gatewright.hw.rtl.column_layout import CREDITS, MATRIX_OP, SLOTS
from gatewright.hw.rtl.columns import ColumnFrontEnd
from gatewright.hw.rtl.lane import Lane
from gatewright.hw.rtl.loader import load_members, model_memory
from gatewright.hw.rtl.pipeline import delay
from gatewright.hw.rtl.stages import ADD, ADDRESS, ALIGNED, OPERANDS, READ, RETIRE, ROW, WRITE, WRITE_LEAD


def matrix_slots(config: AcceleratorConfig) -> data.ArrayLayout:
    """What the matrix ops under way use: the vector that they read and the buffer that they add to."""
    return data.ArrayLayout(
        data.StructLayout({"active": 1, "vector": vector_bits(config), "buffer": 1}), SLOTS
    )


def drain_port(config: AcceleratorConfig) -> wiring.Signature:
    """Signature of reading and clearing accumulators.

    While `reading`, no op adds to buffer `buffer`. With `enable`, which needs it, row `row` of the buffer is read and
    cleared in the lanes l with ``(((l % group_lanes) ^ lane) & mask) == 0``; `SUM_READ` cycles later it is in `values`,
    where all others are zero. With `clear_all`, row `row` of both buffers of every lane is cleared, of
    `accumulator_depth` rows. Who addresses a cleared row two cycles later finds zero.
    """
    lane_bits = exact_log2(config.group_lanes)
    return wiring.Signature(
        {
            "reading": Out(1),
            "enable": Out(1),
            "clear_all": Out(1),
            "buffer": Out(1),
            "row": Out(range(config.accumulator_depth)),
            "lane": Out(lane_bits),
            "mask": Out(lane_bits),
            "values": In(data.ArrayLayout(signed(config.accumulator_bits), config.lanes)),
        }
    )


class MatrixEngine(wiring.Component):
    """Run `Opcode.MATVEC`, and hold the accumulators.

    `ColumnFrontEnd` says in which cycles columns are selected. The lanes take a column's words one per cycle, with no
    gap between columns: the first word's address is on the lanes in the cycle after the column was taken from
    the front end, that is in cycle s + `ARRIVAL` + `TAKE` at the earliest for a column selected in cycle s. It is taken
    in the cycle of the last word of the column before, or at once when there is none. With an empty engine, an op
    accepted in cycle c whose vector is complete has its first word in cycle c + `FIRST_WORD`.

    What happens to a word from then on, `stages` tells. An op holds a slot from the cycle after it was accepted until
    the choice is done with it (free two cycles later) and the last word of each of its columns is past cycle `RETIRE`,
    whichever is later. For a dropped column it is the cycle after. A drain op accepted later than the first cycle in
    which the slot is free finds the sums complete.
    `ops` is ready when no op waits in the front end and, in the cycle before, a slot was free.

    Parameters
    ----------
    config : AcceleratorConfig
    contents : Contents, optional
        What the memories hold, if they are not loaded.

    Members
    -------
    ops : In(stream of MATRIX_OP)
    slots : Out(matrix_slots(config))
    idle : Out(1)
        No op is under way and every product is in its accumulator.
    multiplying : Out(1)
        The multipliers hold valid operands.
    starved : Out(1)
        The lanes have no column, nor is one on its way, because the next one waits for its producer.
    skipped : Out
        Column steps that were passed over as zero, two cycles before.
    input, drained : In(producer_port(config))
    scan : Out(scan_port(config))
    values : Out(values_port(config))
    drain : In(drain_port(config))
        Only for accumulators that are complete, and that no op adds to until they are cleared.
    weights, indices : In(load_port(lanes))
    columns : In(load_port(2))
        Write access to the memories, unless they are baked; the column table has offset and count.
    """

    ops: stream.Interface

    def __init__(self, config: AcceleratorConfig, contents: Contents | None = None):
        self.config = config
        self.contents = contents
        super().__init__(
            {
                "ops": In(stream.Signature(MATRIX_OP)),
                "slots": Out(matrix_slots(config)),
                "idle": Out(1),
                "multiplying": Out(1),
                "starved": Out(1),
                "skipped": Out(range(config.group_lanes + 1)),
                "input": In(producer_port(config)),
                "drained": In(producer_port(config)),
                "scan": Out(scan_port(config)),
                "values": Out(values_port(config)),
                "drain": In(drain_port(config)),
                **load_members({"weights": config.lanes, "indices": config.lanes, "columns": 2}, contents),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        m.submodules.front = front = ColumnFrontEnd(config, self.contents)
        wiring.connect(m, front.scan, flipped(self.scan))
        if not self.contents:
            wiring.connect(m, flipped(self.columns), front.table)

        # Cycle 0 of the lanes: one word of a column.
        column = Signal(front.o.payload.shape(), reset_less=True)
        number = Signal(config.row_bits, reset_less=True)
        valid, last = Signal(), Signal()
        m.d.comb += front.o.ready.eq(~valid | last)
        with m.If(front.o.ready):
            m.d.sync += [
                column.eq(front.o.payload),
                last.eq(front.o.payload.words == 1),
                number.eq(0),
                valid.eq(front.o.valid),
            ]
        with m.Else():
            m.d.sync += [
                column.weight.eq(column.weight + 1),
                column.index.eq(column.index + 1),
                column.words.eq(column.words - 1),
                last.eq(column.words == 2),
                number.eq(number + 1),
            ]

        valids = [valid]
        for _ in range(WRITE):
            valids.append(delay(m, valids[-1], 1, reset_less=False))
        retired = delay(m, valid & last, RETIRE, reset_less=False)
        self._keep_slots(m, front, retired, delay(m, column.slot, RETIRE))
        m.d.comb += [
            front.input.eq(self.input),
            front.drained.eq(self.drained),
            self.skipped.eq(front.skipped),
            self.starved.eq(front.waiting & ~valid),
            self.multiplying.eq(valids[OPERANDS]),
            self.idle.eq(~Cat(valids[OPERANDS:], (slot.active for slot in self.slots)).any()),
        ]

        operands = self._operands(m, column)
        rows = delay(m, self._dense_rows(m, column.split, number), ROW)
        split, sparse = delay(m, column.split, ROW), delay(m, column.sparse, ROW)
        base, buffer = delay(m, column.row, ROW), delay(m, column.buffer, ROW)
        weight, index = delay(m, column.weight, ADDRESS), delay(m, column.index, ADDRESS)
        quartered = delay(m, split == 2, ADD - ROW)
        drained = Cat(self.drain.reading & ~self.drain.buffer, self.drain.reading & self.drain.buffer)
        drained |= self.drain.clear_all.replicate(2)
        selected = self._selected()
        shared = self._shared_memories(m, weight, index) if config.single_port else {}
        for number, operand in enumerate(operands):
            m.submodules[f"lane{number}"] = lane = Lane(config, self._contents_of(number))
            if config.single_port:
                m.d.comb += [getattr(lane, name).eq(words[number]) for name, words in shared.items()]
            else:
                self._connect_memories(m, lane, number, weight, index)
            m.d.comb += [
                lane.split.eq(split),
                lane.sparse.eq(sparse),
                lane.rows.eq(rows),
                lane.accumulate.eq(valids[ROW]),
                lane.base.eq(base[exact_log2(config.banks) :]),
                lane.buffer.eq(buffer),
                lane.operand.eq(operand),
                lane.quartered.eq(quartered),
                lane.drain.eq(drained),
                lane.drain_row.eq(self.drain.row),
                lane.selected.eq(selected[number % config.group_lanes]),
                self.drain.values[number].eq(lane.value),
            ]
        self._check_reads(m, valid, column)
        self._check_drain(m, valids[ROW:WRITE], buffer, drained)
        return m

    def _connect_memories(self, m: Module, lane: Lane, number: int, weight: Value, index: Value) -> None:
        """Give a lane with memories of its own the addresses of cycle `ADDRESS`, and let them be loaded."""
        m.d.comb += [lane.weight_address.eq(weight), lane.index_address.eq(index)]
        if not self.contents:
            for port, inner in ((self.weights, lane.weights), (self.indices, lane.indices)):
                m.d.comb += [
                    inner.enable.eq(port.enable[number]),
                    inner.offset.eq(port.offset),
                    inner.data.eq(port.data),
                ]

    def _shared_memories(self, m: Module, weight: Value, index: Value) -> dict[str, Value]:
        """Add the memories that serve all lanes; give what each has at the address of cycle `ADDRESS`, a cycle later.

        A port that reads and writes is free to write: nothing is loaded while a job runs.
        """
        config, contents = self.config, self.contents
        words = {}
        for name, bits, depth, address, load in (
            ("weight", WEIGHT_BITS, config.weight_depth, weight, "weights"),
            ("index", config.index_bits, config.index_depth, index, "indices"),
        ):
            if depth:
                shape = data.ArrayLayout(bits, config.lanes)
                source = contents[name][0] if contents else getattr(self, load)
                words[name] = model_memory(m, f"{name}_memory", shape, depth, address, source, style="huge")
        return words

    def _check_reads(self, m: Module, valid: Value, column) -> None:
        """Check that a column's activations are read when they are written, by their producer's count."""
        lanes, groups = self.config.lanes, self.config.groups
        vector = Signal.like(column.word)
        with checks(m).Switch(column.slot):
            for name, slot in enumerate(self.slots):
                with checks(m).Case(name):
                    checks(m).d.comb += vector.eq(slot.vector)
        end = (column.word - vector)[: len(vector)] * lanes
        end += Mux(column.private, lanes, column.step * groups + groups)
        for unit, producer in (("input", self.input), ("drained", self.drained)):
            written = delay(checks(m), producer.written, WRITE_LEAD)
            unwritten = producer.active & (producer.vector == vector) & (end > written)
            never(m, f"activations read before {unit} wrote them", valid & unwritten)

    def _check_drain(self, m: Module, words: list[Value], buffer: Value, drained: Value) -> None:
        """Check that no word is on its way to a buffer while it is drained, or begins in the cycle behind."""
        conflicts = words[0] & delay(checks(m), drained, 1, reset_less=False).bit_select(buffer, 1)
        for word in words:
            conflicts |= word & drained.bit_select(buffer, 1)
            buffer = delay(checks(m), buffer, 1)
        never(m, "a word added to a buffer that is drained", conflicts)
        never(m, "a row drained without reading its buffer", self.drain.enable & ~self.drain.reading)
        never(m, "all rows cleared while ops are under way", self.drain.clear_all & ~self.idle)

    def _contents_of(self, lane: int) -> Contents | None:
        """Give what the memories of one lane hold, if it has any that are not loaded."""
        if self.contents is None or self.config.single_port:
            return None
        return {name: self.contents[name][lane : lane + 1] for name in ("weight", "index")}

    def _keep_slots(self, m: Module, front: ColumnFrontEnd, retired: Value, retired_slot: Value) -> None:
        """Hand out slots, and free each when its op has left the front end and its last column has retired."""
        # A free slot, of the cycle before: an op that was accepted in it makes the front end wait.
        room = Signal()
        m.d.sync += room.eq(~Cat(slot.active for slot in self.slots).all())
        for name in reversed(range(SLOTS)):
            with m.If(~self.slots[name].active):
                m.d.sync += front.slot.eq(name)
        accepted = self.ops.valid & self.ops.ready
        m.d.comb += [
            front.ops.payload.eq(self.ops.payload),
            front.ops.valid.eq(self.ops.valid & room),
            self.ops.ready.eq(front.ops.ready & room),
        ]
        new = self.ops.payload.arguments
        for name, slot in enumerate(self.slots):
            # Selected columns that have not retired: `CREDITS` before the lanes, and one in each cycle to `RETIRE`.
            columns = Signal(range(CREDITS + RETIRE + 2), name=f"columns{name}")
            held = Signal(name=f"held{name}")
            vector = Signal(slot.vector.shape(), name=f"vector{name}", reset_less=True)
            buffer = Signal(name=f"buffer{name}", reset_less=True)
            added = front.selected & (front.selected_slot == name)
            dropped = front.dropped & (front.dropped_slot == name)
            m.d.sync += columns.eq(columns + added - dropped - (retired & (retired_slot == name)))
            with m.If(front.finished & (front.selected_slot == name)):
                m.d.sync += held.eq(0)
            with m.If(accepted & (new.columns != 0) & (front.slot == name)):
                m.d.sync += [held.eq(1), vector.eq(new.source), buffer.eq(new.buffer)]
            m.d.comb += [
                slot.active.eq(held | columns.any()),
                slot.vector.eq(vector),
                slot.buffer.eq(buffer),
            ]
            never(m, f"slot {name} given to two ops", accepted & (front.slot == name) & slot.active)
            never(m, f"columns of slot {name} out of bounds", columns > CREDITS + RETIRE + 1)

    def _operands(self, m: Module, column) -> list[Value]:
        """Read the activations of the column in cycle 0; give the operand of each lane in cycle `OPERANDS`."""
        config, values = self.config, self.values
        m.d.comb += [values.word.eq(column.word), values.step.eq(column.step)]
        shift, private = delay(m, column.shift, READ), delay(m, column.private, OPERANDS - 1)
        groups = []
        for group, shared in enumerate(values.shared):
            aligned = Signal(signed(config.operand_bits), name=f"aligned{group}", reset_less=True)
            m.d.sync += aligned.eq(shared << shift)
            groups.append(delay(m, aligned, OPERANDS - 1 - ALIGNED))
        operands = []
        for lane in range(config.lanes):
            aligned = groups[lane // config.group_lanes]
            operand = Signal(signed(config.operand_bits), name=f"operand{lane}", reset_less=True)
            if config.private:
                own = delay(m, values.own[lane], OPERANDS - 1 - ALIGNED)
                aligned = Mux(private, own, aligned)
            m.d.sync += operand.eq(aligned)
            operands.append(operand)
        return operands

    def _dense_rows(self, m: Module, split: Value, number: Signal) -> Signal:
        """Give the rows of the column's word `number`, in the form of an index word."""
        config = self.config
        rows = Signal(config.index_bits)
        with m.Switch(split):
            for value in range(exact_log2(config.banks) + 1):
                with m.Case(value):
                    slots = 1 << value
                    m.d.comb += rows.eq(number[: config.slot_index_bits(slots)].replicate(slots))
        return rows

    def _selected(self) -> list[Value]:
        """Give which lanes of a group are drained or cleared."""
        port = self.drain
        chosen = [((port.lane ^ lane) & port.mask) == 0 for lane in range(self.config.group_lanes)]
        return [(port.enable & one) | port.clear_all for one in chosen]
