"""The solver's process: unrolls a formula cycle by cycle, and says what it found, a line of JSON for each question."""

import json
import re
import sys
from collections.abc import Iterator

import bitwuzla

from gatewright.cosim.proofs.formal import TOP

_TOKEN = re.compile(r";.*|\|[^|]*\||[()]|[^\s()|;]+")
_OF_STATE = re.compile(r"\((\|[^|]*\|) state\)")
_NEXT = re.compile(r"\(= (.*) \((\|[^|]*\|) next_state\)\)")


def expressions(text: str) -> Iterator[str]:
    """Split a text of SMT-LIB into its outermost expressions, without comments."""
    depth, words = 0, []
    for token in _TOKEN.findall(text):
        if token.startswith(";"):
            continue
        depth += (token == "(") - (token == ")")
        words.append(token)
        if depth == 0:
            yield " ".join(words).replace("( ", "(").replace(" )", ")")
            words = []


class Unrolled:
    """A formula over cycles 0, 1, … from any state.

    The registers of a cycle are written as what they follow from, in terms of the cycle before. A relation between
    states would say the same, but the solver would not see that two sides compute the same product.

    Parameters
    ----------
    text : str
        As `formal.Formula` has it.
    """

    def __init__(self, text: str):
        self._free: dict[str, str] = {}
        self._defined: list[tuple[str, str]] = []
        self._next: dict[str, str] = {}
        for each in expressions(text):
            kind, _, rest = each[1:-1].partition(" ")
            name = rest[: rest.index("|", 1) + 1] if rest.startswith("|") else ""
            rest = rest[len(name) + 1 :]
            if kind == "declare-fun":
                self._free[name] = rest.removeprefix(f"(|{TOP}_s|) ")
            elif kind == "define-fun" and name == f"|{TOP}_t|":
                body = rest.removeprefix(f"((state |{TOP}_s|) (next_state |{TOP}_s|)) Bool ")
                self._transitions(body)
            elif kind == "define-fun":
                self._defined.append((name, rest.removeprefix(f"((state |{TOP}_s|)) ")))
        self._parser = bitwuzla.Parser(bitwuzla.TermManager(), bitwuzla.Options())
        self.say("(set-logic QF_BV)")
        self.cycles = 0

    def _transitions(self, body: str) -> None:
        inner = body[len("(and ") : -1] if body.startswith("(and ") else body
        found = [_NEXT.fullmatch(each) for each in expressions(inner)]
        self._next = {match[2]: match[1] for match in found if match}
        # A register that follows from nothing could be anything.
        if len(self._next) != body.count("next_state"):
            raise RuntimeError("Yosys describes a transition in another way than it used to")

    def say(self, text: str) -> None:
        """Give commands of SMT-LIB to the solver."""
        self._parser.parse(text, parse_only=False, parse_file=False)

    def add_cycle(self) -> int:
        """Add a cycle in which the assumptions hold; give its number."""
        k = self.cycles
        lines = []
        for name, sort in self._free.items():
            if k and name in self._next:
                lines.append(f"(define-fun {_at(name, k)} () {sort} {_in(self._next[name], k - 1)})")
            else:
                lines.append(f"(declare-const {_at(name, k)} {sort})")
        lines += [f"(define-fun {_at(name, k)} () {_in(body, k)})" for name, body in self._defined]
        lines += [f"(assert {_at(f'|{TOP}_{part}|', k)})" for part in "uh"]
        self.say("\n".join(lines))
        self.cycles += 1
        return k

    def possible(self, condition: str) -> bool:
        """Whether a condition can hold.

        Raises
        ------
        RuntimeError
            The solver does not know.
        """
        self.say(f"(push 1)(assert {condition})")
        answer = self._parser.bitwuzla().check_sat()
        self.say("(pop 1)")
        if answer not in (bitwuzla.Result.SAT, bitwuzla.Result.UNSAT):
            raise RuntimeError(f"the solver says {answer}")
        return answer == bitwuzla.Result.SAT


def _at(name: str, k: int) -> str:
    return f"{name[:-1]}@{k}|"


def _in(body: str, k: int) -> str:
    """Write a body of `state` for a cycle."""
    return _OF_STATE.sub(lambda found: _at(found[1], k), body)


def answers(text: str, depth: int, induction: int, covers: int) -> Iterator[dict]:
    """Give what is found, question by question, until an assertion fails.

    Yields
    ------
    dict
        ``failed``: the first cycle from reset in which an assertion fails, or None. ``happens``: whether a cover does,
        in their order. ``step``: whether assertions that held in `induction` cycles, from any state, hold in the next.
    """
    unrolled = Unrolled(text)
    for _ in range(depth):
        k = unrolled.add_cycle()
        if k == 0:
            unrolled.say(f"(assert |{TOP}_i@0|)")
        if unrolled.possible(f"(not |{TOP}_a@{k}|)"):
            yield {"failed": k}
            return
        unrolled.say(f"(assert |{TOP}_a@{k}|)")
    yield {"failed": None}
    for cover in range(covers):
        happens = " ".join(f"|{TOP}_c {cover}@{k}|" for k in range(depth))
        yield {"happens": unrolled.possible(f"(or {happens} false)")}
    if induction:
        unrolled = Unrolled(text)
        for _ in range(induction):
            k = unrolled.add_cycle()
            unrolled.say(f"(assert |{TOP}_a@{k}|)")
        k = unrolled.add_cycle()
        yield {"step": not unrolled.possible(f"(not |{TOP}_a@{k}|)")}


def main() -> None:
    """Read a formula from the standard input, and print the answers, a line of JSON each."""
    depth, induction, covers = map(int, sys.argv[1:])
    for answer in answers(sys.stdin.read(), depth, induction, covers):
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
