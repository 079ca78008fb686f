"""The statement builder: program order, loops with value bounds, conditions, parts."""

from __future__ import annotations

import numpy as np
import pytest
from tinygrad import Tensor, UOp, dtypes

from gattn_tg.errors import ShapeError
from gattn_tg.kernels.tiles.body import Body, element
from gattn_tg.kernels.tiles.tile import FOLD, ROWS, at_most, exp2, fold, lane_groups, padded, saturate


def run(build, shape, *inputs):
    """Runs a kernel of one output; gives the output."""
    tensors = [Tensor(x, device="CPU") for x in inputs]
    out = Tensor.full(shape, -7.0, device="CPU").contiguous().realize()
    return out.custom_kernel(*tensors, fxn=build)[0].numpy()


def test_statements_run_in_program_order():
    def build(out, x):
        body = Body("order")
        kept = body.array(8)
        with body.loop(8) as i:
            body.write(kept, (i,), x[i])
            body.write(kept, (i,), body.read(kept, i) * 2)
            body.write(out, (i,), body.read(kept, i) + 1)
        with body.loop(8) as i:
            body.write(out, (i,), body.read(out, i) * body.read(kept, 7 - i))
        return body.finish()

    x = np.arange(8, dtype=np.float32)
    np.testing.assert_array_equal(run(build, (8,), x), (2 * x + 1) * (2 * x[::-1]))


@pytest.mark.parametrize(("start", "stop"), [(0, 6), (2, 5), (-3, 4), (4, 99), (5, 6)])
def test_span_runs_the_indices_inside_its_range(start, stop):
    def build(out, bounds):
        body = Body("span")
        with body.span(bounds[0], bounds[1], 6) as i:
            body.write(out, (i,), body.read(out, i) + 1)
        return body.finish()

    counts = run(build, (6,), np.array([start, stop], np.int32)) + 7
    np.testing.assert_array_equal(counts, [start <= i < stop for i in range(6)])


@pytest.mark.parametrize("m", [1, 2, 5])
def test_a_condition_holds_for_any_shape(m):
    def build(out, x):
        body = Body(f"condition_{m}")
        with body.loops(5, 3) as (j, c):
            body.write(out, (j.minimum(m - 1), c), element(x, j, c), when=j < m)
        return body.finish()

    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    np.testing.assert_array_equal(run(build, (m, 3), x), x[:m])


@pytest.mark.parametrize(("size", "parts"), [(1, 1), (7, 1), (7, 3), (7, 7), (64, 5)])
def test_units_cover_the_work_once(size, parts):
    def build(out):
        body = Body(f"units_{size}_{parts}")
        with body.units(size, parts) as (part, unit):
            body.write(out, (unit,), body.read(out, unit) + 8 + part.cast(dtypes.float32))
        return body.finish()

    part = run(build, (size,)) - 1
    assert (np.diff(part) >= 0).all()
    np.testing.assert_array_equal(np.unique(part), np.arange(parts))


def elementwise(name, function, x):
    def build(out, given):
        body = Body(name)
        with body.loop(x.size) as i:
            body.write(out, (i,), function(given[i]))
        return body.finish()

    return run(build, x.shape, x)


def test_exp2_is_accurate_and_reaches_zero():
    x = np.concatenate([np.linspace(-126, 0, 4001), [-126.6, -127, -1e4, -1e38, -np.inf]]).astype(np.float32)
    ours, true = elementwise("exp2", exp2, x), np.exp2(x.astype(np.float64))
    inside = x >= -126
    assert np.max(np.abs(ours - true)[inside] / true[inside]) < 1.7e-7
    assert ours[x == 0] == 1
    np.testing.assert_array_equal(ours[x < -126.5], 0)


def test_saturate_gives_numbers_only():
    x = np.array([np.nan, np.inf, -np.inf, 3, -3, 0.5], np.float32)
    np.testing.assert_array_equal(elementwise("saturate", lambda v: saturate(v, 2.0), x), [2, 2, -2, 2, -2, 0.5])
    np.testing.assert_array_equal(elementwise("at_most", lambda v: at_most(v, 2.0), x), [2, 2, -np.inf, 2, -3, 0.5])


def test_fold_combines_every_lane():
    x = np.random.default_rng(0).normal(size=(ROWS, FOLD)).astype(np.float32)

    def build(out, given):
        body = Body("fold")
        lanes = body.array(ROWS, FOLD)
        with body.loops(ROWS, FOLD) as (i, j):
            body.write(lanes, (i, j), element(given, i, j))
        fold(body, lanes, UOp.maximum)
        with body.loop(ROWS) as i:
            body.write(out, (i,), body.read(lanes, i, 0))
        return body.finish()

    np.testing.assert_array_equal(run(build, (ROWS,), x), x.max(1))


@pytest.mark.parametrize(
    ("width", "groups"),
    [(1, ((0, 16),)), (17, ((0, 32),)), (33, ((0, 64),)), (64, ((0, 64),)), (80, ((0, 64), (64, 16)))],
)
def test_lanes_cover_a_width(width, groups):
    assert lane_groups(width) == groups
    assert padded(width) == sum(size for _, size in groups) >= width


def test_an_operand_read_by_its_axes_is_refused():
    def build(out, x):
        body = Body("axes")
        with body.loops(2, 3) as (i, j):
            body.write(out, (i, j), x[i, j])
        return body.finish()

    with pytest.raises(ShapeError, match=r"kernel axes: expected operands read by `element\(x, r, j\)`, got"):
        run(build, (2, 3), np.zeros((2, 3), np.float32))
