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
    (ShapeError, "attention: expected q of shape (batch, heads, positions, width), got (5, 8); add the missing axes",
     lambda: {**operands(), "q": Tensor.zeros(5, 8)}),
    (ShapeError, "attention: expected k of head width 8 like q, got 6; project both to the same width",
     lambda: {**operands(), "k": Tensor.zeros(B, 2, N, 6)}),
    (ShapeError, "attention: expected q, k and v of one batch, got 2, 3 and 2",
     lambda: {**operands(), "k": Tensor.zeros(3, 2, N, D)}),
    (ShapeError, "attention: expected v with k's heads and positions, (2, 5), got (2, 6)",
     lambda: {**operands(), "v": Tensor.zeros(B, 2, 6, D)}),
    (ShapeError, "attention: expected key heads that divide the 4 query heads (grouped-query attention), got 3; change",
     lambda: operands(g=3)),
    (ShapeError, "attention: expected q in floating point, got dtypes.int",
     lambda: {**operands(), "q": Tensor.zeros(B, H, N, D, dtype=dtypes.int32)}),
    (ShapeError, "attention: expected q, k and v of one dtype, got q of dtypes.float and k of dtypes.half",
     lambda: {**operands(), "k": Tensor.zeros(B, 2, N, D, dtype=dtypes.half)}),
    (ShapeError, "attention: expected q that is not empty", lambda: operands(n=0)),
    (ShapeError, "attention: bias pair: expected ids of shape (2, 5), one per query, got (2, 4)",
     lambda: {**operands(), "bias": MotifBias.pair(Tensor.zeros(3, 3), ids(B, 4))}),
    (ShapeError, "attention: bias key: expected ids_k, because queries (5) and keys (7) differ, got none; pass ids_k",
     lambda: {**operands(m=M), "bias": MotifBias.key(Tensor.zeros(3), ids(B, N))}),
    (ShapeError, "attention: bias key: expected 4 tables, one per head, got 2",
     lambda: {**operands(), "bias": MotifBias.key(Tensor.zeros(2, 3), ids(B, N))}),
    (ShapeError, "attention: bias dense: expected ids of shape (2, 5, 5), one a pair, got (2, 5, 4)",
     lambda: {**operands(), "bias": MotifBias.dense(Tensor.zeros(3), ids(B, N, 4))}),
    (ShapeError, "attention: bias between: expected queries that are the last of the keys, got 7 queries and 5",
     lambda: {**operands(n=M, m=N), "bias": MotifBias.between(Tensor.zeros(3), ids(B, M), ids(B, N))}),
    (ShapeError, "attention: expected a pair of positions (of queries, of keys) for 5 queries and 7 keys",
     lambda: {**operands(m=M), "positions": Tensor.arange(N)}),
    (ShapeError, "attention: expected segments of shape (5,) or (2, 5), got (3,)",
     lambda: {**operands(), "segments": Tensor.arange(3)}),
    (ShapeError, "attention: expected lengths of integers of shape (2,), valid keys per batch row, got",
     lambda: {**operands(), "lengths": Tensor([3])}),
    (ShapeError, "attention: expected slopes of floats of shape (4,), one per query head, got",
     lambda: {**operands(), "slopes": Tensor([1.0, 2.0])}),
    *((ConfigError, f"attention scale: expected a finite float32, got {scale}; leave it out for d**-0.5",
       lambda scale=scale: {**operands(), "scale": scale})
      for scale in (float("inf"), -float("inf"), float("nan"), 1e300)),
    (ConfigError, "attention window_size: expected the keys kept on each side (>= 0, or -1 for all), got (-2, 0)",
     lambda: {**operands(), "window_size": (-2, 0)}),
    (ConfigError, "Rope rotary_dim: expected an even number up to the head width 8, got 16; set rotary_dim",
     lambda: {**operands(), "rope": Rope(rotary_dim=16)}),
    (ConfigError, "attention impl: expected auto or one of", lambda: {**operands(), "impl": "triton"}),
]


@pytest.mark.parametrize(("kind", "text", "call"), CALLS, ids=[text[:60] for _, text, _ in CALLS])
def test_calls_that_do_not_fit_are_refused_by_name(kind: type[Exception], text: str, call: Any) -> None:
    with pytest.raises(kind) as refused:
        attention(**call())
    assert str(refused.value).startswith(text)


BIASES = [
    (ConfigError, "MotifBias kind: expected one of key, pair", lambda: MotifBias("pairs", Tensor.zeros(3), ids(1, 2))),
    (ShapeError, "MotifBias.pair: expected a table of shape (t, t) or (h, t, t), got (3, 4)",
     lambda: MotifBias.pair(Tensor.zeros(3, 4), ids(1, 2))),
    (ShapeError, "MotifBias.key: expected a table of 1 to 256 motif ids, got 257",
     lambda: MotifBias.key(Tensor.zeros(257), ids(1, 2))),
    (ShapeError, "MotifBias.key: expected a table in floating point, got dtypes.uchar",
     lambda: MotifBias.key(ids(3), ids(1, 2))),
    (ShapeError, "MotifBias.key: expected ids of integers, got dtypes.float; cast them to uint8",
     lambda: MotifBias.key(Tensor.zeros(3), Tensor.zeros(1, 2))),
    (ShapeError, "MotifBias.dense: expected ids of shape (b, n, m), got (1, 2)",
     lambda: MotifBias.dense(Tensor.zeros(3), ids(1, 2))),
    (ConfigError, "MotifBias.key: expected tie_strands that map the ids 0..2 onto themselves and back (an involution), "
     "got (1, 2, 0)", lambda: MotifBias.key(Tensor.zeros(3), ids(1, 2), tie_strands=(1, 2, 0))),
    (ConfigError, "MotifBias.between: expected for tie_strands a table indexed by motif ids",
     lambda: MotifBias("between", Tensor.zeros(3), ids(1, 2), complement=(0, 1, 2))),
    (ConfigError, "Rope theta: expected a positive number, got 0", lambda: Rope(theta=0)),
    (ConfigError, "Rope rotary_dim: expected an even number >= 2, got 3", lambda: Rope(rotary_dim=3)),
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
    with pytest.raises(UnsupportedError, match="got one that none does; one: never serves; two: never"):
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
