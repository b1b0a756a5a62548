"""The driver: an accelerator as an object."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gatewright.errors import DataError, DeviceError
from gatewright.host.transport import Outcome, Transport
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import ErrorCode
from gatewright.hw.rtl.axi_registers import (
    CONFIG_REGISTERS,
    CONTROL_FIELDS,
    COUNTER_REGISTERS,
    IDENTITY,
    INPUT_FIELDS,
    REGISTERS,
    STATUS_FIELDS,
    VERSION,
    Response,
)
from gatewright.hw.skipping import Skip

STUCK_SECONDS = 30.0
"""How long an accelerator may neither take nor give anything, until it counts as stuck."""


@dataclass(frozen=True)
class State:
    """What STATUS says, by the names of its fields."""

    busy: bool
    idle: bool
    discarding: bool
    load_refused: bool
    error: ErrorCode


class Accelerator:
    """An accelerator behind registers with a mailbox.

    It is reset at first, which ends what a host before left unfinished; the model that is loaded stays.

    Parameters
    ----------
    transport : Transport
        Leads to its registers.

    Attributes
    ----------
    config : AcceleratorConfig
        What it says of itself.

    Raises
    ------
    DeviceError
        It is no accelerator, or of another version, or has no mailbox.
    """

    def __init__(self, transport: Transport):
        self.transport = transport
        identity, version = self._get("IDENTITY"), self._get("VERSION")
        if identity != IDENTITY:
            raise DeviceError(
                f"register IDENTITY is {identity:#010x}, not {IDENTITY:#010x}: no accelerator is there"
            )
        if version != VERSION:
            raise DeviceError(
                f"the accelerator's registers are of version {version}, this driver's of version {VERSION}; build its "
                "bitstream again with this release"
            )
        if transport.read(REGISTERS["ROOM"].offset).response != Response.OKAY:
            raise DeviceError("the accelerator has no mailbox: drive its AXI4-Stream ports instead")
        self.reset()
        values = self._ok(transport.read(_first(CONFIG_REGISTERS), len(CONFIG_REGISTERS), increment=True))
        self.config = AcceleratorConfig.from_json(dict(zip(CONFIG_REGISTERS, values.words, strict=True)))

    def check(self, config: AcceleratorConfig) -> None:
        """Refuse an accelerator that is not the one that a model was compiled for.

        Raises
        ------
        DeviceError
            Its configuration is another; the text names the values that differ.
        """
        here, wanted = self.config.to_json(), config.to_json()
        other = [
            f"{name} is {here[name]}, not {value}" for name, value in wanted.items() if here[name] != value
        ]
        if other:
            raise DeviceError(
                f"the accelerator is not the one of this build: {', '.join(other)}; load the build's own bitstream"
            )

    def load(self, words: np.ndarray) -> None:
        """Load a model.

        Parameters
        ----------
        words : uint32 array [words, 2]
            Addresses and data, as `Image.load_words` and `load_files.read_binary` return them.

        Raises
        ------
        DeviceError
            A job is running, or a word is for no memory of this accelerator.
        """
        addresses, values = words[:, 0].astype(np.int64), words[:, 1]
        ends = [*(np.flatnonzero(np.diff(addresses) != 1) + 1).tolist(), len(addresses)]
        begin = 0
        for end in ends:
            self._set("LOAD_ADDRESS", int(addresses[begin]))
            self._ok(self.transport.write(REGISTERS["LOAD_DATA"].offset, values[begin:end].tolist()))
            begin = end
        self.wait()

    def run(
        self,
        x: np.ndarray,
        count: int,
        *,
        fresh: bool = True,
        skip: Skip | bool = False,
        threshold: int = 0,
    ) -> np.ndarray:
        """Run one sequence.

        Parameters
        ----------
        x : int array [steps, inputs]
            Inputs in LSB of the model's input format.
        count : int
            Results that come, as `Compiled.result_count` says.
        fresh : bool
            Start from a zero state; else go on from the sequence before.
        skip : Skip or bool
            Whether zero activations are passed over.
        threshold : int
            Share of zeros from which they are where the hardware decides, in 256ths.

        Returns
        -------
        int64 array [count]
            Results in order.

        Raises
        ------
        DataError
            `x` does not consist of steps of integers of the accelerator's width.
        DeviceError
            The accelerator reports an error, whose code the text names, or does not go on. It is reset then.
        """
        self._check(x)
        self.wait()
        self._set("STEPS", len(x))
        self._set("THRESHOLD", threshold)
        control = CONTROL_FIELDS.const({"start": 1, "fresh": fresh, "skip": int(Skip(skip))})
        self._set("CONTROL", control.as_bits())
        try:
            results = self._stream(_input_words(x), count)
            self.wait()
        except DeviceError:
            self.reset()
            raise
        return np.array(results, dtype=np.uint32).view(np.int32).astype(np.int64)

    def _check(self, x: np.ndarray) -> None:
        high = (1 << self.config.activation_bits - 1) - 1
        low = -high - 1
        integers = x.ndim == 2 and np.issubdtype(x.dtype, np.integer)
        if not integers or (x.size and not low <= x.min() <= x.max() <= high):
            raise DataError(
                f"a sequence must be [steps, inputs] of integers from {low} to {high}, in LSB of the model's input "
                f"format, not {x.dtype} of shape {x.shape}" + (f" up to {x.max()}" if integers else "")
            )

    def reset(self) -> None:
        """End what the accelerator does and empty its mailbox; what is loaded stays."""
        self._set("CONTROL", CONTROL_FIELDS.const({"reset": 1}).as_bits())

    def status(self) -> State:
        """Return what the accelerator says of itself."""
        found = STATUS_FIELDS.from_bits(self._get("STATUS"))
        return State(
            busy=bool(found.busy),
            idle=bool(found.idle),
            discarding=bool(found.discarding),
            load_refused=bool(found.load_refused),
            error=ErrorCode(found.error),
        )

    def counters(self) -> dict[str, int]:
        """Return the counters of the latest job by the names of `interface.COUNTERS`; zeros where it has none."""
        found = self._ok(
            self.transport.read(_first(COUNTER_REGISTERS), len(COUNTER_REGISTERS), increment=True)
        )
        return dict(zip(COUNTER_REGISTERS, found.words, strict=True))

    def wait(self) -> None:
        """Wait until a job would be accepted.

        Raises
        ------
        DeviceError
            The accelerator reports an error, or does not become idle.
        """
        limit = time.monotonic() + STUCK_SECONDS
        while time.monotonic() < limit:
            status = self.status()
            _raise(status)
            if status.idle:
                return
        raise DeviceError(
            "the accelerator does not become idle; press the board's reset, and load the model again"
        )

    def _stream(self, words: list[int], count: int) -> list[int]:
        """Write elements and read results, each as far as it goes."""
        results: list[int] = []
        limit = time.monotonic() + STUCK_SECONDS
        while words or len(results) < count:
            taken = self._partly(self.transport.write(REGISTERS["INPUT"].offset, words)).count if words else 0
            words = words[taken:]
            found = self._partly(self.transport.read(REGISTERS["OUTPUT"].offset, count - len(results)))
            results += found.words
            if taken or found.count:
                limit = time.monotonic() + STUCK_SECONDS
                continue
            status = self.status()
            _raise(status)
            over = not (status.busy or self._get("RESULTS"))
            if over or time.monotonic() > limit:
                missing = count - len(results)
                raise DeviceError(f"{missing} of {count} results do not come; is another model loaded?")
        return results

    def _get(self, name: str) -> int:
        return self._ok(self.transport.read(REGISTERS[name].offset), name).words[0]

    def _set(self, name: str, value: int) -> None:
        self._ok(self.transport.write(REGISTERS[name].offset, [value]), name)

    def _ok(self, outcome: Outcome, name: str = "a register") -> Outcome:
        if outcome.response != Response.OKAY:
            _raise(self.status())
            raise DeviceError(f"{name} was answered {outcome.response.name} after {outcome.count} accesses")
        return outcome

    def _partly(self, outcome: Outcome) -> Outcome:
        """Take what was done before the mailbox was full or empty."""
        if outcome.response == Response.DECERR:
            raise DeviceError("the accelerator has no mailbox any more; press the board's reset")
        return outcome


def _raise(status: State) -> None:
    if status.error is not ErrorCode.NONE:
        raise DeviceError(f"the accelerator reports the error {status.error.name}: {_MEANINGS[status.error]}")


_MEANINGS = {
    ErrorCode.OPCODE: "its program has an unknown op; load the model again",
    ErrorCode.NO_END: "its program does not end; load a model first",
    ErrorCode.STEPS: "a sequence needs at least one step",
    ErrorCode.LOAD_ADDRESS: "the image is for another accelerator; take the image of the bitstream's build",
    ErrorCode.LOAD_BUSY: "a word was loaded while a job was running",
    ErrorCode.LENGTH: "the sequence has another length than STEPS and the model's inputs say; look at its shape",
}


def _first(registers: dict) -> int:
    return next(iter(registers.values())).offset


def _input_words(x: np.ndarray) -> list[int]:
    """Return what is written to INPUT for a sequence."""
    last = INPUT_FIELDS.const({"last": 1}).as_bits()
    mask = (1 << INPUT_FIELDS["element"].width) - 1
    words: Sequence[int] = x.ravel().tolist()
    kept = [value & mask for value in words]
    return [*kept[:-1], kept[-1] | last]
