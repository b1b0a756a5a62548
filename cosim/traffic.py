"""What the harness plays and logs: job files and log files, with the fields of the accelerator's ports."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from amaranth.hdl import Shape

from gatewright.errors import DataError, ToolError
from gatewright.hw.compiler.image import Compiled
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.cycles.model import predict
from gatewright.hw.interface import COUNTERS, JOB, LOAD, RESULT, ErrorCode, element
from gatewright.hw.skipping import Skip

# Kinds of words, as in harness.sv.
_LOAD, _RUN, _INTRUDE, _END = 1, 2, 3, 0
_SEEN_INPUT, _SEEN_RESULT, _SEEN_COUNTERS, _SEEN_DONE = 1, 2, 3, 4

_MAX_LIMIT = (1 << 32) - 1
_STARTING = 1000


def harness_parameters(config: AcceleratorConfig) -> dict[str, int]:
    """Give the widths that harness.sv takes as parameters, in bits."""
    return {
        "LOAD_BITS": LOAD.size,
        "JOB_BITS": JOB.size,
        "INPUT_BITS": element(config.activation_bits).size,
        "RESULT_BITS": RESULT.size,
        "COUNTERS_BITS": COUNTERS.size,
        "ERROR_BITS": Shape.cast(ErrorCode).width,
    }


def load_payloads(words: np.ndarray) -> np.ndarray:
    """Give the payloads (uint64) of the load bus for memory words, uint32 [words, 2] of address and data."""
    address, data = words.astype(np.uint64).T
    return (address << np.uint64(LOAD["address"].offset)) | (data << np.uint64(LOAD["data"].offset))


def input_payloads(x: np.ndarray, activation_bits: int) -> np.ndarray:
    """Give the payloads (uint64) of the input stream for one sequence, elements in order, the final one with `last`."""
    layout = element(activation_bits)
    mask = np.uint64((1 << activation_bits) - 1)
    payloads = (np.ravel(x).astype(np.int64).view(np.uint64) & mask) << np.uint64(layout["data"].offset)
    payloads[-1:] |= np.uint64(1 << layout["last"].offset)
    return payloads


def cycle_limit(compiled: Compiled, steps: int, *, gaps: float = 0.0, stalls: float = 0.0) -> int:
    """Give a number of cycles that ends a hang: some eight times what is predicted, more with gaps and stalls.

    Parameters
    ----------
    compiled : Compiled
    steps : int
        Of all jobs together.
    gaps, stalls : float
        As in `JobFile`.
    """
    # A step that begins with all of its latencies in front takes less than two in a row.
    step = predict(compiled, 2, fresh=False).cycles
    return _STARTING + 16 * compiled.config.program_depth + _stretched(4 * steps * step, gaps, stalls)


def expected_cycles(compiled: Compiled, steps: int, *, gaps: float = 0.0, stalls: float = 0.0) -> int:
    """Return about how many cycles it takes to load a model and to run it, with the parameters of `cycle_limit`."""
    words = len(compiled.image.load_words())
    return _stretched(4 * words + steps * predict(compiled, 2, fresh=False).cycles // 2, gaps, stalls)


def load_limit(words: int, *, gaps: float = 0.0) -> int:
    """Give the same for the loading of a number of words, which takes some ten cycles a word through AXI4-Lite."""
    return _STARTING + _stretched(40 * words, gaps, 0.0)


def _stretched(cycles: int, gaps: float, stalls: float) -> int:
    """Give how many cycles work takes at most where in so many of them a stream pauses."""
    return math.ceil(cycles / ((1 - gaps) * (1 - stalls)))


class Run(NamedTuple):
    """One job and the sequence that goes with it.

    Parameters
    ----------
    x : int array
        Elements of the sequence in order, in any shape.
    steps : int
        Time steps that the job asks for.
    fresh : bool
    skip : Skip
    threshold : int
    """

    x: np.ndarray
    steps: int
    fresh: bool = True
    skip: Skip = Skip.NEVER
    threshold: int = 0


class JobFile:
    """Commands for the harness, to be played in order.

    Parameters
    ----------
    config : AcceleratorConfig
        The accelerator in the harness.
    seed : int
        Of the harness's random gaps and stalls.
    gaps : float
        Share of cycles in which a stream into the accelerator pauses, 0 to 1 (excluded).
    stalls : float
        Share of cycles in which the output stream is not ready, 0 to 1 (excluded).
    """

    def __init__(self, config: AcceleratorConfig, *, seed: int = 0, gaps: float = 0.0, stalls: float = 0.0):
        for name, rate in (("gaps", gaps), ("stalls", stalls)):
            if not 0 <= rate < 1:
                raise DataError(f"{name} must be from 0 to below 1, not {rate}")
        self._activation_bits = config.activation_bits
        # An all-zero state would keep the harness's xorshift generator at zero.
        start = (seed * 0x9E3779B9 + 1) & 0xFFFFFFFF or 1
        self._parts: list[Sequence[int] | np.ndarray] = [
            [int(stalls * 256) << 40 | int(gaps * 256) << 32 | start]
        ]

    def load(self, words: np.ndarray, limit: int) -> None:
        """Load memory words (as `Image.load_words` gives them) within `limit` cycles."""
        self._command(_LOAD, len(words), min(limit, _MAX_LIMIT))
        self._parts.append(load_payloads(words))

    def run(
        self,
        x: np.ndarray,
        limit: int,
        *,
        fresh: bool = True,
        skip: Skip = Skip.NEVER,
        threshold: int = 0,
    ) -> None:
        """Run one sequence, int array [steps, inputs], within `limit` cycles."""
        self.run_all([Run(x, len(x), fresh, skip, threshold)], limit)

    def run_all(self, runs: Sequence[Run], limit: int) -> None:
        """Run jobs within `limit` cycles, each on offer while the one before it runs, as are its elements."""
        self._command(_RUN, sum(run.x.size for run in runs), len(runs) << 32 | min(limit, _MAX_LIMIT))
        for run in runs:
            job = {
                "steps": run.steps,
                "fresh": int(run.fresh),
                "skip": int(run.skip),
                "threshold": run.threshold,
            }
            self._parts.append([JOB.const(job).as_bits()])
        self._parts += [input_payloads(run.x, self._activation_bits) for run in runs]

    def intrude(self, word: np.ndarray, cycles: int) -> None:
        """Offer one memory word, uint32 [1, 2], so many cycles after the job of the next run has begun."""
        self._parts.append([_INTRUDE << 56 | cycles])
        self._parts.append(load_payloads(word))

    def write(self, path: Path) -> None:
        """Write the file."""
        words = np.concatenate([np.asarray(part, dtype=np.uint64) for part in [*self._parts, [_END]]])
        Path(path).write_bytes(words.astype(">u8").tobytes())

    def _command(self, kind: int, count: int, argument: int) -> None:
        self._parts.append([kind << 56 | count, argument])


@dataclass(frozen=True)
class Observation:
    """What the harness saw of one command.

    Parameters
    ----------
    inputs : int64 array
        Elements that the accelerator took, in order.
    results : int64 array
        Data of the transfers on the output stream, in order.
    last : bool array
        Their `last` marks.
    jobs : tuple of dict of int
        The counters at the end of each job; none for a load.
    cycles : int
        Cycles from the command's start to its end.
    error : ErrorCode
        The error port at the end of the first job that has an error, or at the command's.
    limited : bool
        The command ran into its cycle limit.
    """

    inputs: np.ndarray
    results: np.ndarray
    last: np.ndarray
    jobs: tuple[dict[str, int], ...]
    cycles: int
    error: ErrorCode
    limited: bool

    @property
    def counters(self) -> dict[str, int]:
        """The counters at the end; empty for a load."""
        return self.jobs[-1] if self.jobs else {}


def read_log(path: Path, config: AcceleratorConfig) -> list[Observation]:
    """Read a log file: one observation for each command that was carried out.

    Raises
    ------
    ToolError
        The file does not end behind a whole command.
    """
    words = np.fromfile(path, dtype="<u8")
    kinds, values = words >> np.uint64(56), words & np.uint64((1 << 56) - 1)
    ends = np.flatnonzero(kinds == _SEEN_DONE)
    if not len(ends) or ends[-1] != len(words) - 1:
        raise ToolError(f"{path}: the log of the simulation is not complete")
    commands = zip(np.split(kinds, ends + 1), np.split(values, ends + 1), strict=True)
    return [_observation(kind, value, config) for kind, value in commands if len(kind)]


def _observation(kinds: np.ndarray, values: np.ndarray, config: AcceleratorConfig) -> Observation:
    elements, taken = element(config.activation_bits), values[kinds == _SEEN_INPUT]
    seen = values[kinds == _SEEN_RESULT]
    chunks = values[kinds == _SEEN_COUNTERS].reshape(-1, COUNTERS.size // 32)
    done = int(values[-1])
    return Observation(
        inputs=_signed(taken >> np.uint64(elements["data"].offset), config.activation_bits),
        results=_signed(seen >> np.uint64(RESULT["data"].offset), RESULT["data"].width),
        last=(seen >> np.uint64(RESULT["last"].offset) & np.uint64(1)).astype(bool),
        jobs=tuple(_counters(each) for each in chunks.tolist()),
        cycles=done & 0xFFFFFFFF,
        error=ErrorCode(done >> 32 & 0xFFFF),
        limited=bool(done >> 48 & 1),
    )


def _counters(chunks: list[int]) -> dict[str, int]:
    counters = COUNTERS.from_bits(sum(chunk << 32 * k for k, chunk in enumerate(chunks)))
    return {name: int(counters[name]) for name, _ in COUNTERS}


def _signed(words: np.ndarray, bits: int) -> np.ndarray:
    """Read the low `bits` bits of words as signed numbers: int64."""
    return (words << np.uint64(64 - bits)).view(np.int64) >> (64 - bits)
