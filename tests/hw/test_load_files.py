import numpy as np
import pytest

from gatewright.cosim.workloads import random_bundle
from gatewright.errors import BundleError
from gatewright.hw.compiler import compile_bundle, load_files, smallest_config
from gatewright.hw.compiler.load_files import binary, read_binary, read_text, text
from gatewright.hw.interface import Region

WORDS = np.array([[0x10020003, 0x000000FF], [0x30000001, 0xFFFFFFFE]], dtype=np.uint32)


def test_bytes_are_pairs_of_little_endian_words():
    assert binary(WORDS) == bytes.fromhex("03000210 ff000000 01000030 feffffff")


def test_text_has_an_address_and_its_data_in_a_line():
    assert text(WORDS) == "10020003 000000ff\n30000001 fffffffe\n"


@pytest.mark.parametrize(("write", "read"), [(binary, read_binary), (lambda w: text(w).encode(), read_text)])
def test_the_words_of_an_image_come_back(write, read, tmp_path):
    bundle = random_bundle(3, inputs=3, hidden=5, classes=2, lanes=4, unbalanced=0.5)
    image = compile_bundle(
        bundle, smallest_config([(bundle, "sparse")], lanes=4, cell_lanes=1), mode="sparse"
    ).image
    path = tmp_path / "image"
    path.write_bytes(write(image.load_words()))
    assert np.array_equal(read(path), image.load_words())
    regions = read(path)[:, 0] >> 28
    assert np.count_nonzero(regions == Region.WEIGHT) == image.weights.size
    assert np.count_nonzero(regions == Region.BIAS) == image.biases.size
    assert np.count_nonzero(regions == Region.PROGRAM) == 4 * len(image.program)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"10020003 000000ff", "line 1: .* is no whole line"),
        (b"10020003 000000ff\n1002 ff\n", "line 2"),
        (b"10020003 000000ff\n10020003_000000ff\n", "line 2"),
        (b"10020003 00000-ff\n", "line 1"),
        (b"10020003 000000ff\r\n", "line 1"),
        (b"", "line 1"),
        (b"10020003 000000ff\n10020003 000000f\n1002", r"line 2: b'10020003 000000f' is no whole line"),
        (b"10020003 000000ff\n" * 2 + b"-" * 50, f"line 3: b'{'-' * 40}' is no whole line"),
        (b"-" * 50, f"line 1: b'{'-' * 40}' is no whole line"),
    ],
)
def test_malformed_text_is_refused_with_its_place(content, told, tmp_path):
    path = tmp_path / "image.hex"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=told):
        read_text(path)


def test_malformed_bytes_are_refused(tmp_path):
    path = tmp_path / "image.bin"
    for count in (0, 4, 12, 15):
        path.write_bytes(binary(WORDS)[:count])
        with pytest.raises(BundleError, match=f"{count} bytes are no whole number of pairs"):
            read_binary(path)
    with pytest.raises(BundleError, match="cannot be read"):
        read_binary(tmp_path / "none.bin")


@pytest.mark.parametrize("pairs", [1, 2, 3])
def test_any_number_of_pairs_is_read(pairs, tmp_path):
    path, words = tmp_path / "image.bin", np.resize(WORDS, (pairs, 2))
    path.write_bytes(binary(words))
    assert np.array_equal(read_binary(path), words)


def test_files_of_any_length_are_not_read(monkeypatch, tmp_path):
    path = tmp_path / "image.bin"
    path.write_bytes(binary(WORDS))
    monkeypatch.setattr(load_files, "MOST_BYTES", 16)
    assert np.array_equal(read_binary(path), WORDS)
    monkeypatch.setattr(load_files, "MOST_BYTES", 15)
    with pytest.raises(BundleError, match=r"image\.bin has more than 15 bytes"):
        read_binary(path)
