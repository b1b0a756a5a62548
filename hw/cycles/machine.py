"""The control of the accelerator, cycle by cycle, as one compiled loop.

It follows the RTL unit by unit and register by register, but for the data and for pipelines of fixed length, which are
points in time here. Where nothing can happen before a known cycle, it goes there at once.

Numba's cache notices changes of this file only. So whatever is defined elsewhere reaches these functions as an
argument, never as a global. They do without Numba's counting of references (`_nrt`), which would take most of the
time, and so cannot make arrays.
"""

from typing import Any

from numba import njit

INPUT, MULTIPLY, DRAIN, SEND, OUTPUT = range(5)
"""Field `kind` of an op: its unit; the drain unit writes a vector, or sends."""

NEVER, ALWAYS, AUTO = range(3)
"""Whether a job skips zeros, as `gatewright.hw.skipping.Skip` has it."""

RING = 16
"""More columns than are ever between selection and arrival, or from there to retirement; more writes than are ever on
the way to the balance of zeros."""

NONE = -1

_LOOK, _WAIT, _ISSUE, _FETCH = range(4)
"""What the sequencer does with its op: look at it or, as it then found, hold it back for a hazard, or issue it; or wait
for it, as the one before was skipped at once."""

_NEVER = 1 << 62

_OPTIONS: dict[str, Any] = {"_nrt": False}

_compiled = njit(cache=True, nogil=True, **_OPTIONS)
_inlined = njit(inline="always", **_OPTIONS)


@_compiled
def run_job(
    program,
    runs,
    words,
    flags,
    skip,
    zeros,
    timing,
    steps,
    units,
    slots,
    flight,
    queue,
    sums,
    elements,
    writes,
    timeline,
):
    """Run a program for one job, accepted in cycle 0.

    Parameters
    ----------
    program : OP array [ops]
    runs : bool array [2, 2, ops]
        Whether an op runs in a step that is (1) or is not (0) the first of the job, and the last.
    words : int64 array
        Words of each column step.
    flags : uint8 array
        If zeros may be skipped: of each column step of broadcast orientation, in the order of execution, whether it is
        not zero. Else empty.
    skip : int
        `NEVER`, `ALWAYS` or `AUTO`.
    zeros : tuple of two int64 arrays
        What each element of x, and each write of the drain unit, adds to the balance of zeros; needed with `AUTO`.
        Empty where nobody asks what the balance is at the end.
    timing : Timing
    steps : int
        Time steps.
    units : UNITS record
        All zero, but `NONE` for slots and ops; gets the counts.
    slots : SLOT array [timing.slots]
    flight, queue : COLUMN array [RING]
    sums : RESULT array [timing.room]
    elements : RESULT array [timing.buffer]
        What is on its way to the output stream.
    writes : WRITE array [RING]
    timeline : EVENT array
        Gets the ops, as far as there is room.
    """
    sequencer, front, lanes, merge = units.sequencer, units.front, units.lanes, units.merge
    taker, drain, giver, counts = units.taker, units.drain, units.giver, units.counts
    balance = units.balance
    weighs = len(zeros[0]) > 0
    cycle = timing.start
    while sequencer.step < steps or not _idle(slots, lanes, taker, drain, giver, timing, cycle):
        # Readers before writers: each unit sees the others as they were when the cycle began.
        quiet = taker.left == 0 and drain.op == NONE and giver.left == 0 and giver.read == giver.sent
        room = _free_slot(slots) < len(slots)
        moved = room != front.room
        action, number, step = sequencer.action, sequencer.number, sequencer.step
        issues, waits = False, False
        if step < steps:
            op = program[number]
            buffer = op.buffer ^ (op.alternate & step)
            ready = _ready(op, front, taker, drain, giver)
            hazard = _hazard(program, op, buffer, slots, taker, drain, giver, timing)
            issues, waits = action == _ISSUE, action == _WAIT and ready
            runs_now = runs[int(step == 0), int(step == steps - 1), number]
            _advance(sequencer, issues, runs_now, hazard, ready, len(program))
            moved |= action != sequencer.action or number != sequencer.number or step != sequencer.step
        counts.interlock += waits
        front.room = room

        written = _writes(program, drain, cycle)
        if weighs:
            if written:
                _count(balance, zeros[1][balance.drains], writes, timing, cycle)
                balance.drains += 1
            elif taker.left:
                _count(balance, zeros[0][balance.inputs], writes, timing, cycle)
                balance.inputs += 1
        sum_offered = _offers_sum(program, drain, sums, cycle)
        element_offered = giver.sent < giver.read and elements[giver.sent % len(elements)].time <= cycle
        second = merge.second if merge.held else not sum_offered
        if element_offered if second else sum_offered:
            merge.held = not (elements[giver.sent % len(elements)].last if second else drain.unfinished == 1)
            merge.second = second
        _send(program, taker, drain, giver, elements, timing, element_offered and second, cycle, timeline)
        moved |= _select(program, words, flags, slots, front, flight, lanes, timing, cycle, counts)
        moved |= _scan(program, slots, front, taker, drain, timing, cycle)
        moved |= _multiply(slots, front, flight, queue, lanes, timing, cycle, counts, timeline)
        _take(taker, written, cycle, counts, timeline)
        _drain(program, drain, sums, sum_offered and not second, cycle, counts, timeline)
        if issues:
            op = program[number]
            skips = skip == ALWAYS or (skip == AUTO and balance.sparse)
            skips = skips and op.kind == MULTIPLY and not op.private
            _note(timeline, sequencer.event, step, number, skips, cycle)
            _accept(op, number, buffer, skips, sequencer, slots, front, taker, drain, giver, timing, cycle)
        if sequencer.step != step:
            _decide(balance, writes, timing, cycle)

        following = cycle + 1
        if quiet and not moved:
            following = max(following, _next_event(flight, queue, lanes, timing))
            counts.interlock += waits * (following - cycle - 1)
        cycle = following
    # The sequencer sees it a cycle later.
    counts.cycles = cycle + 1


