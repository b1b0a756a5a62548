"""Programs as a whole: what every op finds in its vector and accumulators, and the order that the rules lead to."""

from functools import cache

import pytest

from gatewright.cosim.workloads import random_bundle
from gatewright.hw.compiler import compile_bundle
from gatewright.hw.compiler.schedule import Region, Step, Task, schedule
from gatewright.hw.compiler.unpack import unpack_all
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.ops import ARGUMENTS, Opcode, When

CONFIG = AcceleratorConfig(lanes=16, cell_lanes=2, accumulator_rows=32, program_depth=64)


def compiled_for(config=CONFIG, **model):
    return compile_bundle(random_bundle(1, **model), config, mode="dense", hidden_results="all")


def meanings(compiled, steps):
    """Run a job on what values mean instead of values; gives what is sent.

    A vector is the name of the op that wrote it, with the products that were in its accumulators: each the name of a
    matrix and the vector. Drained accumulators must all have had the same products, and none is left at the end.
    """
    config, program = compiled.config, compiled.image.program
    matrices = unpack_all(list(program), compiled)
    vectors, accumulators, sent, taken = {}, {}, [], 0
    for step in range(steps):
        runs = {
            When.ALWAYS: True,
            When.CARRIED: step > 0,
            When.FIRST: step == 0,
            When.LAST: step == steps - 1,
            When.NOT_LAST: step < steps - 1,
        }
        for op, matrix in zip(program, matrices, strict=True):
            if not runs[op.when]:
                continue
            a = op.arguments
            if op.opcode is Opcode.INPUT:
                vectors[a["destination"]] = ("input", taken)
                taken += 1
                continue
            if op.opcode is Opcode.OUTPUT:
                sent.append(vectors[a["source"]])
                continue
            buffer = a["buffer"] ^ (a["alternate"] & step)
            if op.opcode is Opcode.MATVEC:
                for row in range(a["row"], a["row"] + matrix.region):
                    products = accumulators.get((buffer, row), frozenset())
                    accumulators[buffer, row] = products | {(op.name, vectors[a["source"]])}
                continue
            width = config.drain_lanes if op.opcode is Opcode.CELL else 1
            count = a.get("groups", a.get("count")) * width
            rows = count if a.get("private") else -(-count // config.group_lanes)
            (products,) = {accumulators.pop((buffer, row)) for row in range(a["row"], a["row"] + rows)}
            if a.get("send"):
                sent.append((op.name, products))
            else:
                vectors[a["destination"]] = (op.name, products)
    assert not accumulators
    return sent


def expected(steps, layers, rank, projection, head):
    """Give what is sent as the model has it."""

    def product(name, vector):
        if rank:
            return f"{name}.second", (f"{name}.middle", frozenset({(f"{name}.first", vector)}))
        return name, vector

    @cache
    def output(layer, step):
        name = f"layer{layer}"
        products = {product(f"{name}.input", output(layer - 1, step) if layer else ("input", step))}
        if step:
            products.add(product(f"{name}.recurrent", output(layer, step - 1)))
        hidden = f"{name}.cell", frozenset(products)
        if projection:
            return f"{name}.projected", frozenset({(f"{name}.projection", hidden)})
        return hidden

    sent = [output(layers - 1, step) for step in range(steps)]
    return [*sent, ("head.results", frozenset({("head", sent[-1])}))] if head else sent


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("rank", [None, 3])
@pytest.mark.parametrize("projection", [None, 5])
@pytest.mark.parametrize(
    "config", [CONFIG, AcceleratorConfig(lanes=8, cell_lanes=1, private=0, program_depth=64)]
)
def test_every_op_finds_what_the_model_means(layers, rank, projection, config):
    for classes in (0, 3):
        compiled = compiled_for(config, layers=layers, rank=rank, projection=projection, classes=classes)
        for steps in (1, 2, 4):
            assert meanings(compiled, steps) == expected(steps, layers, rank, projection, classes)
        assert [op.end for op in compiled.image.program] == [False] * (len(compiled.image.program) - 1) + [
            True
        ]


def test_regions_begin_at_multiples_of_the_power_of_two_that_holds_them():
    assert [Region(rows).alignment for rows in (1, 2, 3, 4, 5, 8, 9)] == [1, 2, 4, 4, 8, 8, 16]


ORDERS = [
    ({}, "x! i!0@0 r0@0 x i1@0 cell0@0 results head0@4 results0@4"),
    ({"layers": 2}, "x! i!0@0 r0@0 x R1@0 cell0@0 I1@0 i0@0 CELL1@0 results head1@0 results1@0"),
    (
        {"rank": 3},
        "x! i/!1@4 i:!1@4 i\\!0@0 r/0@4 x i/1@4 r:0@4 r\\0@0 i:1@4 i\\1@0 cell0@0 results head0@4 results0@4",
    ),
    (
        {"layers": 2, "rank": 3},
        "x! i/!1@0 i:!1@0 i\\!0@0 r/0@4 x R/1@0 r:0@4 r\\0@0 R:1@0 R\\1@4 cell0@0 I/0@4 i/1@0 I:0@4 i:1@0 I\\1@4"
        " i\\0@0 CELL1@4 results head1@0 results1@0",
    ),
    (
        {"layers": 2, "projection": 5},
        "x! i!0@0 r0@0 x R1@0 cell0@0 p0@8 y0@8 I1@0 i0@0 CELL1@0 P1@0 Y1@0 results head0@4 results0@4",
    ),
    (
        {"layers": 2, "rank": 3, "projection": 5},
        "x! i/!0@4 i:!0@4 i\\!0@0 r/0@4 x R/1@0 r:0@4 r\\0@0 R:1@0 R\\1@0 cell0@0 p0@8 y0@8 I/1@4 i/0@4 I:1@4 I\\1@0"
        " i:0@4 i\\0@0 CELL1@0 P1@0 Y1@0 results head0@4 results0@4",
    ),
]
"""Ops as the rules of `schedule` order them: i, r for the input and recurrent part and p, y for the projection and what
it gives, large for the upper layer; ``/`` and ``\\`` for the two factors, ``:`` for what is between them; ``!`` in the
first step alone; then buffer and row."""


def short(op):
    layer, _, part = op.name.partition(".")
    letters = {"input": "i", "recurrent": "r", "projection": "p", "projected": "y"}
    names = {".first": "/", ".middle": ":", ".second": "\\"}
    if op.opcode is Opcode.INPUT:
        text = "x"
    else:
        use, _, factor = part.partition(".")
        text = letters.get(use, use) or layer
        text = (text.upper() if layer == "layer1" and use != "results" else text) + names.get(
            f".{factor}", ""
        )
    place = f"{op.arguments['buffer']}@{op.arguments['row']}" if "row" in op.arguments else ""
    return text + "!" * (op.when is When.FIRST) + place


@pytest.mark.parametrize(("model", "order"), ORDERS)
def test_the_order_of_the_rules(model, order):
    assert " ".join(map(short, compiled_for(**model).image.program)) == order


def task(opcode, name, region, **places):
    """A task of no arguments but those that `schedule` gives it."""
    arguments = dict.fromkeys(ARGUMENTS[opcode].keys() - {"buffer", "alternate", "row"}, 0)
    return Task(opcode, arguments, region, name=name, **places)


def scheduled(parts, drained, rows=None, ahead=(("ahead", "next", 99),), behind=()):
    """Schedule parts of products (name, region, vector); regions have rows, and vectors that they are drained to.

    Behind the parts comes what works for the next step, then what is behind it.
    """
    parts = [*parts, ahead, *behind]
    regions = {region: Region((rows or {}).get(region, 1)) for part in parts for _, region, _ in part}
    regions.setdefault("gates", Region((rows or {}).get("gates", 1)))
    tasks = [
        [task(Opcode.MATVEC, name, regions[region], reads=vector) for name, region, vector in part]
        for part in parts
    ]
    drains = {
        regions[region]: [task(Opcode.REDUCE, f"/{region}", regions[region], writes=vector)]
        for region, vector in drained.items()
    }
    take = task(Opcode.INPUT, "x", None, writes=99)
    place = len(parts) - 1 - len(behind)
    step = Step([], take, tasks, place, drains, regions["gates"], regions["next"])
    return schedule(step)


def ordered(*arguments, **others):
    return " ".join(op.name for op in scheduled(*arguments, **others)[0])


def test_a_first_factor_goes_ahead_unless_it_reads_what_is_drained_just_before():
    def order(reads):
        first, second = [("a", "A", 1), ("b", "B", 1)], [("c", "C", reads), ("d", "gates", 4)]
        return ordered([first, second], {"A": 2, "B": 3, "C": 4, "gates": 5})

    assert order(reads=1).startswith("a x c /A b /C /B d")
    # What `b` leads to is there only behind it, and what `a` leads to would hold the lanes up.
    assert order(reads=3).startswith("a x b /A /B c")
    assert order(reads=2).startswith("a x b /A c /B /C d")


def test_before_a_single_product_goes_only_the_first_factor_for_the_next_step():
    factors = [("f", "F", 99), ("s", "next", 3)]
    low_rank_head = [("g", "G", 1), ("h", "H", 4)]
    found = ordered([[("a", "gates", 1)]], {"F": 3, "gates": 5}, ahead=factors)
    assert found == "x f /F a s /gates"
    found = ordered([[("a", "gates", 1)]], {"G": 4, "gates": 5, "H": 6}, behind=[low_rank_head])
    assert found == "a x ahead /gates g /G h /H"


def test_accumulators_are_drained_behind_the_op_that_follows():
    """Even where the one behind that needs neither the buffer nor what is drained."""
    parts = [[("a", "A", 1)], [("b", "B", 1)], [("c", "B", 1)], [("d", "gates", 1)]]
    assert ordered(parts, {"A": 2, "B": 3, "gates": 4}) == "a x b /A c d /B ahead /gates"


def rows_of(names, rows):
    """Give the rows of regions that all wait for a second product, and the rows in all; every other is in buffer 0."""
    twice = [[(f"{name}{number}", name, 1)] for number in (1, 2) for name in names]
    program, total = scheduled(twice, {name: k for k, name in enumerate(names)}, rows)
    return {op.name[0]: op.arguments["row"] for op in program if op.name[1:] == "2"}, total


def test_larger_regions_get_their_rows_first():
    places, total = rows_of("ABCDE", {"E": 2})
    assert (places["E"], {places["A"], places["C"]}, total) == (2, {1, 4}, 5)


@pytest.mark.parametrize("rows", [2, 4])
def test_regions_may_touch(rows):
    """Up to four rows between the three of the gates, in four, and eight."""
    places, total = rows_of("ABC", {"gates": 3, "A": 8, "C": rows})
    assert (places["A"], places["C"], total) == (8, 4, 16)
