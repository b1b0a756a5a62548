"""The registers behind the AXI4-Lite port: the one table that RTL, drivers and documentation read."""

import dataclasses
import enum
from dataclasses import dataclass

from amaranth.hdl import Shape, unsigned
from amaranth.lib import data

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.interface import COUNTERS, JOB, LOAD_ADDRESS, ErrorCode, Region
from gatewright.hw.skipping import SHARE_BITS, Skip

WORD_BITS = 32
"""Width of a register and of the data bus."""

WORD_BYTES = WORD_BITS // 8

ADDRESS_BITS = 12
"""Width of the address bus: 4 KiB, the least that an AXI interconnect hands out."""

IDENTITY = int.from_bytes(b"GWRT", "big")
"""Value of the register IDENTITY."""

VERSION = 2
"""Value of the register VERSION: counts changes of this table that a driver has to know of."""


class Access(enum.Enum):
    """What the bus may do with a register; the rest is answered with SLVERR."""

    READ = "ro"
    WRITE = "wo"
    BOTH = "rw"


class Response(enum.IntEnum):
    """Answers of the AXI4-Lite port."""

    OKAY = 0
    SLVERR = 2
    """The register does not do that, or not now; nothing has changed."""
    DECERR = 3
    """There is no register at this address, or the address is not a multiple of 4."""


@dataclass(frozen=True)
class Register:
    """One register.

    Parameters
    ----------
    name : str
    offset : int
        Byte address, a multiple of 4.
    access : Access
    meaning : str
    fields : StructLayout or FlexibleLayout, optional
        Its fields; without them the register is one number.
    """

    name: str
    offset: int
    access: Access
    meaning: str
    fields: data.StructLayout | data.FlexibleLayout | None = None


CONTROL_FIELDS = data.StructLayout(
    {"start": 1, "fresh": 1, "skip": JOB["skip"].width, "discard": 1, "reset": 1}
)

STATUS_FIELDS = data.StructLayout(
    {"busy": 1, "idle": 1, "discarding": 1, "load_refused": 1, "error": Shape.cast(ErrorCode).width}
)

_FIRST = (
    ("IDENTITY", Access.READ, 'The letters "GWRT".', None),
    ("VERSION", Access.READ, "Version of this table.", None),
    (
        "CONTROL",
        Access.WRITE,
        "Commands; a job of no steps is refused with the error code STEPS.",
        CONTROL_FIELDS,
    ),
    ("STATUS", Access.READ, "State of the accelerator.", STATUS_FIELDS),
    ("STEPS", Access.BOTH, "Time steps of the next job.", data.StructLayout({"steps": JOB["steps"].width})),
    ("LOAD_ADDRESS", Access.BOTH, "Where the next word of LOAD_DATA goes.", LOAD_ADDRESS),
    (
        "LOAD_DATA",
        Access.WRITE,
        "A word for a memory; the offset in LOAD_ADDRESS then counts up. Refused while a job is running.",
        None,
    ),
    (
        "THRESHOLD",
        Access.BOTH,
        "Share of zero activations in a step, in 256ths, from which the next one skips zeros if `skip` is 2.",
        data.StructLayout({"threshold": SHARE_BITS}),
    ),
)
_COUNTERS_OFFSET = 0x40
_CONFIG_OFFSET = 0x80
_MAILBOX_OFFSET = 0x800

INPUT_FIELDS = data.FlexibleLayout(
    WORD_BITS, {"element": data.Field(unsigned(16), 0), "last": data.Field(unsigned(1), WORD_BITS - 1)}
)
"""`element`: an element of x, of which the low `activation_bits` count. `last`: it ends the sequence."""


def _consecutive(base: int, entries) -> tuple[Register, ...]:
    return tuple(
        Register(name, base + WORD_BYTES * k, access, meaning, fields)
        for k, (name, access, meaning, fields) in enumerate(entries)
    )


_COUNTED = {
    "cycles": "cycles from its start to the end of its last op",
    "matrix": "cycles with the lanes multiplying",
    "drain": "cycles with the drain unit at work",
    "chain_wait": "cycles with the matrix engine waiting for a vector that is still being produced",
    "interlock": "cycles with an op held back by a hazard although its unit is ready",
    "input_wait": "cycles waiting for the input",
    "output_wait": "cycles with an output waiting to be taken",
    "skipped": "column steps skipped as zero",
    "inputs": "elements of x taken",
    "zero_inputs": "elements of x taken that were zero",
}

