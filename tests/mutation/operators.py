"""What is changed: Cosmic Ray's operators, and two that hardware descriptions need."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

import parso
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator, operator_names
from parso.python.tree import Name

_KINDS = (
    "AddNot",
    "NumberReplacer",
    "ReplaceAndWithOr",
    "ReplaceBinaryOperator",
    "ReplaceBreakWithContinue",
    "ReplaceComparisonOperator",
    "ReplaceContinueWithBreak",
    "ReplaceFalseWithTrue",
    "ReplaceOrWithAnd",
    "ReplaceTrueWithFalse",
    "ReplaceUnaryOperator",
    "ZeroIterationForLoop",
)
"""Operators of Cosmic Ray. Left out: those that change names, decorators or exceptions, as Python itself refuses most
of what they make."""

_FOREIGN = ("MatMul", "Pow", "Is")
"""Operators that Amaranth and whole numbers have no use for: what they make dies by itself."""


_WITHOUT_EFFECT = {"reset_less": "True"}
"""Arguments whose other value no result tells: a reset more. One less does tell, so `reset_less=False` is changed."""


class DropAssignment(Operator):
    """Leaves out one assignment of a hardware description: ``m.d.sync += …`` becomes ``pass``."""

    def mutation_positions(self, node):
        if node.type == "expr_stmt" and node.get_code().strip().startswith("m.d."):
            yield node.start_pos, node.end_pos

    def mutate(self, node, index):
        return Name("pass", node.start_pos, node.get_first_leaf().prefix)

    @classmethod
    def examples(cls):
        return ()


class NegateCondition(Operator):
    """Turns the condition of ``m.If``, ``m.Elif`` or ``Mux`` round."""

    _CALLS = ("m.If(", "m.Elif(", "Mux(")

    def mutation_positions(self, node):
        if node.type in ("atom_expr", "power") and node.get_code().strip().startswith(self._CALLS):
            yield node.start_pos, node.end_pos

    def mutate(self, node, index):
        call = next(
            child for child in node.children if child.type == "trailer" and child.children[0].value == "("
        )
        arguments = call.children[1]
        first = arguments.children[0] if arguments.type == "arglist" else arguments
        negated = parso.parse(f"~({first.get_code()})")
        if arguments.type == "arglist":
            arguments.children[0] = negated
        else:
            call.children[1] = negated
        return node

    @classmethod
    def examples(cls):
        return ()


def _operators() -> dict[str, Operator]:
    named = {name.partition("/")[2]: name for name in operator_names()}
    chosen = {
        short: get_operator(name)()
        for short, name in sorted(named.items())
        if short.startswith(_KINDS) and not any(part in short for part in _FOREIGN)
    }
    return chosen | {"DropAssignment": DropAssignment(), "NegateCondition": NegateCondition()}


@dataclass(frozen=True)
class Mutation:
    """One change of one module: the `occurrence`-th place where an operator can change something."""

    operator: str
    occurrence: int
    line: int


def mutations(source: str) -> dict[tuple, list[Mutation]]:
    """Give all changes of a module by the place that they change; type hints, and what has no effect, stay."""
    tree, places = get_ast(source), {}
    nodes, fixed = list(ast_nodes(tree)), list(_fixed(source))
    for name, operator in _OPERATORS.items():
        occurrence = 0
        for node in nodes:
            for start, end in operator.mutation_positions(node):
                if not any(first <= start and end <= last for first, last in fixed):
                    places.setdefault((start, end), []).append(Mutation(name, occurrence, start[0]))
                occurrence += 1
    return places


def mutated(source: str, mutation: Mutation) -> str:
    """Return a module's text with one change."""
    return mutate_code(source, _OPERATORS[mutation.operator], mutation.occurrence)


def _fixed(source: str) -> Iterator[tuple]:
    """Give the places of type hints and of arguments without effect."""
    for node in ast.walk(ast.parse(source)):
        found = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        if isinstance(node, ast.keyword) and _WITHOUT_EFFECT.get(node.arg) == ast.unparse(node.value):
            found.append(node.value)
        for each in filter(None, found):
            yield (each.lineno, each.col_offset), (each.end_lineno, each.end_col_offset)


_OPERATORS = _operators()
