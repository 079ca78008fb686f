"""What must hold for attention whatever the numbers are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gattn_tg.kernels.tiles.kinds import KINDS
from gattn_tg.ops.attention.cases import SWAP, Case
from gattn_tg.reference import Bias, Rope, attention, attention_backward

PER_BASE = ("key", "pair", "same", "ordered")
seeds = st.integers(0, 2**32 - 1)
examples = settings(max_examples=25, deadline=None, derandomize=True)


@st.composite
def cases(draw, kinds=tuple(KINDS), square=False, **fixed):
    """Draws a small call of a kind; `fixed` overrules single fields."""
    g = draw(st.integers(1, 2))
    n = draw(st.integers(1, 6))
    fields = {
        "b": draw(st.integers(1, 2)),
        "h": g * draw(st.integers(1, 2)),
        "g": g,
        "n": n,
        "m": n if square else n + draw(st.integers(0, 3)),
        "d": draw(st.sampled_from([2, 4])),
        "e": draw(st.integers(1, 3)),
        "kind": draw(st.sampled_from(kinds)),
        "per_head": draw(st.booleans()),
        "rope": draw(st.sampled_from([None, {}, {"interleaved": True}])),
        "is_causal": draw(st.booleans()),
        "window_size": draw(st.sampled_from([None, (2, None), (1, 3)])),
    }
    return Case("drawn", **(fields | fixed))


def called(x, **changes):
    """Runs the reference on inputs, some keywords replaced, and gives (o, lse)."""
    keywords = x.keywords(Bias, Rope, np.asarray) | changes
    return attention(x.q, x.k, x.v, return_lse=True, **keywords)


def close(left, right, atol=1e-12):
    for a, b in zip(left, right, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=atol)


@examples
@given(cases(), seeds, st.floats(-50, 50))
def test_a_constant_added_to_the_whole_table_only_moves_the_log_sum_exp(case, seed, constant):
    case = replace(case, kind="key") if case.kind == "same" else case  # `same` leaves most pairs without an entry
    x = case.inputs(seed)
    o, lse = called(x)
    close((o, lse + constant), called(replace(x, table=x.table + constant)), 1e-10)


@examples
@given(cases(kinds=("pair",)), seeds)
def test_a_constant_added_to_a_row_of_the_pair_table_changes_no_output_and_has_no_gradient(case, seed):
    x = case.inputs(seed)
    shift = np.random.default_rng(seed).normal(size=(case.t, 1))
    close(called(x)[:1], called(replace(x, table=x.table + shift))[:1])
    gradients = attention_backward(x.do, x.q, x.k, x.v, **x.keywords(Bias, Rope, np.asarray))
    np.testing.assert_allclose(gradients.dtable.sum(-1), 0, atol=1e-12)


@examples
@given(cases(kinds=(*PER_BASE, "dense"), is_causal=False, window_size=None, positions="near"), seeds)
def test_the_order_of_the_keys_does_not_matter(case, seed):
    x = case.inputs(seed)
    order = np.random.default_rng(seed).permutation(case.m)
    at_q, at_k = x.positions if isinstance(x.positions, tuple) else (x.positions, x.positions)
    ids_k = x.ids if x.ids_k is None else x.ids_k
    if case.kind == "dense":
        bias = Bias.dense(x.table, x.ids[:, :, order])
    else:
        bias = Bias(case.kind, x.table, x.ids, ids_k[:, order])
    permuted = replace(x, k=x.k[:, :, order], v=x.v[:, :, order])
    close(called(x), called(permuted, bias=bias, positions=(at_q, at_k[:, order])))


@examples
@given(cases(kinds=(*PER_BASE, "dense"), is_causal=False, window_size=None, positions="near", m=9), seeds)
def test_two_halves_of_the_keys_merged_by_their_log_sum_exp_are_the_whole(case, seed):
    x = case.inputs(seed)
    keys = range(case.m)
    at_q, at_k = x.positions
    parts = []
    for half in (keys[:4], keys[4:]):
        where = slice(half.start, half.stop)
        if case.kind == "dense":
            bias = Bias.dense(x.table, x.ids[:, :, where])
        else:
            bias = Bias(case.kind, x.table, x.ids, x.ids_k[:, where])
        part = replace(x, k=x.k[:, :, where], v=x.v[:, :, where])
        parts.append(called(part, bias=bias, positions=(at_q, at_k[:, where])))
    (o1, lse1), (o2, lse2) = parts
    lse = np.logaddexp(lse1, lse2)
    close(called(x), (np.exp(lse1 - lse)[..., None] * o1 + np.exp(lse2 - lse)[..., None] * o2, lse))


@examples
@given(cases(kinds=(*PER_BASE, "dense")), seeds, st.data())
def test_padding_is_invisible_and_gets_no_gradient(case, seed, data):
    lengths = np.array([data.draw(st.integers(0, case.m)) for _ in range(case.b)])
    x = case.inputs(seed)
    padding = np.arange(case.m) >= lengths[:, None]
    loud = replace(
        x,
        k=np.where(padding[:, None, :, None], 1e9, x.k),
        v=np.where(padding[:, None, :, None], -1e9, x.v),
        ids_k=None if x.ids_k is None else np.where(padding, 1, x.ids_k),
    )
    close(called(x, lengths=lengths), called(loud, lengths=lengths), 0)
    keywords = x.keywords(Bias, Rope, np.asarray) | {"lengths": lengths}
    gradients = attention_backward(x.do, x.q, loud.k, loud.v, **keywords)
    for gradient in (gradients.dk, gradients.dv):
        assert not np.where(padding[:, None, :, None], gradient, 0).any()


@examples
@given(cases(square=True, b=2), seeds)
def test_rows_of_a_batch_are_independent(case, seed):
    x = case.inputs(seed)
    o, lse = called(x)
    for row in range(case.b):
        one = slice(row, row + 1)
        alone = replace(x, q=x.q[one], k=x.k[one], v=x.v[one], ids=x.ids[one])
        close((o[one], lse[one]), called(alone), 0)


@examples
@given(cases(kinds=PER_BASE, square=True, rope=None, is_causal=False, window_size=(2, 2), complement=SWAP), seeds)
def test_tied_strands_make_attention_equivariant_under_reverse_complement(case, seed):
    x = case.inputs(seed)
    other = np.array(SWAP)[x.ids[:, ::-1]]
    turned = replace(x, q=x.q[:, :, ::-1], k=x.k[:, :, ::-1], v=x.v[:, :, ::-1])
    bias = Bias(case.kind, x.table, other, None, SWAP)
    o, lse = called(turned, bias=bias)
    close(called(x), (o[:, :, ::-1], lse[:, :, ::-1]))


@pytest.mark.parametrize("kind", PER_BASE)
def test_untied_strands_are_not_equivariant(kind):
    x = Case("untied", kind=kind).inputs()
    turned = replace(x, q=x.q[:, :, ::-1], k=x.k[:, :, ::-1], v=x.v[:, :, ::-1])
    o, _ = called(turned, bias=Bias(kind, x.table, np.array(SWAP)[x.ids[:, ::-1]]))
    assert np.max(np.abs(called(x)[0] - o[:, :, ::-1])) > 0.01


@examples
@given(cases(kinds=PER_BASE, complement=SWAP), seeds)
def test_gradient_of_a_tied_table_is_the_same_on_both_strands(case, seed):
    x = case.inputs(seed)
    dtable = attention_backward(x.do, x.q, x.k, x.v, **x.keywords(Bias, Rope, np.asarray)).dtable
    c = np.array(SWAP)
    if case.kind in ("key", "same"):
        image = dtable[..., c]
    else:
        image = dtable[..., c[:, None], c[None, :]]
        image = image.swapaxes(-1, -2) if case.kind == "ordered" else image
    np.testing.assert_allclose(dtable, image, rtol=0, atol=1e-14)


@examples
@given(cases(positions="near", rope={"rotary_dim": 2}), seeds)
def test_only_differences_of_positions_matter(case, seed):
    x = case.inputs(seed)
    at_q, at_k = x.positions if isinstance(x.positions, tuple) else (x.positions, x.positions)
    moved = (at_q + 900_000, at_k + 900_000)
    close(called(x), called(x, positions=moved), 1e-8)


@examples
@given(cases(per_head=False), seeds)
def test_shared_heads_and_tables_are_repeated_ones_and_their_gradients_are_sums(case, seed):
    x = case.inputs(seed)
    group = case.h // case.g
    keywords = x.keywords(Bias, Rope, np.asarray)
    table = np.broadcast_to(x.table, (case.h, *x.table.shape))
    spread = keywords | {"bias": x.keywords(Bias, Rope, np.asarray, table=table)["bias"]}
    k, v = np.repeat(x.k, group, axis=1), np.repeat(x.v, group, axis=1)
    close(called(x), attention(x.q, k, v, return_lse=True, **spread))
    shared = attention_backward(x.do, x.q, x.k, x.v, **keywords)
    repeated = attention_backward(x.do, x.q, k, v, **spread)
    for ours, theirs in ((shared.dk, repeated.dk), (shared.dv, repeated.dv)):
        b, _, m, width = theirs.shape
        np.testing.assert_allclose(ours, theirs.reshape(b, case.g, group, m, width).sum(2), rtol=0, atol=1e-12)
    np.testing.assert_allclose(shared.dtable, repeated.dtable.sum(0), rtol=0, atol=1e-12)


@examples
@given(cases(is_causal=False, window_size=None), seeds)
def test_masks_have_several_names(case, seed):
    x = case.inputs(seed)
    close(called(x), called(x, window_size=(-1, -1)), 0)
    close(called(x), called(x, window_size=(None, case.m + case.n)), 0)
    close(called(x, is_causal=True), called(x, window_size=(None, 0)), 0)
    close(called(x, window_size=2), called(x, window_size=(2, 2)), 0)
    close(called(x), called(x, lengths=np.full(case.b, case.m)), 0)
    close(called(x), called(x, segments=(np.zeros(case.n, int), np.zeros(case.m, int))), 0)


@examples
@given(cases(kinds=("key", "pair", "same", "ordered"), square=True, n=6, m=6, window_size=None), seeds)
def test_segments_are_sequences_on_their_own(case, seed):
    x = case.inputs(seed)
    o, lse = called(x, segments=np.array([7, 7, 3, 3, 3, 3]))
    for where in (slice(0, 2), slice(2, 6)):
        alone = replace(x, q=x.q[:, :, where], k=x.k[:, :, where], v=x.v[:, :, where], ids=x.ids[:, where])
        close((o[:, :, where], lse[:, :, where]), called(alone))


@examples
@given(cases(kinds=("pair",), per_head=False), seeds)
def test_kinds_agree_where_their_tables_say_the_same(case, seed):
    x = case.inputs(seed)
    t = case.t
    ids_k = x.ids if x.ids_k is None else x.ids_k
    row = x.table[0]
    pairs = [
        (Bias.key(row, x.ids, ids_k), Bias.pair(np.tile(row, (t, 1)), x.ids, ids_k)),
        (Bias.same(row, x.ids, ids_k), Bias.pair(np.diag(row), x.ids, ids_k)),
        (Bias.ordered(x.table + x.table.T, x.ids, ids_k), Bias.pair(x.table + x.table.T, x.ids, ids_k)),
        (
            Bias.dense(x.table.ravel(), x.ids[:, :, None].astype(int) * t + ids_k[:, None, :]),
            Bias.pair(x.table, x.ids, ids_k),
        ),
    ]
    for left, right in pairs:
        close(called(x, bias=left), called(x, bias=right))


def test_ordered_reads_the_motif_on_the_left_first():
    ids = np.array([[1, 2]])
    table = np.zeros((3, 3))
    table[1, 2] = 5.0  # 1 left of 2, as C left of G
    flat = np.zeros((1, 1, 2, 2))
    _, lse = attention(flat, flat, flat, bias=Bias.ordered(table, ids), return_lse=True)
    np.testing.assert_allclose(lse, np.log(1 + np.exp(5.0)))
    _, lse = attention(flat, flat, flat, bias=Bias.ordered(table, ids[:, ::-1]), return_lse=True)
    np.testing.assert_allclose(lse, np.log(2.0))


def test_between_counts_starts_of_runs():
    #                 0  1  2  3  4  5  6
    ids = np.array([[0, 3, 3, 0, 1, 2, 2]])
    table = np.array([0.0, 1.0, 10.0])
    zero = np.zeros((1, 1, 7, 2))
    _, lse = attention(zero, zero, zero, bias=Bias.between(table, ids), return_lse=True)
    # base 0 has between itself and bases 0..6: 0 0 1 1 1 2 3 (capped to 2) starts, at 1, 4 and 5
    expected = np.log(sum(np.exp([0.0, 0.0, 1.0, 1.0, 1.0, 10.0, 10.0])))
    np.testing.assert_allclose(lse[0, 0, 0], expected)


def test_a_query_that_sees_nothing_gives_zero_and_no_gradient():
    x = Case("blind", n=5, m=2, kind="key", is_causal=True).inputs()  # queries 0..2 stand left of every key
    o, lse = called(x)
    assert not o[:, :, :3].any()
    assert np.all(lse[:, :, :3] == -np.inf)
    assert np.isfinite(lse[:, :, 3:]).all()
    gradients = attention_backward(x.do, x.q, x.k, x.v, dlse=x.dlse, **x.keywords(Bias, Rope, np.asarray))
    assert not gradients.dq[:, :, :3].any()


def test_huge_inputs_give_numbers():
    x = Case("huge", kind="pair", is_causal=True).inputs()
    huge = replace(x, q=1e38 * x.q, k=1e38 * x.k, v=1e38 * x.v, table=1e38 * x.table)
    o, lse = called(huge)
    gradients = attention_backward(x.do, huge.q, huge.k, huge.v, **huge.keywords(Bias, Rope, np.asarray))
    for array in (o, lse, gradients.dq, gradients.dk, gradients.dv, gradients.dtable):
        assert np.isfinite(array).all()
