"""What an ``.npz`` of ours holds, without the checks of its reader."""

import json

from gatewright.archives import read_arrays
from gatewright.errors import BundleError


def stored(path):
    """Give the meta data and the arrays of a file that `write_npz` wrote."""
    arrays = read_arrays(path, "a file of ours", BundleError)
    return json.loads(arrays.pop("meta").tobytes()), arrays
