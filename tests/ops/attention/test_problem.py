"""What attention refuses, and how it says so."""

from __future__ import annotations

from typing import Any

import pytest
from tinygrad import Tensor, dtypes

from gattn_tg import MotifBias, Rope, attention
from gattn_tg.errors import ConfigError, ShapeError, UnsupportedError
from gattn_tg.ops.attention import api as room
from gattn_tg.ops.attention.problem import Problem

B, H, N, M, D = 2, 4, 5, 7, 8


def operands(**sizes: Any) -> dict[str, Tensor]:
    s = {"b": B, "h": H, "g": 2, "n": N, "m": N, "d": D, **sizes}
    return {"q": Tensor.zeros(s["b"], s["h"], s["n"], s["d"]), "k": Tensor.zeros(s["b"], s["g"], s["m"], s["d"]),
            "v": Tensor.zeros(s["b"], s["g"], s["m"], s["d"])}


def ids(*shape: int) -> Tensor:
    return Tensor.zeros(*shape, dtype=dtypes.uint8)


CALLS = [
    (ShapeError, "attention: q must have shape (batch, heads, positions, width), but has (5, 8); add the missing axes",
     lambda: {**operands(), "q": Tensor.zeros(5, 8)}),
    (ShapeError, "attention: k has head width 6 but q has 8; project both to the same width",
     lambda: {**operands(), "k": Tensor.zeros(B, 2, N, 6)}),
    (ShapeError, "attention: q, k and v must share the batch, but have 2, 3 and 2",
     lambda: {**operands(), "k": Tensor.zeros(3, 2, N, D)}),
    (ShapeError, "attention: v must have k's heads and positions, (2, 5), but has (2, 6)",
     lambda: {**operands(), "v": Tensor.zeros(B, 2, 6, D)}),
    (ShapeError, "attention: the 3 key heads must divide the 4 query heads", lambda: operands(g=3)),
    (ShapeError, "attention: q must be floating point, but is dtypes.int",
     lambda: {**operands(), "q": Tensor.zeros(B, H, N, D, dtype=dtypes.int32)}),
    (ShapeError, "attention: q, k and v must share one dtype, but q is dtypes.float and k is dtypes.half",
     lambda: {**operands(), "k": Tensor.zeros(B, 2, N, D, dtype=dtypes.half)}),
    (ShapeError, "attention: q must not be empty", lambda: operands(n=0)),
    (ShapeError, "attention: bias pair: ids must have shape (2, 5), one per query, but have (2, 4)",
     lambda: {**operands(), "bias": MotifBias.pair(Tensor.zeros(3, 3), ids(B, 4))}),
    (ShapeError, "attention: bias key: ids_k is required when queries (5) and keys (7) differ; pass ids_k of shape (2,",
     lambda: {**operands(m=M), "bias": MotifBias.key(Tensor.zeros(3), ids(B, N))}),
    (ShapeError, "attention: bias key: a table per head needs 4 tables, but has 2",
     lambda: {**operands(), "bias": MotifBias.key(Tensor.zeros(2, 3), ids(B, N))}),
    (ShapeError, "attention: bias dense: ids must have shape (2, 5, 5), one a pair, but have (2, 5, 4)",
     lambda: {**operands(), "bias": MotifBias.dense(Tensor.zeros(3), ids(B, N, 4))}),
    (ShapeError, "attention: bias between: the queries must be the last of the keys, but there are 7 queries and 5",
     lambda: {**operands(n=M, m=N), "bias": MotifBias.between(Tensor.zeros(3), ids(B, M), ids(B, N))}),
    (ShapeError, "attention: positions must be a pair (of queries, of keys) when there are 5 queries and 7 keys",
     lambda: {**operands(m=M), "positions": Tensor.arange(N)}),
    (ShapeError, "attention: segments must have shape (5,) or (2, 5), but have (3,)",
     lambda: {**operands(), "segments": Tensor.arange(3)}),
    (ShapeError, "attention: lengths must be integers of shape (2,), valid keys per batch row, but are",
     lambda: {**operands(), "lengths": Tensor([3])}),
    *((ConfigError, f"attention: scale must be a finite number, but is {scale}; leave it out for d**-0.5",
       lambda scale=scale: {**operands(), "scale": scale}) for scale in (float("inf"), -float("inf"), float("nan"))),
    (ConfigError, "attention: window_size must be keys kept on each side (>= 0, or -1 for all), but is (-2, 0)",
     lambda: {**operands(), "window_size": (-2, 0)}),
    (ConfigError, "Rope: rotary_dim=16 must be even and at most the head width 8; set rotary_dim",
     lambda: {**operands(), "rope": Rope(rotary_dim=16)}),
    (ConfigError, "attention: impl must be auto or one of", lambda: {**operands(), "impl": "triton"}),
]


