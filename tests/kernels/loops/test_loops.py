"""The attention kernels of CPUs: any shape and dtype, few kernels, determinism, JIT, several devices, cuts."""

from __future__ import annotations

import re

import numpy as np
import promise
import pytest
from tinygrad import GlobalCounters, Tensor, TinyJit, dtypes
from tinygrad.codegen import to_program_cache

from gattn_tg import MotifBias, Rope, attention
from gattn_tg.errors import UnsupportedError
from gattn_tg.kernels.loops import units as plan
from gattn_tg.kernels.tiles.kinds import KINDS
from gattn_tg.kernels.tiles.score import Score
from gattn_tg.machine import pairs, threads
from gattn_tg.ops.attention.cases import Case
from gattn_tg.reference import attention as reference

DEVICES = ("CPU:0", "CPU:1")
SHAPE = (1, 2, 1, 90, 8)  # b, h, g, n, d of tests that share kernels: a shape of its own costs seconds of compilation

# What ops/attention/cases.py leaves open: widths from 1 to 256, more than one block of keys, chunk of rows, unit, part.
SHAPES = (
    Case("widest", b=1, h=2, g=1, n=3, m=70, d=256, e=200, kind="key"),
    Case("narrowest", b=1, h=2, g=2, n=70, m=5, d=1, e=1, kind="pair"),
    Case("groups_of_lanes", b=1, h=1, g=1, n=66, m=66, d=33, e=97, kind="same"),
    Case(
        "decoding",
        h=4,
        g=2,
        n=2,
        m=150,
        d=23,
        e=40,
        kind="pair",
        is_causal=True,
        rope={"rotary_dim": 6},
        lengths=(150, 99),
    ),
    Case("one_row", b=2, h=2, g=1, n=1, m=200, d=64, e=64, kind="pair"),
    Case("two_rows", b=1, h=2, g=2, n=2, m=128, d=48, e=96, kind="ordered", is_causal=True),
    Case("many_units", b=1, h=1, g=1, n=131, m=139, d=16, e=16, kind="ordered", is_causal=True, rope={"rotary_dim": 6}),
    Case("many_parts", b=1, h=2, g=1, n=37, m=530, d=8, e=8, kind="dense", window_size=(90, 20)),
    Case("many_parts_between", b=1, h=2, g=1, n=67, m=530, d=8, e=8, kind="between", lengths=(450,)),
)


def arrays(b, h, g, n, d, kind, seed=0):
    draw = np.random.default_rng(seed)
    q, do = draw.normal(size=(2, b, h, n, d)).astype(np.float32)
    k, v = draw.normal(size=(2, b, g, n, d)).astype(np.float32)
    ids = draw.integers(0, 16, (b, n, n) if kind == "dense" else (b, n)).astype(np.uint8)
    table = draw.normal(size=(h, 16, 16) if kind in ("pair", "ordered") else (h, 16)).astype(np.float32)
    return q, k, v, do, ids, table


def call(q, k, v, do, ids, table, kind, **options):
    """Output, lse, and gradients of q, k, v and the table."""
    o, lse = attention(q, k, v, getattr(MotifBias, kind)(table, ids), impl="loops", return_lse=True, **options)
    return o, lse, *(o * do).sum().gradient(q, k, v, table)


@pytest.mark.parametrize("case", SHAPES, ids=str)
def test_any_shape_keeps_the_promise(case):
    x = case.inputs().rounded(promise.rounding("float32"))
    tensors = [Tensor(a.astype(np.float32), device="CPU") for a in (x.q, x.k, x.v, x.do, x.dlse, x.table)]
    q, k, v, do, dlse, table = tensors
    keywords = x.keywords(MotifBias, Rope, lambda a: Tensor(np.asarray(a), device="CPU"), table=table)
    o, lse = attention(q, k, v, impl="loops", return_lse=True, **keywords)
    gradients = ((o * do).sum() + (lse * dlse).sum()).gradient(q, k, v, table)
    answers = promise.Answers(*(y.numpy().astype(np.float64) for y in (o, lse, *gradients)))
    promise.check(answers, case, x, "float32", x.dlse)


def test_number_of_kernels_is_pinned():
    q, k, v, do, ids, table = (Tensor(x, device="CPU").realize() for x in arrays(1, 2, 2, 128, 64, "pair"))

    def kernels(*tensors):
        GlobalCounters.reset()
        Tensor.realize(*tensors)
        return GlobalCounters.kernel_count

    # ids clamped to the table, then one kernel; a result that is realised by itself is copied once
    assert kernels(attention(q, k, v, MotifBias.pair(table, ids), impl="loops")) == 2 + 1
    o, _, *gradients = call(q, k, v, do, ids, table, "pair")
    # and delta, q and do without broken numbers, one kernel
    assert kernels(o, *gradients) == 2 + 1 + 4


