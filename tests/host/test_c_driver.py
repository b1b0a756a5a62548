"""The C driver: compiled without a library, and run against the simulated registers."""

import ctypes
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import gatewright.host
from gatewright.cosim.board.simulated import SimulatedRegisters
from gatewright.hw.interface import ErrorCode
from gatewright.hw.registers.c_header import HEADER, c_header
from gatewright.hw.rtl.axi_registers import Response, registers

pytestmark = pytest.mark.slow

FOLDER = Path(gatewright.host.__file__).parent / "c"
STRICT = ["gcc", "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O1", f"-I{FOLDER}"]
SHIM = """
#include "gatewright.h"
uint32_t (*reader)(uintptr_t);
void (*writer)(uintptr_t, uint32_t);
uint32_t gatewright_bus_read(uintptr_t address) { return reader(address); }
void gatewright_bus_write(uintptr_t address, uint32_t value) { writer(address, value); }
"""
OK, ABSENT, REPORTED, STUCK, TOO_FEW = range(5)
BASE = 0x1000


@pytest.fixture(scope="module")
def include(tmp_path_factory):
    folder = tmp_path_factory.mktemp("include")
    (folder / HEADER).write_text(c_header(registers(baked=False, mailbox=True)))
    return folder


class Driver(ctypes.Structure):
    _fields_ = (("base", ctypes.c_size_t), ("patience", ctypes.c_uint32), ("error", ctypes.c_uint32))


class Job(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in ("steps", "inputs", "fresh", "skip", "threshold"))


@pytest.fixture(scope="module")
def library(include):
    shim, built = include / "shim.c", include / "driver.so"
    shim.write_text(SHIM)
    command = [*STRICT, f"-I{include}", "-DGATEWRIGHT_BUS_FUNCTIONS", "-shared", "-fPIC", "-o", built]
    subprocess.run([*command, FOLDER / "gatewright.c", shim], check=True)
    return ctypes.CDLL(str(built))


@pytest.fixture
def driver(library, mapped_text):
    """The driver on simulated registers, where a refused access is a failure."""
    refused = []
    read_kind = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_size_t)
    write_kind = ctypes.CFUNCTYPE(None, ctypes.c_size_t, ctypes.c_uint32)
    with SimulatedRegisters(mapped_text) as registers:

        def read(address):
            found = registers.read(address - BASE)
            refused.extend([] if found.response == Response.OKAY else [("read", address)])
            return found.words[0] if found.words else 0

        def write(address, value):
            found = registers.write(address - BASE, [value])
            refused.extend([] if found.response == Response.OKAY else [("write", address)])

        functions = read_kind(read), write_kind(write)
        for name, function in zip(("reader", "writer"), functions, strict=True):
            ctypes.c_void_p.in_dll(library, name).value = ctypes.cast(function, ctypes.c_void_p).value
        handle = Driver()
        assert library.gatewright_open(ctypes.byref(handle), ctypes.c_size_t(BASE)) == OK
        handle.patience = 2000
        yield SimpleNamespace(
            library=library, handle=ctypes.byref(handle), refused=refused, functions=functions
        )
    assert refused == []


def load(driver, words):
    image = np.ascontiguousarray(words, dtype=np.uint32)
    return driver.library.gatewright_load(
        driver.handle, ctypes.c_void_p(image.ctypes.data), ctypes.c_size_t(len(image))
    )


def run(driver, x, count, *, inputs=None, fresh=1):
    elements, results = x.astype(np.int16), np.zeros(count, dtype=np.int32)
    job = Job(steps=len(x), inputs=x.shape[1] if inputs is None else inputs, fresh=fresh)
    outcome = driver.library.gatewright_run(
        driver.handle,
        ctypes.byref(job),
        ctypes.c_void_p(elements.ctypes.data),
        ctypes.c_void_p(results.ctypes.data),
        ctypes.c_size_t(count),
    )
    return outcome, results


@pytest.mark.parametrize("file", ["gatewright.c", "example.c"])
def test_it_compiles_without_a_library(include, tmp_path, file):
    command = [*STRICT, "-ffreestanding", f"-I{include}", "-c", FOLDER / file, "-o", tmp_path / "object.o"]
    subprocess.run(command, check=True)


@pytest.mark.parametrize(
    ("baked", "mailbox", "complaint"), [(True, True, ""), (False, False, "build --mapped")]
)
def test_it_suits_the_registers_that_there_are(baked, mailbox, complaint, tmp_path):
    (tmp_path / HEADER).write_text(c_header(registers(baked, mailbox)))
    command = [*STRICT, f"-I{tmp_path}", "-c", FOLDER / "gatewright.c", "-o", tmp_path / "object.o"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (not complaint), done.stderr
    assert complaint in done.stderr


def test_sequences_are_bit_exact(driver, model):
    assert load(driver, model.words) == OK
    for x, wanted in zip(model.sequences, model.wanted, strict=True):
        outcome, results = run(driver, x, wanted.size)
        assert outcome == OK
        np.testing.assert_array_equal(results, wanted)


def test_state_is_carried_over(driver, model):
    assert load(driver, model.words) == OK
    x, wanted = model.sequences[0], model.wanted[0]
    half = wanted.size // len(x) * 2
    first, rest = run(driver, x[:2], half), run(driver, x[2:], wanted.size - half, fresh=0)
    assert (first[0], rest[0]) == (OK, OK)
    np.testing.assert_array_equal(np.concatenate([first[1], rest[1]]), wanted)


def test_errors_are_told_and_the_next_sequence_is_right(driver, model):
    x, wanted = model.sequences[0], model.wanted[0]
    error = driver.library.gatewright_error
    assert load(driver, [[0x7000_0000, 1]]) == REPORTED
    assert error(driver.handle) == ErrorCode.LOAD_ADDRESS
    assert load(driver, model.words) == OK
    assert run(driver, x, wanted.size, inputs=2)[0] == REPORTED
    assert error(driver.handle) == ErrorCode.LENGTH
    assert run(driver, x[:0], 0)[0] == REPORTED
    assert error(driver.handle) == ErrorCode.STEPS
    assert run(driver, x, wanted.size + 1)[0] == TOO_FEW
    outcome, results = run(driver, x, wanted.size)
    assert outcome == OK
    np.testing.assert_array_equal(results, wanted)


def test_nothing_there_is_told(library, driver):
    zero = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_size_t)(lambda _: 0)
    ctypes.c_void_p.in_dll(library, "reader").value = ctypes.cast(zero, ctypes.c_void_p).value
    assert library.gatewright_open(ctypes.byref(Driver()), ctypes.c_size_t(BASE)) == ABSENT
