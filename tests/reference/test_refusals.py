"""Inputs the reference refuses, word for word."""

from __future__ import annotations

import numpy as np
import pytest

from gattn_tg.errors import ConfigError, ShapeError
from gattn_tg.reference import Bias, Rope, attention

X = np.zeros((1, 1, 3, 4))
Y = np.zeros((1, 1, 2, 4))
IDS = np.array([[0, 1, 2]])


def refusal(kind, run):
    with pytest.raises(kind) as caught:
        run()
    assert isinstance(caught.value, ValueError)
    return str(caught.value)


def test_unknown_kind():
    assert refusal(ConfigError, lambda: Bias("motif", np.zeros(3), IDS)) == (
        "reference.Bias kind: expected one of key, same, between, dense, pair, ordered, got 'motif'; "
        "name one of them"
    )


@pytest.mark.parametrize("complement", [(0, 1), (1, 2, 0), (0, 1, 3), (0, 1, -1)])
def test_complement_that_is_no_involution(complement):
    assert refusal(ConfigError, lambda: Bias.key(np.zeros(3), IDS, tie_strands=complement)) == (
        f"reference.Bias: expected tie_strands that map the 3 ids to each other with c(c(a)) = a, got {complement}; "
        "give the complement of every id"
    )


def test_complement_where_ids_are_no_motifs():
    assert refusal(ConfigError, lambda: Bias("between", np.zeros(3), IDS, None, (0, 1, 2))) == (
        "reference.Bias: expected tie_strands for key, pair, same, ordered only, got kind between; "
        "leave tie_strands out"
    )


@pytest.mark.parametrize(("ids", "span"), [([[0, -1, 2]], "-1..2"), ([[0, 3, 1]], "0..3")])
def test_ids_outside_the_table(ids, span):
    assert refusal(ConfigError, lambda: attention(X, X, X, bias=Bias.key(np.zeros(3), np.array(ids)))) == (
        f"reference.Bias: expected ids_k in 0..2, got {span}; use a larger table or other ids"
    )


def test_ids_of_another_length():
    assert refusal(ShapeError, lambda: attention(X, Y, Y, bias=Bias.key(np.zeros(3), IDS))) == (
        "reference.Bias: expected ids_k of shape (1, 2), got (1, 3); give one id each"
    )


def test_between_with_more_queries_than_keys():
    assert refusal(ShapeError, lambda: attention(X, Y, Y, bias=Bias.between(np.zeros(3), IDS, IDS[:, :2]))) == (
        "reference.Bias: expected n <= m for between, got n=3 and m=2; give a key per query"
    )


def test_one_array_of_positions_for_two_sides():
    assert refusal(ShapeError, lambda: attention(X, Y, Y, rope=Rope(), positions=np.arange(3))) == (
        "reference: expected a pair of positions (of queries, of keys) when n differs from m, got one array with "
        "n=3, m=2; give both"
    )


@pytest.mark.parametrize("rotary_dim", [0, 3, 6])
def test_rotary_width_that_does_not_fit(rotary_dim):
    assert refusal(ConfigError, lambda: attention(X, X, X, rope=Rope(rotary_dim=rotary_dim))) == (
        f"reference.rope rotary_dim: expected an even number in 2..4, got {rotary_dim}; "
        "choose an even number no wider than the head"
    )
