import numpy as np
import pytest

from gatewright.hw.compiler.contents import Contents
from gatewright.hw.compiler.pack import Packed
from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.ops import Op, Opcode

CONFIG = AcceleratorConfig(lanes=8, cell_lanes=1, narrowest_weight=2)


def packed(words, first, *, table=None, sparse=False, private=False):
    """A matrix whose words count up from a number, lane after lane."""
    weights = first + np.arange(8 * words, dtype=np.uint8).reshape(8, words)
    return Packed(
        weights=weights,
        indices=weights.astype(np.uint32)[:, : words if sparse else 0],
        columns=5,
        tail=1,
        words=3,
        table=table,
        split=2,
        sparse=sparse,
        private=private,
        rows=4,
    )


def test_vectors_begin_at_words_of_their_own():
    contents = Contents(CONFIG)
    assert [contents.vector(size) for size in (1, 8, 9, 16, 3)] == [0, 1, 2, 4, 6]
    assert contents.vectors == 7


def test_states_are_handed_out_in_groups():
    contents = Contents(CONFIG)
    assert [contents.state(groups) for groups in (3, 1, 2)] == [0, 3, 4]
    assert contents.states == 6


def test_nothing_is_counted_before_it_is_stored():
    contents = Contents(CONFIG)
    assert (contents.vectors, contents.states, contents.private_rows) == (0, 0, 0)


def test_matrices_follow_each_other_in_every_memory():
    first, second = np.array([[0, 1], [1, 0]]), np.array([[2, 7]])
    matrices = (
        packed(4, 0, table=first, sparse=True),
        packed(3, 50),
        packed(2, 90, table=second, sparse=True, private=True),
        packed(1, 120, private=True),
    )
    contents = Contents(CONFIG)
    given = {"columns": 5, "tail": 1, "words": 3, "split": 2}
    where = [
        {"weight_base": 0, "index_base": 0, "table_base": 0, "sparse": 1, "table": 1, "private": 0},
        {"weight_base": 4, "index_base": 4, "table_base": 2, "sparse": 0, "table": 0, "private": 0},
        {"weight_base": 7, "index_base": 4, "table_base": 2, "sparse": 1, "table": 1, "private": 1},
        {"weight_base": 9, "index_base": 6, "table_base": 3, "sparse": 0, "table": 0, "private": 1},
    ]
    assert [contents.matrix(matrix) for matrix in matrices] == [given | each for each in where]
    image = contents.image(())
    assert image.weights[1].tolist() == [4, 5, 6, 7, 53, 54, 55, 92, 93, 121]
    assert image.indices[1].tolist() == [4, 5, 6, 7, 92, 93]
    assert image.columns.tolist() == [[0, 1], [1, 0], [2, 7]]


def test_biases_fill_whole_groups():
    """Of 4 biases, as one cell lane drains four gates."""
    contents = Contents(CONFIG)
    assert contents.bias(np.array([[1, -2], [3, 4], [5, -(1 << 31)]])) == 0
    assert contents.bias(np.array([7, 8, 9, 10])) == 2
    assert contents.bias(np.array([11])) == 3
    biases = contents.image(()).biases
    assert biases.tolist() == [[1, -2, 3, 4], [5, -(1 << 31), 0, 0], [7, 8, 9, 10], [11, 0, 0, 0]]
    assert biases.dtype == np.int32


@pytest.mark.parametrize("lanes", [4, 8])
def test_an_image_of_nothing_has_the_shapes_of_the_memories(lanes):
    program = (Op(Opcode.INPUT, {"destination": 0, "count": 1}, end=True),)
    image = Contents(AcceleratorConfig(lanes=lanes, cell_lanes=1)).image(program)
    found = {name: getattr(image, name) for name in ("weights", "indices", "columns", "biases")}
    assert {name: values.shape for name, values in found.items()} == {
        "weights": (lanes, 0),
        "indices": (lanes, 0),
        "columns": (0, 2),
        "biases": (0, 4),
    }
    assert [values.dtype for values in found.values()] == [np.uint8, np.uint32, np.int64, np.int32]
    assert image.program == program
