import numpy as np
import pytest

from gatewright.errors import BundleError
from gatewright.host.image import read_image


def test_pairs_of_address_and_data_in_load_order(tmp_path):
    words = np.array([[0x1000_0000, 5], [0x1001_0000, 0xFFFF_FFFF]], dtype=np.uint32)
    (tmp_path / "a.bin").write_bytes(bytes.fromhex("00000010 05000000 00000110 ffffffff"))
    found = read_image(tmp_path / "a.bin")
    assert found.dtype == np.uint32
    np.testing.assert_array_equal(found, words)


@pytest.mark.parametrize("contents", [b"", bytes(12)])
def test_what_has_no_whole_pairs_is_refused(tmp_path, contents):
    (tmp_path / "a.bin").write_bytes(contents)
    with pytest.raises(BundleError, match="must hold pairs of 8 bytes"):
        read_image(tmp_path / "a.bin")


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(BundleError, match="no load image"):
        read_image(tmp_path)
    with pytest.raises(BundleError, match="cannot be read"):
        read_image(tmp_path / "none.bin")
