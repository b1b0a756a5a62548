import dataclasses

import numpy as np
import pytest

from gatewright.errors import AccumulatorOverflowError, BundleError
from gatewright.sw.bundle import Head, LowRank, LstmLayer, Matrix, Projection
from gatewright.sw.numbers import STATE, Fixed, hidden_format, reference

H = hidden_format(8)


def full(value, rows, columns, frac, bits=8):
    return Matrix(np.full((rows, columns), value), Fixed(bits, frac))


def layer(values=1, bias=0, *, x=4, w_ih=6, w_hh=6):
    """One unit, one input: all weights `values`, all biases `bias`."""
    return LstmLayer(
        Fixed(8, x), full(values, 4, 1, w_ih), full(values, 4, 1, w_hh), np.full(4, bias, dtype=np.int64)
    )


def test_alignment_of_the_two_products():
    # x·W_ih has 4 + 6 = 10 fractional bits, h·W_hh has 7 + 8 = 15.
    aligned = layer(w_ih=6, w_hh=8)
    assert (aligned.accumulator_frac, aligned.input_shift, aligned.recurrent_shift) == (15, 5, 0)
    assert (aligned.requantise_shift, aligned.rounding) == (4, 8)
    # Both are coarser than STATE, which then sets the scale.
    coarse = layer(x=1, w_ih=2, w_hh=2)
    assert (coarse.accumulator_frac, coarse.input_shift, coarse.recurrent_shift) == (11, 8, 2)
    assert (coarse.requantise_shift, coarse.rounding) == (0, 0)


@pytest.mark.parametrize(
    ("formats", "text"),
    [
        ({"x": 1, "w_ih": 3, "w_hh": 8}, "W_ih have 11 fractional bits fewer .* at most 10"),
        ({"x": 8, "w_ih": 10, "w_hh": 0}, "W_hh have 11 fractional bits fewer .* fewer for the other"),
        ({"x": 0, "w_ih": 0, "w_hh": 0}, "use more for W_ih"),
        ({"x": 23, "w_ih": 20, "w_hh": 30}, "43 fractional bits, at most 42 can be rounded"),
    ],
)
def test_formats_too_far_apart_are_refused(formats, text):
    with pytest.raises(BundleError, match=text):
        layer(**formats)


def test_the_limits_of_alignment_are_legal():
    assert layer(x=1, w_ih=4, w_hh=8).input_shift == 10
    assert layer(x=7, w_ih=10, w_hh=0).recurrent_shift == 10


def test_the_overflow_proof_is_tight():
    # Σ|w|·128·2^shift = 128·2^3 + 128 with a rounding constant of 2: the bias may fill the rest exactly.
    room = 2**31 - 1 - (128 << 3) - 128 - 2
    assert layer(bias=room).requantise_shift == 2
    assert layer(values=-1, bias=-room).bias[0] == -room
    with pytest.raises(AccumulatorOverflowError, match="row 0 can reach 2147483648"):
        layer(bias=room + 1)


def test_the_proof_of_the_head_counts_its_weights():
    room = 2**31 - 1 - 3 * 128 * 128
    assert Head(H, full(-128, 2, 3, 0), np.array([0, room])).bias[1] == room
    with pytest.raises(AccumulatorOverflowError, match="head: row 1"):
        Head(H, full(-128, 2, 3, 0), np.array([0, room + 1]))


def test_the_worst_input_stays_within_the_proof():
    made = layer(values=127, bias=5)
    worst = reference.matvec(made.input.values.tolist(), [-128])[0] << made.input_shift
    assert abs(worst) == 127 * 128 << made.input_shift


def low_rank(*, first=6, middle=4, second=3, value=1, columns=1, bits=8, rows=4):
    return LowRank(full(value, 2, columns, first), Fixed(bits, middle), full(1, rows, 2, second))