@pytest.mark.parametrize("size", [1e4, 1e18, 3e38])
def test_extreme_scores_give_numbers(size):
    q, k, *rest = arrays(*SHAPE, "pair")
    huge = [np.clip(x.astype(np.float64) * size, -3e38, 3e38).astype(np.float32) for x in (q, k)]
    o, lse, _, _, dv, dtable = call(*(Tensor(x, device="CPU") for x in (*huge, *rest)), kind="pair")
    for x in (o, lse, dv, dtable):
        assert np.isfinite(x.numpy()).all()


@pytest.mark.parametrize(("n", "m"), [(37, 37), (1, 150), (150, 150)])
def test_values_up_to_the_largest_number_have_their_mean(n, m):
    """No sum on the way passes the largest value."""
    draw = np.random.default_rng(0)
    q, k = (draw.normal(size=(1, 2, rows, 16)).astype(np.float32) for rows in (n, m))
    v = np.finfo(np.float32).max * draw.uniform(0.9, 1, (1, 2, m, 16)).astype(np.float32)
    v[..., 0], v[..., 1] = np.finfo(np.float32).max, 1e-30
    o = attention(*(Tensor(x, device="CPU") for x in (q, k, v)), impl="loops").numpy()
    np.testing.assert_allclose(o, reference(q, k, v), rtol=2e-6)


HUGE = [(3e38, 1, 1, 1), (1, 1, 3e38, 1), (1, 1, 1, 3e38), (1e30,) * 4, (3e38,) * 4]


@pytest.mark.parametrize("sizes", HUGE, ids=str)
def test_no_gradient_of_finite_numbers_is_nan(sizes):
    """Slopes saturate at 1e30 and results at the largest number; inf may come where parts are added up, nan nowhere."""
    draw, given = np.random.default_rng(0), arrays(*SHAPE, "pair")
    huge = [draw.uniform(-size, size, x.shape).astype(np.float32) for size, x in zip(sizes, given, strict=False)]
    results = call(*(Tensor(x, device="CPU") for x in (*huge, *given[4:])), kind="pair")
    for x in results:
        assert not np.isnan(x.numpy()).any()


@pytest.mark.parametrize("kind", ["pair", "ordered", "between"])  # each has a way of its own to sum its table
def test_fifty_runs_agree_bit_for_bit(kind):
    given = [Tensor(x, device="CPU").realize() for x in arrays(*SHAPE, kind)]

    @TinyJit
    def run(*tensors):
        return tuple(x.realize() for x in call(*tensors, kind=kind))

    first = [x.numpy() for x in run(*given)]
    for _ in range(50):
        for x, y in zip(first, run(*given), strict=True):
            np.testing.assert_array_equal(x, y.numpy())


def test_any_number_of_threads_gives_the_same_bits():
    given = [Tensor(x, device="CPU").realize() for x in arrays(2, 2, 2, 300, 16, "pair")]
    before, results = threads.count(), []
    try:
        for count in (1, 5):
            threads.set_threads(count)
            results.append([x.numpy() for x in call(*given, kind="pair", is_causal=True)])
    finally:
        threads.set_threads(before)
    for result in results[1:]:
        for x, y in zip(results[0], result, strict=True):
            np.testing.assert_array_equal(x, y)


def test_second_use_compiles_nothing():
    given = [Tensor(x, device="CPU").realize() for x in arrays(1, 2, 2, 70, 8, "key")]
    Tensor.realize(*call(*given, kind="key"))
    programs = len(to_program_cache)
    Tensor.realize(*call(*[Tensor(x, device="CPU").realize() for x in arrays(1, 2, 2, 70, 8, "key", 1)], kind="key"))
    assert len(to_program_cache) == programs


def test_rows_on_two_devices_equal_the_whole():
    """Maps of ids, one a row, among them; heads on two devices stand in `ops/attention/test_sharded.py`."""
    given = arrays(2, 4, 2, 70, 8, "dense")
    options = {"is_causal": True, "rope": Rope()}
    whole = call(*(Tensor(x, device="CPU") for x in given), kind="dense", **options)
    places = (0, 0, 0, 0, 0, None)
    cut = [Tensor(x, device="CPU").shard(DEVICES, axis=place) for x, place in zip(given, places, strict=True)]
    for x, y in zip(whole, call(*cut, kind="dense", **options), strict=True):
        np.testing.assert_array_equal(x.numpy(), y.numpy())


@pytest.mark.parametrize("dtype", [dtypes.float16, dtypes.bfloat16])
def test_stored_halves_are_computed_in_float32(dtype):
    q, k, v, do, ids, table = (Tensor(x, device="CPU") for x in arrays(1, 2, 1, 70, 48, "pair"))
    halves = [x.cast(dtype).realize() for x in (q, k, v)]
    with pairs.assuming(None):  # instructions for pairs of bfloat16 round what they multiply
        stored = [x.realize() for x in call(*halves, do, ids, table, kind="pair")]
    exact = call(*(x.float().realize() for x in halves), do, ids, table, kind="pair")
    assert [x.dtype for x in stored] == [dtype, dtypes.float32, dtype, dtype, dtype, dtypes.float32]
    np.testing.assert_array_equal(stored[1].numpy(), exact[1].numpy())
    for x, y in zip(stored, exact, strict=True):
        # o is rounded before delta is taken from it, which is all that differs
        np.testing.assert_allclose(x.float().numpy(), y.numpy(), rtol=2**-6, atol=2**-6)