@_inlined
def _advance(sequencer, issues, runs, hazard, ready, length):
    """Go to the next op if this one is issued or does not run; else find out what to do with it in the next cycle."""
    if sequencer.action == _FETCH:
        sequencer.action = _LOOK
        return
    if runs and not issues:
        sequencer.action = _WAIT if hazard else _ISSUE if ready else _LOOK
        return
    sequencer.action = _LOOK if runs else _FETCH
    sequencer.number += 1
    if sequencer.number == length:
        sequencer.number = 0
        sequencer.step += 1


@_inlined
def _note(timeline, event, step, op, skips, cycle):
    """Note the issue of an op."""
    if event < len(timeline):
        timeline[event].step, timeline[event].op, timeline[event].issue = step, op, cycle
        timeline[event].skips = skips


@_inlined
def _mark(timeline, event, cycle):
    """Note that an op is at work."""
    if event < len(timeline):
        if timeline[event].first == 0:
            timeline[event].first = cycle
        timeline[event].last = cycle


@_inlined
def _active(slot):
    return slot.held or slot.columns


@_inlined
def _free_slot(slots):
    """Give the first free slot, or the number of slots."""
    for number in range(len(slots)):
        if not _active(slots[number]):
            return number
    return len(slots)


@_inlined
def _ready(op, front, taker, drain, giver):
    """Whether an op's unit can take it."""
    if op.kind == INPUT:
        return taker.left == 0
    if op.kind == OUTPUT:
        return giver.left == 0
    if op.kind == MULTIPLY:
        return front.scanned == NONE and front.room
    return drain.op == NONE


@_inlined
def _hazard(program, op, buffer, slots, taker, drain, giver, timing):
    """Whether an op must wait for others: for those that use its buffer, or the vector that it writes."""
    if op.kind == MULTIPLY:
        return drain.op != NONE and drain.buffer == buffer and _guards(program, drain, timing)
    if op.kind == OUTPUT:
        return False
    drains = op.kind != INPUT
    for slot in slots:
        if _active(slot):
            if drains and slot.buffer == buffer:
                return True
            if op.kind != SEND and program[slot.op].vector == op.vector:
                return True
    if op.kind == SEND:
        return False
    if giver.left and giver.vector == op.vector:
        return True
    if drains:
        return taker.left != 0 and taker.vector == op.vector
    return drain.op != NONE and program[drain.op].kind == DRAIN and program[drain.op].vector == op.vector


@_inlined
def _idle(slots, lanes, taker, drain, giver, timing, cycle):
    for slot in slots:
        if _active(slot):
            return False
    at_work = taker.left or drain.op != NONE or giver.left or giver.sent < giver.read
    return not at_work and cycle > lanes.last_word + timing.write


