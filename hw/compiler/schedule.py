"""The order of a step's ops, and the accumulators that they use.

Ops issue in order and each waits for its hazards, so in a good order no op waits while the lanes could
work. Every rule here serves that one aim:

- The first layer's input part runs one step ahead, where it hides the cell unit.
- The first factor of a low-rank product stands before the last product of the part ahead of it, which then hides the
  reduction between its factors.
- Accumulators are drained behind the matrix op that follows their last product, unless that op needs what draining
  gives.
- A matrix op does not use the buffer that is being drained while it runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gatewright.hw.ops import Op, Opcode, When


@dataclass(eq=False)
class Region:
    """Accumulators from their first product until they are drained.

    `rows` of them are used. `buffer` and `row`, as in `gatewright.hw.ops`, are assigned by `schedule`.
    """

    rows: int = 1
    buffer: int = 0
    row: int = 0

    @property
    def alignment(self) -> int:
        """What `row` is a multiple of."""
        return 1 << (self.rows - 1).bit_length()


@dataclass(eq=False)
class Task:
    """An op before its place and its accumulators are chosen.

    Parameters
    ----------
    opcode : Opcode
    arguments : dict of int
        Arguments of the op but for those that name accumulators.
    region : Region, optional
        Accumulators that it adds to or drains.
    reads, writes : int, optional
        First words of vectors.
    when : When
    name : str
        As `Op` has it.
    """

    opcode: Opcode
    arguments: dict[str, int]
    region: Region | None = None
    reads: int | None = None
    writes: int | None = None
    when: When = When.ALWAYS
    name: str = ""

    @property
    def accumulators(self) -> Region:
        """The region of a task that has one."""
        assert self.region is not None
        return self.region

    def op(self, *, alternate: bool, end: bool) -> Op:
        """Encode the task as it now stands."""
        arguments = self.arguments
        if self.region is not None:
            place = {
                "buffer": self.region.buffer,
                "alternate": int(alternate),
                "row": self.region.row,
            }
            arguments = arguments | place
        return Op(self.opcode, arguments, self.when, end, self.name)


Part = Sequence[Task]
"""The matrix ops of one product: one, or those of its two factors."""


@dataclass
class Step:
    """One time step, not yet in order.

    Parameters
    ----------
    opening : sequence of Task
        Input and input part of the first layer in the first step of a job, in order.
    take : Task
        Input of the next step.
    parts : sequence of Part
        All other products, in an order in which each finds its vectors.
    ahead : int
        Number of the part that works for the next step.
    drains : dict of Region to list of Task
        What happens behind the last product of a region.
    gates, gates_ahead : Region
        The first layer's accumulators in this step, and those that the part `ahead` adds to: in the next step
        they are `gates`.
    """

    opening: Sequence[Task]
    take: Task
    parts: Sequence[Part]
    ahead: int
    drains: dict[Region, list[Task]]
    gates: Region
    gates_ahead: Region


def schedule(step: Step) -> tuple[tuple[Op, ...], int]:
    """Order a step; gives its program, and the accumulator rows that it needs in each buffer."""
    order = _interleave(step)
    alternate = _conflicts(step, order, alternate=True) < _conflicts(step, order, alternate=False)
    _choose_buffers(step, order, alternate)
    tasks = [*step.opening, *_place_drains(step, order)]
    rows = _choose_rows(step, tasks)
    return tuple(task.op(alternate=alternate, end=task is tasks[-1]) for task in tasks), rows


def _last_products(step: Step, order: Sequence[Task]) -> dict[Task, Region]:
    """Give the matrix ops behind which regions are drained in this step."""
    last = {task.accumulators: task for task in order}
    return {task: region for region, task in last.items() if region in step.drains}


def _interleave(step: Step) -> list[Task]:
    """Put the products in order: first factors go before the last product of the part ahead of them."""
    writer = {
        drain.writes: task
        for task, region in _last_products(step, [task for part in step.parts for task in part]).items()
        for drain in step.drains[region]
    }
    order: list[Task] = []
    previous: Part = ()
    for number, part in enumerate(step.parts):
        first, *rest = part
        if rest and previous and (len(previous) > 1 or number == step.ahead):
            needed = writer.get(first.reads)
            too_early = needed is previous[-1] or (len(order) > 1 and needed is order[-2])
            order.insert(len(order) if too_early else len(order) - 1, first)
        else:
            order.append(first)
        order.extend(rest)
        previous = part
    return order


def _choose_buffers(step: Step, order: Sequence[Task], alternate: bool) -> None:
    step.gates.buffer, step.gates_ahead.buffer = 0, int(alternate)
    seen = {step.gates, step.gates_ahead}
    for before, task in zip([None, *order], order, strict=False):
        region = task.accumulators
        if region not in seen:
            seen.add(region)
            region.buffer = 1 - before.accumulators.buffer if before else 0


def _conflicts(step: Step, order: Sequence[Task], *, alternate: bool) -> int:
    """Count the matrix ops that use the buffer that is drained while they run."""
    _choose_buffers(step, order, alternate)
    last = _last_products(step, order)
    wrapped = zip(order, [*order[1:], order[0]], [0] * (len(order) - 1) + [int(alternate)], strict=True)
    return sum(
        task in last and task.accumulators.buffer == after.accumulators.buffer ^ flip
        for task, after, flip in wrapped
    )


def _place_drains(step: Step, order: Sequence[Task]) -> list[Task]:
    last = _last_products(step, order)
    tasks: list[Task] = []
    waiting: list[tuple[int, Region]] = []
    taken = False
    for position, task in enumerate(order):
        # Behind the first product, which tells that the one before it has read the input of this step.
        if not taken and (position == 1 or task in step.parts[step.ahead]):
            tasks.append(step.take)
            taken = True
        due = [
            position - finished > 1
            or region.buffer == task.accumulators.buffer
            or any(drain.writes == task.reads for drain in step.drains[region])
            for finished, region in waiting
        ]
        while any(due):
            due.pop(0)
            tasks.extend(step.drains[waiting.pop(0)[1]])
        tasks.append(task)
        if task in last:
            waiting.append((position, last[task]))
    for _, region in waiting:
        tasks.extend(step.drains[region])
    return tasks


def _choose_rows(step: Step, tasks: Sequence[Task]) -> int:
    """Give regions that are in use at the same time in the same buffer different rows; gives the rows in all."""
    live: dict[Region, set[int]] = {}
    begun: dict[Region, int] = {}
    for position, task in enumerate(tasks):
        if task.region is None:
            continue
        start = begun.setdefault(task.region, position)
        live.setdefault(task.region, set()).update(range(start, position + 1))
        if task.opcode is not Opcode.MATVEC:
            del begun[task.region]
    # The first layer's accumulators are in use across the steps.
    for region in (step.gates, step.gates_ahead):
        live[region] = set(range(len(tasks)))

    placed: list[Region] = []
    for region in sorted(live, key=lambda each: (each not in (step.gates, step.gates_ahead), -each.rows)):
        rivals = [
            other
            for other in placed
            if live[other] & live[region]
            and other.buffer == region.buffer
            and {other, region} != {step.gates, step.gates_ahead}
        ]
        region.row = 0
        while any(region.row < r.row + r.rows and r.row < region.row + region.rows for r in rivals):
            region.row += region.alignment
        placed.append(region)
    return max(region.row + region.rows for region in placed)