def test_narrow_registers_give_the_same_numbers(monkeypatch):
    given = [Tensor(x, device="CPU") for x in arrays(1, 2, 1, 70, 48, "pair")]
    whole = [x.numpy() for x in call(*given, kind="pair")]
    monkeypatch.setattr("gattn_tg.machine.toolchain.vector_bits", lambda: 256)
    # kernels are kept by their score function, so a scale that differs by one bit makes new ones
    cut = call(*given, kind="pair", scale=48**-0.5 * (1 + 2**-23))
    for x, y in zip(whole, cut, strict=True):
        np.testing.assert_allclose(x, y.numpy(), rtol=1e-5, atol=1e-5)


def test_masses_of_motifs_are_attention_to_one_hot_keys():
    q, k, v, _, ids, table = arrays(1, 2, 2, 70, 8, "key")
    one_hot = np.eye(16, dtype=np.float32)[ids][:, None].repeat(2, 1)
    bias = MotifBias.key(Tensor(table, device="CPU"), Tensor(ids, device="CPU"))
    mass = attention(*(Tensor(x, device="CPU") for x in (q, k, one_hot)), bias, impl="loops").numpy()
    np.testing.assert_allclose(mass.sum(-1), 1, rtol=1e-6)
    rows = attention(*(Tensor(x, device="CPU") for x in (q, k, v)), bias, impl="loops", return_lse=True)[1].numpy()
    s = np.einsum("bhid,bhjd->bhij", q, k, dtype=np.float64) / np.sqrt(8) + table[None, :, None][..., ids[0]]
    p = np.exp(s - rows[..., None])
    np.testing.assert_allclose(mass, p @ one_hot, atol=2e-6)


def test_plans_depend_on_shapes_and_fill_cores():
    assert plan.query_rows(heads=8, n=2048, width=64) == 512
    assert plan.query_rows(heads=1, n=512, width=64) == 64  # eight units rather than two
    assert plan.query_rows(heads=256, n=60, width=16) == 64
    assert plan.key_parts(groups=1, m=4096, dq_bytes=4 * 4096 * 64) == 16
    assert plan.key_parts(groups=8, m=16384, dq_bytes=4 * 8 * 16384 * 64) == 1  # memory first
    assert plan.key_parts(groups=1, m=2**20, dq_bytes=4 * 2**20 * 32) == 4  # and of one long head, some cores idle
    assert plan.key_parts(groups=64, m=60, dq_bytes=1) == 1


def test_names_of_kernels_carry_their_score():
    assert Score(0.1, KINDS["pair"], 16, is_causal=True, has_lengths=True).name == "pair16_causal_lengths"
    assert Score(0.1, left=3, right=2).name == "window_3_2"
    assert Score(0.1).name == "plain"


def test_refusals_say_why(monkeypatch):
    def refused(text, *given, **options):
        with pytest.raises(UnsupportedError, match=re.escape(f'attention(impl="loops"): {text}; use impl="auto"')):
            attention(*given, impl="loops", **options)

    wide = Tensor.ones(1, 1, 4, 300, device="CPU")
    refused("expected head widths of at most 256, got 300 and 300", wide, wide, wide)
    double = Tensor.ones(1, 1, 4, 8, dtype=dtypes.float64, device="CPU")
    refused("expected operands of float32, float16 or bfloat16, got dtypes.double", double, double, double)
    elsewhere = Tensor.ones(1, 1, 4, 8, device="PYTHON")
    refused("expected operands on a CPU, got PYTHON", elsewhere, elsewhere, elsewhere)
    q, k, v, _, ids, table = arrays(2, 2, 2, 8, 8, "pair")
    cut = [Tensor(x, device="CPU").shard(DEVICES, axis=0) for x in (q, k, v)]
    over_heads = Tensor(k, device="CPU").shard(DEVICES, axis=1)
    text = "expected q, k and v sharded alike, over the batch or over heads, got shards of axes [0, 1, 1]"
    refused(text, cut[0], over_heads, over_heads)
    lengths = Tensor([8, 8], device="CPU").shard(DEVICES)
    text = "expected ids, lengths, segments and positions sharded over the batch like q, got some that are not"
    refused(text, *cut, lengths=lengths)
    bias = MotifBias.pair(*(Tensor(x, device="CPU").shard(DEVICES, axis=0) for x in (table, ids)))
    text = "expected a table per head sharded over heads exactly when q is, got one sharded without the other"
    refused(text, *cut, bias=bias)
    monkeypatch.setattr("gattn_tg.machine.cpu.compiles_well", lambda: False)
    q = Tensor.ones(1, 1, 4, 8, device="CPU")
    refused("tinygrad's X86 assembler breaks on its loop nests; unset DEV, or use DEV=CPU:CLANG", q, q, q)
