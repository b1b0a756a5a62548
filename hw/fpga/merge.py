"""Modules that are the same become one, so that text and builds do not grow with the number of lanes."""

import re
from itertools import pairwise

_NAME = re.compile(r"^module (\\\S+)$", re.MULTILINE)
_CELL = re.compile(r"^( *cell )(\\\S+)", re.MULTILINE)


def merge_modules(rtlil: str) -> str:
    """Merge modules of RTLIL, as Amaranth writes it, that differ in their names only.

    Parameters
    ----------
    rtlil : str
        Modules with the top module among them.

    Returns
    -------
    str
        The same design; of equal modules the first is left.
    """
    head, *texts = _split(rtlil)
    modules = {_NAME.findall(text)[0]: text for text in texts}
    while True:
        first: dict[str, str] = {}
        same = {name: first.setdefault(_NAME.sub("", text), name) for name, text in modules.items()}
        kept = {name: text for name, text in modules.items() if same[name] == name}
        if len(kept) == len(modules):
            return head + "".join(modules.values())
        modules = {name: _rename(text, same) for name, text in kept.items()}


def _rename(module: str, names: dict[str, str]) -> str:
    """Let the cells of a module be of other modules."""
    return _CELL.sub(lambda match: match[1] + names.get(match[2], match[2]), module)


def _split(rtlil: str) -> list[str]:
    """Split in front of every module, its attributes included."""
    starts = []
    for match in re.finditer(r"^module \\", rtlil, re.MULTILINE):
        start = match.start()
        while (line := rtlil.rfind("\n", 0, start - 1) + 1) < start and rtlil.startswith("attribute ", line):
            start = line
        starts.append(start)
    cuts = [0, *starts, len(rtlil)]
    return [rtlil[a:b] for a, b in pairwise(cuts)]