def test_the_second_factor_sets_the_scale_of_a_low_rank_product():
    made = LstmLayer(Fixed(8, 5), low_rank(), full(1, 4, 1, 9), np.zeros(4, dtype=int))
    # z·second has 4 + 3 fractional bits, h·W_hh has 7 + 9.
    assert (made.accumulator_frac, made.input_shift, made.recurrent_shift) == (16, 9, 0)
    # The proof counts |z| <= 128, not the sums that z was rounded from.
    room = 2**31 - 1 - (2 * 128 << 9) - 128 - 16
    assert dataclasses.replace(made, bias=np.full(4, room)).bias[0] == room
    with pytest.raises(AccumulatorOverflowError, match="can reach 2147483648"):
        dataclasses.replace(made, bias=np.full(4, room + 1))
    head = Head(H, low_rank(rows=3), np.zeros(3, dtype=int))
    assert head.logit_frac == 7


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"middle": 12}, "z of W_ih must have from -20 to 11 fractional bits, not 12"),
        ({"middle": -21}, "from -20 to 11 fractional bits, not -21"),
        ({"bits": 16}, "z of W_ih must have 8 bits, as its input has, not 16"),
    ],
)
def test_a_low_rank_product_that_the_hardware_cannot_round_is_refused(changes, text):
    with pytest.raises(BundleError, match=text):
        LstmLayer(Fixed(8, 5), low_rank(**changes), full(1, 4, 1, 9), np.zeros(4, dtype=int))
    with pytest.raises(BundleError, match="z of W_hh must have"):
        LstmLayer(Fixed(8, 5), full(1, 4, 1, 9), low_rank(**{"first": 4} | changes), np.zeros(4, dtype=int))


def test_the_proof_counts_the_sums_behind_z():
    # 512 · 128 · 2^15 is 2^31 exactly. One column less leaves room for a rounding constant of 2^21, but not of 2^22.
    wide = Fixed(16, 13)

    def made(columns, middle):
        product = LowRank(full(-128, 1, columns, 8), Fixed(16, middle), full(1, 2, 1, 3))
        return Head(wide, product, np.zeros(2, dtype=int))

    assert made(511, -1).matrix.shift(wide) == 22
    for columns, middle in ((512, 8), (511, -2)):
        with pytest.raises(AccumulatorOverflowError, match="z of head: row 0"):
            made(columns, middle)


def projected(*, columns=1, bits=8, frac=5, outputs=2):
    """One unit, and a projection to two outputs."""
    projection = Projection(full(1, 2, columns, 6), Fixed(bits, frac))
    return LstmLayer(
        Fixed(8, 4), full(1, 4, 1, 6), full(1, 4, outputs, 6), np.zeros(4, dtype=int), projection
    )


def test_the_output_of_a_projected_layer():
    made = projected()
    assert (made.hidden_size, made.output_size) == (1, 2)
    assert (made.hidden_format, made.output_format) == (H, Fixed(8, 5))
    # h has 7 fractional bits, so W_hh, which takes y, loses 2 against a layer without a projection.
    assert made.projection_shift == 7 + 6 - 5
    assert (made.accumulator_frac, made.recurrent_shift) == (11, 0)
    plain = layer()
    assert (plain.output_size, plain.output_format, plain.projection_shift) == (1, H, 0)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"columns": 3}, "the projection must take 1 hidden values, not 3"),
        ({"outputs": 1}, r"W_hh \[4\*hidden, outputs\], not \(4, 1\) and \(4, 1\)"),
        ({"bits": 16}, "projection must have 8 bits"),
        ({"frac": 14}, "projection must have from -18 to 13 fractional bits, not 14"),
    ],
)
def test_projections_that_do_not_fit_are_refused(changes, text):
    with pytest.raises(BundleError, match=text):
        projected(**changes)


def test_the_proof_counts_the_sums_behind_y():
    with pytest.raises(AccumulatorOverflowError, match="projection: row 0"):
        LstmLayer(
            Fixed(16, 13),
            full(0, 2048, 1, 6),
            full(0, 2048, 1, 6),
            np.zeros(2048, dtype=int),
            Projection(full(-128, 1, 512, 6), Fixed(16, 15)),
        )


def test_shapes_that_disagree_are_refused():
    made = layer()
    with pytest.raises(BundleError, match=r"W_hh \[4\*hidden, hidden\], not \(8, 3\) and \(4, 1\)"):
        dataclasses.replace(made, input=full(0, 8, 3, 0))
    with pytest.raises(BundleError, match="an LSTM layer needs"):
        dataclasses.replace(made, input=full(0, 6, 1, 6), recurrent=full(0, 6, 1, 6))
    with pytest.raises(BundleError, match="bias must be 4 integers"):
        dataclasses.replace(made, bias=np.zeros(3, dtype=int))
    with pytest.raises(BundleError, match="bias must fit 32 bits"):
        dataclasses.replace(made, bias=np.full(4, 1 << 31))
    assert made.accumulator_frac - made.requantise_shift == STATE.frac
