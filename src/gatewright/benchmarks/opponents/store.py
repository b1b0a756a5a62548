"""What a comparison has found so far, on disk: candidates one line each, parts one file each."""

import json
from dataclasses import asdict
from pathlib import Path

from gatewright.benchmarks.compare import Ask
from gatewright.cosim.search.evaluation import Evaluation, Infeasible
from gatewright.errors import RunFolderError
from gatewright.sw.search.distinct import Key
from gatewright.sw.search.space import Candidate, SearchSpace


class Known:
    """Evaluates each model once, however many searches of however many runs ask: what it was told stays on disk.

    Parameters
    ----------
    path : Path
        A file with a line for each model; a last line that is not whole, as a killed run leaves it, is forgotten.
    space : SearchSpace
        Tells which candidates are one model.
    evaluate : callable
        Asked for what the file does not hold.

    Raises
    ------
    RunFolderError
        Another line of the file is malformed.
    """

    def __init__(self, path: Path, space: SearchSpace, evaluate: Ask):
        self._path, self._key, self._evaluate = path, space.key, evaluate
        self._found: dict[Key, Evaluation | Infeasible] = {}
        text = path.read_text() if path.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            path.write_text(whole)
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                entry = json.loads(line)
                found = entry["found"]
                kind = Infeasible if "reason" in found else Evaluation
                self._found[self._key(entry["candidate"])] = kind(**found)
            except (ValueError, KeyError, TypeError) as error:
                raise RunFolderError(
                    f"{path}, line {number}: no candidate ({error!r}); delete the file to evaluate anew"
                ) from error

    def __len__(self) -> int:
        return len(self._found)

    def __contains__(self, candidate: Candidate) -> bool:
        return self._key(candidate) in self._found

    def __call__(self, candidate: Candidate) -> Evaluation | Infeasible:
        """Return what a candidate was found to be."""
        key = self._key(candidate)
        if key not in self._found:
            found = self._evaluate(candidate)
            entry = {"candidate": dict(candidate), "found": asdict(found)}
            with self._path.open("a") as stream:
                stream.write(json.dumps(entry) + "\n")
            self._found[key] = found
        return self._found[key]
