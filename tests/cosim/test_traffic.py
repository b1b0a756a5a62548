import numpy as np
import pytest

from gatewright.cosim.traffic import JobFile, cycle_limit, harness_parameters, load_payloads, read_log
from gatewright.errors import DataError, ToolError
from gatewright.hw.interface import COUNTERS, JOB, LOAD, RESULT, ErrorCode

INPUT, RESULT_KIND, COUNTERS_KIND, DONE = 1, 2, 3, 4


def log_words(*entries):
    return np.array([kind << 56 | value for kind, value in entries], dtype="<u8")


def counter_entries(values):
    packed = COUNTERS.const(values).as_bits()
    return [(COUNTERS_KIND, packed >> 32 * k & 0xFFFFFFFF) for k in range(COUNTERS.size // 32)]


def test_job_file(tmp_path):
    job = JobFile(gaps=0.5, stalls=0.25)
    job.load(np.array([[0x10020003, 0xFF]], dtype=np.uint32), limit=9)
    job.run(np.array([[1, -1], [2, -128]]), limit=1 << 40, fresh=False)
    job.write(tmp_path / "0.job")
    words = np.fromfile(tmp_path / "0.job", dtype=">u8").tolist()
    head, load, payload, run, start, *elements, end = words
    assert (head >> 32, bool(head & 0xFFFFFFFF)) == (64 << 8 | 128, True)
    assert load == 1 << 56 | 1 << 32 | 9
    assert payload == LOAD.const({"data": 0xFF, "address": {"offset": 3, "lane": 2, "region": 1}}).as_bits()
    assert run == 2 << 56 | 4 << 32 | 0xFFFFFFFF
    assert start == JOB.const({"steps": 2, "fresh": 0}).as_bits()
    assert [word & 0xFF for word in elements] == [1, 255, 2, 128]
    assert end == 0


@pytest.mark.parametrize("rates", [{"gaps": 1.0}, {"stalls": -0.1}])
def test_job_file_refuses_rates(rates):
    with pytest.raises(DataError, match="must be from 0 to below 1"):
        JobFile(**rates)


def test_load_payloads_cover_the_image(compiled):
    words = compiled["sparse"].image.load_words()
    views = [LOAD.from_bits(int(payload)) for payload in load_payloads(words[-9:])]
    assert [view["data"] for view in views] == words[-9:, 1].tolist()
    assert [view["address"]["offset"] for view in views] == (words[-9:, 0] & 0xFFFF).tolist()


def test_log_file(tmp_path, config):
    counters = {"cycles": 1 << 31, "matrix": 2, "drain": 3, "input_wait": 4, "output_wait": 5}
    words = log_words(
        (DONE, 44),
        (INPUT, 0x8000),
        (RESULT_KIND, RESULT.const({"data": -5, "last": 0}).as_bits()),
        (INPUT, 0x7FFF),
        (RESULT_KIND, RESULT.const({"data": 1 << 30, "last": 1}).as_bits()),
        *counter_entries(counters),
        (DONE, 1 << 48 | int(ErrorCode.STEPS) << 32 | 77),
    )
    words.tofile(tmp_path / "0.seen")
    load, run = read_log(tmp_path / "0.seen", config)
    assert (load.cycles, load.counters, load.limited, load.error) == (44, {}, False, ErrorCode.NONE)
    assert run.inputs.tolist() == [-32768, 32767]
    assert run.results.tolist() == [-5, 1 << 30]
    assert run.last.tolist() == [False, True]
    assert run.counters == counters
    assert (run.cycles, run.limited, run.error) == (77, True, ErrorCode.STEPS)


@pytest.mark.parametrize("entries", [[], [(INPUT, 3)], [(DONE, 4), (INPUT, 3)]])
def test_incomplete_log_file(tmp_path, config, entries):
    log_words(*entries).tofile(tmp_path / "0.seen")
    with pytest.raises(ToolError, match="not complete"):
        read_log(tmp_path / "0.seen", config)


def test_limit_is_beyond_any_working_accelerator(compiled):
    # One multiply-accumulate per lane and cycle, twice over for stalls, is the least that must be allowed.
    entries = compiled["dense"].image.weights.shape[1]
    assert cycle_limit(compiled["dense"], 10) > 2 * 10 * entries


def test_harness_parameters(config):
    parameters = harness_parameters(config)
    assert parameters["INPUT_BITS"] == config.activation_bits
    assert parameters["RESULT_BITS"] == RESULT.size
    assert 1 << parameters["ERROR_BITS"] > max(ErrorCode)
