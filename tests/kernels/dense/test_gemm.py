"""The matrix product for every tile size and cut: what `linear` reaches on one machine is only one column of this."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tinygrad import Tensor, dtypes

from gattn_tg.kernels.dense.gemm import kernel
from gattn_tg.kernels.dense.gemm_plan import CACHED, LAID_OUT, WHOLE, Gemm, plan
from gattn_tg.machine.sizes import WIDTHS
from gattn_tg.ops.launch import Output, launch

SIZES = st.integers(1, 20_000)


def run(g: Gemm, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    left = Tensor(a if g.rows == "mk" else np.ascontiguousarray(a.T), device="CPU")
    right = Tensor(b if g.lanes == "kn" else np.ascontiguousarray(b.T), device="CPU")
    outputs = [Output(g.out_shape, dtypes.float32), Output(g.scratch_shape, dtypes.float32)]
    return launch(kernel(g), outputs, [left, right])[0].numpy()


@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("rows", ["mk", "km"])
@pytest.mark.parametrize("lanes", ["kn", "nk"])
def test_every_layout_on_every_vector_width(bits: int, rows: str, lanes: str) -> None:
    rng = np.random.default_rng(bits)
    for m, n, k, parts in ((67, 150, 40, 1), (200, 96, 33, 3), (4, 70, 20, 2), (1, 90, 3, 2), (31, 20, 50, 4)):
        a, b = rng.standard_normal((m, k), dtype=np.float32), rng.standard_normal((k, n), dtype=np.float32)
        g = Gemm(m, n, k, rows, lanes, parts=parts, bits=bits)
        np.testing.assert_allclose(run(g, a, b), a.astype(np.float64) @ b, rtol=1e-4, atol=1e-4)
    turned = replace(g, transposed=True)
    np.testing.assert_allclose(run(turned, a, b), (a.astype(np.float64) @ b).T, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rows", ["mk", "km"])
def test_depth_in_pieces_gives_the_bits_of_one_sum(rows: str) -> None:
    """Sums that wait in memory between pieces of k are the sums that stayed in registers."""
    rng = np.random.default_rng(0)
    m, n, k = 20, 128, 2 * WHOLE[rows]
    a, b = rng.standard_normal((m, k), dtype=np.float32), rng.standard_normal((k, n), dtype=np.float32)
    g = replace(plan(m, n, k, rows), parts=1)
    assert g.blocks == 4
    halves = run(g, a, b)
    np.testing.assert_allclose(halves, a.astype(np.float64) @ b, rtol=1e-4, atol=1e-3)
    for parts in (1, 2, 5):
        assert run(replace(g, parts=parts), a, b).tobytes() == halves.tobytes()


@given(SIZES, SIZES, SIZES, st.sampled_from(["mk", "km"]), st.integers(1, 96), st.sampled_from(WIDTHS))
def test_cuts_cover_the_whole_product(m: int, n: int, k: int, rows: str, parts: int, bits: int) -> None:
    g = Gemm(m, n, k, rows, parts=parts, bits=bits)
    assert g.blocks * g.depth == k
    assert g.panels % g.together == 0
    assert g.panels * g.stored >= n
    assert g.groups * g.tiles * g.height >= m
    assert g.height <= m
    assert g.stored <= n
    assert g.units == g.panels // g.together * g.groups


@given(st.integers(64, 4096), st.integers(64, 4096), st.integers(64, 4096))
def test_panels_of_a_unit_fit_the_cache(m: int, n: int, k: int) -> None:
    g = Gemm(m, n, k)
    assert g.together == 1 or 4 * g.together * g.depth * g.width <= CACHED
    turned = Gemm(m, n, k, "km")
    assert 4 * turned.tiles * turned.height * turned.depth <= 1.1 * LAID_OUT


def test_names_carry_the_plan() -> None:
    g = Gemm(10, 100, 30, "km", "nk", True, True, "gelu", True)
    assert g.name == "gemm_km_nk_t_loops6x64_10x100x30_bias_gelu_add"