COUNTER_REGISTERS = {
    name: register
    for (name, _), register in zip(
        COUNTERS,
        _consecutive(
            _COUNTERS_OFFSET,
            (
                (f"COUNT_{name.upper()}", Access.READ, f"Of the latest job: {_COUNTED[name]}.", None)
                for name, _ in COUNTERS
            ),
        ),
        strict=True,
    )
}
"""The registers of `interface.COUNTERS`, by the names of the counters."""

CONFIG_REGISTERS = {
    field.name: register
    for field, register in zip(
        dataclasses.fields(AcceleratorConfig),
        _consecutive(
            _CONFIG_OFFSET,
            (
                (f"CONFIG_{field.name.upper()}", Access.READ, f"`{field.name}` of the configuration.", None)
                for field in dataclasses.fields(AcceleratorConfig)
            ),
        ),
        strict=True,
    )
}
"""The registers of the configuration, by the names of its values."""

MAILBOX_REGISTERS = {
    register.name: register
    for register in _consecutive(
        _MAILBOX_OFFSET,
        (
            (
                "INPUT",
                Access.WRITE,
                "The next element of the input. Refused, without any effect, while ROOM is 0.",
                INPUT_FIELDS,
            ),
            (
                "OUTPUT",
                Access.READ,
                "The next result, signed, which the read takes. Refused while RESULTS is 0.",
                None,
            ),
            ("ROOM", Access.READ, "Elements that INPUT takes now.", None),
            ("RESULTS", Access.READ, "Results that OUTPUT has now.", None),
        ),
    )
}
"""The registers in place of streams, by name: only an accelerator behind AXI4-Lite alone has them."""

REGISTERS = {
    register.name: register
    for register in (
        *_consecutive(0, _FIRST),
        *COUNTER_REGISTERS.values(),
        *CONFIG_REGISTERS.values(),
        *MAILBOX_REGISTERS.values(),
    )
}
"""All registers by name."""

MEANINGS = {
    "CONTROL": {
        "start": "Run STEPS steps. Refused unless the accelerator is idle.",
        "fresh": "The job starts from a zero state; otherwise from the state that the job before it left.",
        "skip": "Whether the job passes over zero activations.",
        "discard": "Drop the input up to the next element that ends a sequence, that one included. Refused unless the "
        "accelerator is idle.",
        "reset": "End whatever the accelerator does, keep what is loaded, and ignore the other bits. Results that had "
        "already left still come, and the rest of a sequence that had begun must be discarded.",
    },
    "STATUS": {
        "busy": "A job is running.",
        "idle": "A job would be accepted.",
        "discarding": "The input is being dropped.",
        "load_refused": "A word came to LOAD_DATA during a job, since the latest accepted job or reset.",
        "error": "The first error since reset or since the latest accepted job.",
    },
    "STEPS": {"steps": "At least 1."},
    "LOAD_ADDRESS": {
        "offset": "Word of the memory; counts up with every word of LOAD_DATA.",
        "lane": "Lane of a weight or an index, position of a bias in its group, 32-bit quarter of an op, or 0 for the "
        "offset and 1 for the count of an entry of the column table.",
        "region": "Memory.",
    },
    "THRESHOLD": {"threshold": "Share in 256ths."},
    "INPUT": {
        "element": "An element of x, signed, of which the low `activation_bits` count.",
        "last": "The element ends its sequence.",
    },
}
"""What the fields of registers mean, by register and field."""

NAMED_VALUES: dict[tuple[str, str], type[enum.IntEnum]] = {
    ("CONTROL", "skip"): Skip,
    ("STATUS", "error"): ErrorCode,
    ("LOAD_ADDRESS", "region"): Region,
}
"""Fields whose values have names, by register and field."""

CONSTANTS = {"IDENTITY": IDENTITY, "VERSION": VERSION}
"""Registers that always read as the same value."""

LOADING = ("LOAD_ADDRESS", "LOAD_DATA")
"""Registers that an accelerator with a baked model does not have."""


def registers(baked: bool, mailbox: bool = False) -> dict[str, Register]:
    """Return the registers of an accelerator by name.

    Parameters
    ----------
    baked : bool
        It has a baked model, and nothing is loaded.
    mailbox : bool
        It takes its input and gives its results through registers.
    """
    absent = {*(LOADING if baked else ()), *(() if mailbox else MAILBOX_REGISTERS)}
    return {name: register for name, register in REGISTERS.items() if name not in absent}