@_inlined
def _accept(op, number, buffer, skips, sequencer, slots, front, taker, drain, giver, timing, cycle):
    """Hand an op to its unit, which begins in the next cycle."""
    event, first_flag = sequencer.event, sequencer.first_flag
    sequencer.event += 1
    if op.kind == INPUT:
        taker.vector, taker.left, taker.written, taker.event = op.vector, op.count, 0, event
    elif op.kind == OUTPUT:
        giver.vector, giver.left, giver.number, giver.event = op.vector, op.count, 0, event
        giver.there = 0
    elif op.kind == MULTIPLY:
        if not op.private:
            sequencer.first_flag += op.count
        if op.count:
            front.scanned, front.begin = _free_slot(slots), cycle + timing.first_look
            slot = slots[front.scanned]
            slot.op, slot.held, slot.buffer = number, 1, buffer
            slot.event, slot.first_flag = event, first_flag
            slot.skips = skips
    elif op.count:
        drain.op, drain.buffer, drain.event = number, buffer, event
        drain.begin, drain.unread, drain.unfinished = cycle + 1, op.count, op.count


@_inlined
def _progress(program, vector, taker, drain, cycle, lead):
    """Give the elements of a vector that are written, or those that the drain unit will have written by `lead`."""
    if taker.left and taker.vector == vector:
        return taker.written
    if drain.op != NONE:
        op = program[drain.op]
        if op.kind == DRAIN and op.vector == vector:
            written = (cycle + lead - drain.begin - op.latency + op.interval - 1) // op.interval
            return op.elements * min(max(written, 0), op.count)
    return _NEVER


@_inlined
def _take(taker, waits, cycle, counts, timeline):
    """Take an element of the input, unless the drain unit writes."""
    if taker.left and not waits:
        taker.left -= 1
        taker.written += 1
        counts.inputs += 1
        _mark(timeline, taker.event, cycle)


@_inlined
def _send(program, taker, drain, giver, elements, timing, taken, cycle, timeline):
    """Read an element if it is there and has room in the buffer, and send one if it is taken."""
    if giver.left and giver.there > giver.number and giver.read - giver.sent < len(elements):
        element = elements[giver.read % len(elements)]
        element.time, element.last = cycle + timing.output, giver.left == 1
        giver.read += 1
        giver.number += 1
        giver.left -= 1
        _mark(timeline, giver.event, cycle)
    giver.there = _progress(program, giver.vector, taker, drain, cycle, timing.write_lead)
    giver.sent += taken


@_inlined
def _count(balance, share, writes, timing, cycle):
    """Send what a write adds to the balance on its way; what has arrived there by now is added."""
    _arrive(balance, writes, cycle - timing.counted)
    write = writes[balance.end % RING]
    write.time, write.share = cycle, share
    balance.end += 1


@_inlined
def _arrive(balance, writes, last):
    """Add the writes up to a cycle."""
    while balance.first < balance.end and writes[balance.first % RING].time <= last:
        balance.sum += writes[balance.first % RING].share
        balance.first += 1


@_inlined
def _decide(balance, writes, timing, cycle):
    """Decide at the end of a step whether the next one skips zeros."""
    _arrive(balance, writes, cycle - timing.counted)
    balance.sparse = balance.sum >= 0
    balance.sum = 0


@_inlined
def _guards(program, drain, timing):
    """Whether the drain unit has so many readings left that a matrix op could add to one of them."""
    op = program[drain.op]
    room = timing.room - (drain.unfinished - drain.unread)
    return drain.unread > timing.first_read // op.interval or (op.kind == SEND and drain.unread > room)


@_inlined
def _writes(program, drain, cycle):
    """Whether the drain unit writes to a vector."""
    if drain.op == NONE:
        return False
    op = program[drain.op]
    return op.kind == DRAIN and _falls_due(cycle - drain.begin - op.latency, op.interval)


@_inlined
def _falls_due(cycles, interval):
    return cycles >= 0 and cycles % interval == 0


@_inlined
def _offers_sum(program, drain, sums, cycle):
    """Whether the drain unit offers a result."""
    if drain.op == NONE or program[drain.op].kind != SEND or drain.unfinished == drain.unread:
        return False
    return sums[drain.unfinished % len(sums)].time <= cycle


@_inlined
def _drain(program, drain, sums, taken, cycle, counts, timeline):
    """Read accumulators; count what is written or taken, and end the op with the last of it."""
    if drain.op == NONE:
        return
    counts.drain += 1
    _mark(timeline, drain.event, cycle)
    op = program[drain.op]
    if op.kind == SEND:
        if drain.unread and drain.unfinished - drain.unread < len(sums):
            sums[drain.unread % len(sums)].time = cycle + op.latency
            drain.unread -= 1
        drain.unfinished -= taken
    else:
        drain.unread -= drain.unread > 0 and _falls_due(cycle + 1 - drain.begin, op.interval)
        drain.unfinished -= _falls_due(cycle - drain.begin - op.latency, op.interval)
    if drain.unfinished == 0:
        drain.op = NONE