@pytest.mark.parametrize(("kind", "text", "call"), CALLS, ids=[text[:60] for _, text, _ in CALLS])
def test_calls_that_do_not_fit_are_refused_by_name(kind: type[Exception], text: str, call: Any) -> None:
    with pytest.raises(kind) as refused:
        attention(**call())
    assert str(refused.value).startswith(text)


BIASES = [
    (ConfigError, "MotifBias: kind must be one of key, pair", lambda: MotifBias("pairs", Tensor.zeros(3), ids(1, 2))),
    (ShapeError, "MotifBias.pair: table must have shape (t, t) or (h, t, t), but has (3, 4)",
     lambda: MotifBias.pair(Tensor.zeros(3, 4), ids(1, 2))),
    (ShapeError, "MotifBias.key: a table has 1 to 256 motif ids, but this one has 257",
     lambda: MotifBias.key(Tensor.zeros(257), ids(1, 2))),
    (ShapeError, "MotifBias.key: table must be floating point, but is dtypes.uchar",
     lambda: MotifBias.key(ids(3), ids(1, 2))),
    (ShapeError, "MotifBias.key: ids must be integers, but are dtypes.float; cast them to uint8",
     lambda: MotifBias.key(Tensor.zeros(3), Tensor.zeros(1, 2))),
    (ShapeError, "MotifBias.dense: ids must have shape (b, n, m), but have (1, 2)",
     lambda: MotifBias.dense(Tensor.zeros(3), ids(1, 2))),
    (ConfigError, "MotifBias.key: tie_strands must map the ids 0..2 onto themselves and back (an involution), but is "
     "(1, 2, 0)", lambda: MotifBias.key(Tensor.zeros(3), ids(1, 2), tie_strands=(1, 2, 0))),
    (ConfigError, "MotifBias.between: tie_strands needs a table indexed by motif ids",
     lambda: MotifBias("between", Tensor.zeros(3), ids(1, 2), complement=(0, 1, 2))),
    (ConfigError, "Rope: theta must be a positive number, but is 0", lambda: Rope(theta=0)),
    (ConfigError, "Rope: rotary_dim must be an even number >= 2, but is 3", lambda: Rope(rotary_dim=3)),
]


@pytest.mark.parametrize(("kind", "text", "make"), BIASES, ids=[text[:60] for _, text, _ in BIASES])
def test_tables_and_rotations_that_do_not_fit_are_refused(kind: type[Exception], text: str, make: Any) -> None:
    with pytest.raises(kind) as refused:
        make()
    assert str(refused.value).startswith(text)


class Never:
    def refuse(self, problem: Problem) -> str | None:
        return "never serves"

    def run(self, problem: Problem) -> tuple[Tensor, Tensor]:
        raise AssertionError("ran although it refused")


def test_a_named_implementation_never_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "IMPLEMENTATIONS", {"never": Never(), **room.IMPLEMENTATIONS})
    assert attention(**operands()).shape == (B, H, N, D)  # auto walks on
    with pytest.raises(UnsupportedError, match=r'attention\(impl="never"\): never serves; use impl="auto"'):
        attention(**operands(), impl="never")


def test_every_reason_is_listed_when_nothing_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "IMPLEMENTATIONS", {"one": Never(), "two": Never()})
    with pytest.raises(UnsupportedError, match="no implementation serves this call; one: never serves; two: never"):
        attention(**operands())


def test_ids_beyond_the_table_read_its_last_entry() -> None:
    table = Tensor([0.0, 1.0, -2.0])
    q, k, v = operands().values()
    v = Tensor.arange(B * 2 * N * D).reshape(B, 2, N, D).float()
    inside = attention(q, k, v, bias=MotifBias.key(table, ids(B, N) + 2))
    mixed = Tensor([[0, 1, 2, 1, 0]] * B)
    beyond = Tensor([[0, 1, 200, 1, -3]] * B)
    assert inside.shape == (B, H, N, D)
    assert attention(q, k, v, bias=MotifBias.key(table, mixed)).tolist() == attention(
        q, k, v, bias=MotifBias.key(table, beyond)).tolist()
