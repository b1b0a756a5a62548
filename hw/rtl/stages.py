"""Stages of the matrix engine's pipeline: the one definition of its latencies.

| cycle | what happens to a word of weights |
|---|---|
| 0 | it is chosen; the activations of its column are addressed |
| 1 | the lanes address the weight and the index |
| 2 | the activations leave their memory, and are aligned |
| 3 | weight and index leave their memories; the row of the accumulator is known |
| 4 | the accumulator is addressed; the weight is on its way to the multiplier |
| 5 | the multiplier has its operands |
| 6 | the product and the old sum are there, and are added |
| 7 | the new sum is written; who names the row now gets the new sum |

A block RAM's own output is slow, so that each read takes two cycles: the memory, and a register behind it. Block RAMs
lie far apart, so that there is a register on the way from one to the next as well.
"""

READ = 2
"""Cycles from the address of a block RAM to the register behind it."""

ADDRESS = 1
"""Cycle in which the lanes address weight and index: registers carry the addresses there."""

ALIGNED = READ + 1
"""Cycle in which the aligned activation goes to the lanes."""

ROW = ADDRESS + READ
"""Cycle in which the rows of a word's accumulators are known."""

SUM_READ = 1 + READ
"""Cycles from the row of an accumulator to its sum: a register carries the address to the memory."""

ADD = ROW + SUM_READ
"""Cycle in which the product is added."""

OPERANDS = ADD - 1
"""Cycle in which the multiplier has its operands."""

WRITE = ADD + 1
"""Cycle in which the sum is written: who names its row in this cycle, or later, reads it."""

REACH = 3
"""Cycles from what a producer tells to the selection of a column that it allows."""

ARRIVAL = 4
"""Cycles from the selection of a column to its arrival at the queue before the lanes."""

TAKE = 1
"""Cycles from a column at the head of the queue to its first word on the lanes."""

FIRST_LOOK = 4
"""Cycles from the acceptance of a matrix op to the first choice of a column, at least."""

FIRST_WORD = FIRST_LOOK + ARRIVAL + TAKE
"""Cycles from the acceptance of a matrix op to its first word on the lanes, at least."""

FIRST_READ = FIRST_WORD + ROW
"""Cycles from the acceptance of a matrix op to its first row of an accumulator, at least."""

DRAIN_ISSUE = 3
"""Cycles from the count of a matrix op's columns to the first reading of a drain op that waited for it: the slot is
free, the op is issued, the row is known."""

RETIRE = WRITE - DRAIN_ISSUE
"""Cycle of a column's last word in which it is counted out: a drain op that waited for it reads what it added."""

STORE = 1
"""Cycles that the activation memory keeps a write in a register."""

COUNTED = STORE + 3
"""Cycles from the offer of a write to the balance of zeros that counts it."""

LEAD = REACH + ARRIVAL + TAKE
"""Cycles by which a producer announces an element before it can be read, at most: from what it tells to the address
of the column's activations."""

WRITE_LEAD = 1
"""Cycles by which a producer counts an element as written before it can be read, at most: what readers take at least
from seeing the count to the address of the element."""
