"""The broken line's process: prints the RTLIL of a proof whose RTL has one line changed on its way to Python.

It must import nothing of the RTL before the line is broken.
"""

import sys
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType

RTL = "gatewright.hw.rtl"


class BrokenSource(SourceFileLoader):
    """Load a module of which one line is replaced."""

    def __init__(self, fullname: str, path: str, line: str, instead: str):
        super().__init__(fullname, path)
        self._line, self._instead = line, instead

    def get_code(self, fullname: str) -> CodeType:
        """Compile the broken text; never from the cache."""
        source = self.get_data(self.path).decode()
        found = source.count(self._line)
        if found != 1:
            raise SystemExit(
                f"{self.path}: the line to break must stand there once, not {found} times: {self._line}"
            )
        return self.source_to_code(source.replace(self._line, self._instead), self.path)


class BrokenFinder(MetaPathFinder):
    """Find one module of the RTL with its broken line, and leave all others to those behind it."""

    def __init__(self, module: str, line: str, instead: str):
        self._module, self._change = f"{RTL}.{module}", (line, instead)

    def find_spec(self, fullname, path=None, target=None) -> ModuleSpec | None:
        """Find the broken module."""
        if fullname != self._module:
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is None or spec.origin is None:
            raise SystemExit(f"there is no module {fullname} to break")
        return ModuleSpec(fullname, BrokenSource(fullname, spec.origin, *self._change), origin=spec.origin)


def main() -> None:
    """Take the proof's name and its broken line: module, line, instead."""
    name, *change = sys.argv[1:]
    sys.meta_path.insert(0, BrokenFinder(*change))
    proof = import_module("gatewright.cosim.proofs.catalogue").proof(name)
    print(import_module("gatewright.cosim.proofs.formal").to_rtlil(proof))


if __name__ == "__main__":
    main()