@_inlined
def _scan(program, slots, front, taker, drain, timing, cycle):
    """Bring an op to the choice, and what its producer tells; tells whether anything has changed."""
    moved = front.left != NONE or front.finished != NONE or cycle < front.sure
    if front.left != NONE:
        slots[front.left].held = 0
    front.left, front.finished = front.finished, NONE
    if front.scanned == NONE:
        return moved
    op = program[slots[front.scanned].op]
    skips = slots[front.scanned].skips
    told = _progress(program, op.vector, taker, drain, cycle, timing.write_lead if skips else timing.lead)
    moved |= front.known != front.seen or front.seen != front.limit or front.limit != told
    limit, seen = front.limit, front.seen
    front.known, front.seen, front.limit = seen, limit, told
    if front.current == NONE:
        moved = True
        if cycle + 1 >= front.begin:
            front.current = front.scanned
            front.step, front.word_end = 0, min(op.word_steps, op.count)
    if front.current == front.scanned and front.word_end + op.word_steps >= op.count:
        before = (op.count - 1) // op.word_steps * op.word_steps
        if limit >= op.count * op.elements and seen >= before * op.elements:
            front.scanned, front.sure = NONE, cycle + 2
    return moved


@_inlined
def _select(program, words, flags, slots, front, flight, lanes, timing, cycle, counts):
    """Choose a column, or pass over a word of zeros; tells whether it did."""
    if front.current == NONE:
        return False
    slot = slots[front.current]
    op = program[slot.op]
    reached = front.word_end
    if (front.current == front.scanned or cycle < front.sure) and front.known < reached * op.elements:
        reached = front.known // op.elements
    if slot.skips:
        start = front.step
        while front.step < reached and not flags[slot.first_flag + front.step]:
            front.step += 1
        counts.skipped += front.step - start
    moved = front.step == front.word_end
    if front.step < reached:
        if front.outstanding < timing.credits:
            column = flight[lanes.selected % RING]
            column.time, column.slot = cycle + timing.arrival, front.current
            column.words = words[op.first_column + front.step]
            lanes.selected += 1
            slot.columns += 1
            front.outstanding += 1
            front.step += 1
            moved = True
    elif not moved and front.outstanding == 0 and cycle > lanes.last_word:
        counts.chain_wait += 1
    if front.step == front.word_end:
        if front.word_end == op.count:
            front.finished, front.current = front.current, NONE
        else:
            front.word_end = min(front.word_end + op.word_steps, op.count)
    return moved


@_inlined
def _multiply(slots, front, flight, queue, lanes, timing, cycle, counts, timeline):
    """Move columns to the queue, from there to the lanes, and out; tells whether any has moved."""
    moved = front.returned != 0
    front.outstanding -= front.returned
    front.returned = 0
    if front.dropped != NONE:
        slots[front.dropped].columns -= 1
        front.dropped = NONE
    if lanes.arrived < lanes.selected and flight[lanes.arrived % RING].time == cycle:
        column = flight[lanes.arrived % RING]
        lanes.arrived += 1
        moved = True
        if column.words:
            queue[lanes.queued % RING].words, queue[lanes.queued % RING].slot = column.words, column.slot
            lanes.queued += 1
        else:
            front.dropped = column.slot
            front.returned += 1
    if lanes.taken < lanes.queued and cycle >= lanes.last_word:
        column = queue[lanes.taken % RING]
        lanes.taken += 1
        moved = True
        front.returned += 1
        counts.matrix += column.words
        lanes.last_word = cycle + column.words
        column.time = lanes.last_word + timing.retire
        _mark(timeline, slots[column.slot].event, cycle + 1)
        _mark(timeline, slots[column.slot].event, lanes.last_word)
    if lanes.retired < lanes.taken and queue[lanes.retired % RING].time == cycle:
        slots[queue[lanes.retired % RING].slot].columns -= 1
        lanes.retired += 1
        moved = True
    return moved


@_inlined
def _next_event(flight, queue, lanes, timing):
    """Give the next cycle in which a column moves, or the engine is idle."""
    following = _NEVER
    if lanes.arrived < lanes.selected:
        following = flight[lanes.arrived % RING].time
    if lanes.taken < lanes.queued:
        following = min(following, lanes.last_word)
    if lanes.retired < lanes.taken:
        following = min(following, queue[lanes.retired % RING].time)
    return lanes.last_word + timing.write + 1 if following == _NEVER else following
