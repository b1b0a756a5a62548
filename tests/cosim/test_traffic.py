import numpy as np
import pytest

from gatewright.cosim.traffic import (
    JobFile,
    Run,
    cycle_limit,
    harness_parameters,
    input_payloads,
    load_payloads,
    read_log,
)
from gatewright.errors import DataError, ToolError
from gatewright.hw.interface import COUNTERS, JOB, LOAD, RESULT, ErrorCode, element

INPUT, RESULT_KIND, COUNTERS_KIND, DONE = 1, 2, 3, 4


def log_words(*entries):
    return np.array([kind << 56 | value for kind, value in entries], dtype="<u8")


def counter_entries(values):
    packed = COUNTERS.const(values).as_bits()
    return [(COUNTERS_KIND, packed >> 32 * k & 0xFFFFFFFF) for k in range(COUNTERS.size // 32)]


def test_job_file(tmp_path, config):
    job = JobFile(config, gaps=0.5, stalls=0.25)
    job.load(np.array([[0x10020003, 0xFF]], dtype=np.uint32), limit=9)
    job.run(np.array([[1, -1], [2, -32768]]), limit=1 << 40, fresh=False, skip=True)
    job.run(np.array([[7]]), limit=8)
    job.write(tmp_path / "0.job")
    words = np.fromfile(tmp_path / "0.job", dtype=">u8").tolist()
    head, *words = words
    assert (head >> 32, bool(head & 0xFFFFFFFF)) == (64 << 8 | 128, True)
    payload = LOAD.const({"data": 0xFF, "address": {"offset": 3, "lane": 2, "region": 1}}).as_bits()
    assert words[:3] == [1 << 56 | 1, 9, payload]
    job = JOB.const({"steps": 2, "fresh": 0, "skip": 1}).as_bits()
    assert words[3:6] == [2 << 56 | 4, 1 << 32 | 0xFFFFFFFF, job]
    assert words[6:10] == [1, 0xFFFF, 2, 1 << 16 | 0x8000]
    job = JOB.const({"steps": 1, "fresh": 1, "skip": 0}).as_bits()
    assert words[10:] == [2 << 56 | 1, 1 << 32 | 8, job, 1 << 16 | 7, 0]


def test_jobs_in_a_row_and_a_load_among_them(tmp_path, config):
    job = JobFile(config)
    job.intrude(np.array([[0x10020003, 0xFF]]), 7)
    job.run_all([Run(np.array([5]), 0), Run(np.array([6, 7]), 2, fresh=False)], limit=9)
    job.write(tmp_path / "0.job")
    words = np.fromfile(tmp_path / "0.job", dtype=">u8").tolist()[1:]
    payload = LOAD.const({"data": 0xFF, "address": {"offset": 3, "lane": 2, "region": 1}}).as_bits()
    assert words[:2] == [3 << 56 | 7, payload]
    jobs = [JOB.const({"steps": steps, "fresh": fresh}).as_bits() for steps, fresh in ((0, 1), (2, 0))]
    assert words[2:] == [2 << 56 | 3, 2 << 32 | 9, *jobs, 1 << 16 | 5, 6, 1 << 16 | 7, 0]


def test_input_payloads_mark_the_end_of_the_sequence():
    views = [
        element(8).from_bits(int(payload)) for payload in input_payloads(np.array([[1, -2], [3, -4]]), 8)
    ]
    assert [view["data"] for view in views] == [1, -2, 3, -4]
    assert [view["last"] for view in views] == [0, 0, 0, 1]
    assert len(input_payloads(np.zeros((0, 2), dtype=int), 8)) == 0


@pytest.mark.parametrize("rates", [{"gaps": 1.0}, {"stalls": -0.1}])
def test_job_file_refuses_rates(rates, config):
    with pytest.raises(DataError, match="must be from 0 to below 1"):
        JobFile(config, **rates)


def test_load_payloads_cover_the_image(compiled):
    words = compiled["sparse"].image.load_words()
    views = [LOAD.from_bits(int(payload)) for payload in load_payloads(words[-9:])]
    assert [view["data"] for view in views] == words[-9:, 1].tolist()
    assert [view["address"]["offset"] for view in views] == (words[-9:, 0] & 0xFFFF).tolist()


def test_log_file(tmp_path, config):
    counters = {name: number << 27 for number, (name, _) in enumerate(COUNTERS, 1)}
    words = log_words(
        (DONE, 44),
        (INPUT, element(16).const({"data": -32768, "last": 0}).as_bits()),
        (RESULT_KIND, RESULT.const({"data": -5, "last": 0}).as_bits()),
        (INPUT, element(16).const({"data": 32767, "last": 1}).as_bits()),
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


@pytest.mark.parametrize("mode", ["dense", "sparse"])
def test_limit_is_beyond_any_working_accelerator(compiled, mode):
    # One multiply-accumulate per lane and cycle, twice over for stalls, is the least that must be allowed.
    words = compiled[mode].image.weights.shape[1]
    assert cycle_limit(compiled[mode], 10) > 2 * 10 * words


def test_harness_parameters(config):
    parameters = harness_parameters(config)
    assert parameters["INPUT_BITS"] == config.activation_bits + 1
    assert parameters["RESULT_BITS"] == RESULT.size
    assert 1 << parameters["ERROR_BITS"] > max(ErrorCode)
