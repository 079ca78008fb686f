"""Scaled dot-product attention with a learnable motif bias: the one public operation and its implementations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol, overload

from tinygrad import Tensor

from gattn_tg.errors import ConfigError, UnsupportedError
from gattn_tg.ops.attention import lazy, loops, mma, simt
from gattn_tg.ops.attention.bias import MotifBias
from gattn_tg.ops.attention.problem import Pair, Problem, Window, build
from gattn_tg.ops.attention.rope import Rope
from gattn_tg.types import Float, Int


class Implementation(Protocol):
    """A way to compute attention: says why it refuses a call, or runs it."""

    def refuse(self, problem: Problem) -> str | None: ...

    def run(self, problem: Problem) -> tuple[Tensor, Tensor]: ...


# in the order `auto` tries them
IMPLEMENTATIONS: dict[str, Implementation] = {"mma": mma, "simt": simt, "loops": loops, "lazy": lazy}
# why `auto` passes over one that would serve the call when asked for by name
DOUBTS: dict[str, Callable[[Problem], str | None]] = {"mma": mma.doubt, "simt": simt.doubt}


@overload
def attention(
    q: Tensor, k: Tensor, v: Tensor, bias: MotifBias | None = ..., rope: Rope | None = ...,
    positions: Pair | None = ..., is_causal: bool = ..., window_size: Window | None = ...,
    lengths: Tensor | None = ..., segments: Pair | None = ..., scale: float | None = ..., impl: str = ...,
    return_lse: Literal[False] = ..., slopes: Tensor | None = ..., relative: tuple[Tensor, Tensor] | None = ...,
    anchors: Tensor | None = ...,
) -> Tensor: ...
@overload
def attention(
    q: Tensor, k: Tensor, v: Tensor, bias: MotifBias | None = ..., rope: Rope | None = ...,
    positions: Pair | None = ..., is_causal: bool = ..., window_size: Window | None = ...,
    lengths: Tensor | None = ..., segments: Pair | None = ..., scale: float | None = ..., impl: str = ..., *,
    return_lse: Literal[True], slopes: Tensor | None = ..., relative: tuple[Tensor, Tensor] | None = ...,
    anchors: Tensor | None = ...,
) -> tuple[Tensor, Tensor]: ...
def attention(
    q: Float[Tensor, "b h n d"],
    k: Float[Tensor, "b g m d"],
    v: Float[Tensor, "b g m e"],
    bias: MotifBias | None = None,
    rope: Rope | None = None,
    positions: Int[Pair, "b n"] | None = None,
    is_causal: bool = False,
    window_size: Window | None = None,
    lengths: Int[Tensor, "b"] | None = None,
    segments: Int[Pair, "b n"] | None = None,
    scale: float | None = None,
    impl: str = "auto",
    return_lse: bool = False,
    slopes: Float[Tensor, "h"] | None = None,
    relative: tuple[Float[Tensor, "b h n c"], Float[Tensor, "h r c"]] | None = None,
    anchors: Int[Tensor, "b a"] | None = None,
) -> Float[Tensor, "b h n e"] | tuple[Float[Tensor, "b h n e"], Float[Tensor, "b h n"]]:
    """Attention with motif bias and rotary positions, differentiable in q, k, v and bias.table.

        s[i,j] = scale * <R(pos_i) q_i, R(pos_j) k_j> + bias[i,j] - slopes[h] |i + m - n - j| + <a_i, r_(j - i + n - 1)>
        lse[i] = log sum_visible exp(s[i,j])        o[i] = sum_visible exp(s[i,j] - lse[i]) v[j]

    Args:
        q: queries. q, k and v have one floating dtype.
        k: keys; query head x reads key head x // (h / g).
        v: values.
        bias: motif ids and their learnable table, see `MotifBias`.
        rope: rotary positions; None adds none.
        positions: integer coordinates per token, (n,) or (b, n), a pair of them when n != m. Default: key j is at j
            and query i at i + m - n. RoPE and the `ordered` bias read them; masks do not.
        is_causal: key j is visible to query i when j <= i + m - n.
        window_size: keys kept (left, right) of a query, one number for both sides; None or -1 keeps all.
        lengths: number of valid keys per batch row; later keys are padding.
        segments: integer labels per token (a pair when n != m); only equal labels see each other.
        scale: factor on the products; d**-0.5 by default.
        impl: `auto`, or the name of one implementation, which then never falls back to another.
        return_lse: also return the log-sum-exp of every score row, in nats.
        slopes: of each query head, in nats per token: what the distance of a key takes from its score (ALiBi, Press et
            al. 2022). Distances are those of places, as in masks, not of positions. Slopes are constants: no gradient.
        relative: queries a (b, h, n, c), and a key r (h, n + m - 1, c) of each distance j - (i + m - n) of places, from
            1 - m on; their product is added to the score as it is, neither scaled nor rotated (Shaw et al. 2018; Dai et
            al. 2019). Differentiable in both. On GPUs, and beside anchors, only `lazy` serves it, whose memory grows
            with n m.
        anchors: places of keys, any order, -1 for none. A pair is visible beside the window as well where its key is an
            anchor, or its query stands at the place of one; all other masks hold. Time grows with n (window + a). What
            Longformer calls global and draws or places by hand (Beltagy et al. 2020; Zaheer et al. 2020, BigBird).

    Returns:
        o in the dtype of v, and with return_lse also lse in float32. A query that sees nothing gives o = 0 and
        lse = -inf.

    Raises:
        ShapeError, ConfigError: operands or options do not fit each other.
        UnsupportedError: the named implementation does not serve this call; the text says why.

    Numerics: products read the input dtype and accumulate in float32, softmax and sums are float32; two runs on
    one machine agree bit for bit, forward and backward. A NaN or an infinity in q, or in k or v of a key, makes o
    and lse of the queries that see it NaN, and the gradients of what these queries see; nothing else changes, also
    where it is 0 times a NaN. A table entry of -inf hides its pairs, +inf is NaN; a query whose scores are all -inf
    sees nothing. Finite scores and entries saturate at +-1e30. In the CPU kernels o is finite
    for every finite v, and the slopes <do[i], v[j]> - <do[i], o[i]> saturate at +-1e30, so that no gradient is nan.

    Example:
        >>> from tinygrad import Tensor
        >>> from gattn_tg import MotifBias, Rope, attention
        >>> q, k, v = (Tensor.ones(1, 2, 8, 16) for _ in range(3))
        >>> bias = MotifBias.pair(Tensor.zeros(16, 16), Tensor([[0, 1, 1, 0, 0, 2, 2, 0]]))
        >>> attention(q, k, v, bias=bias, rope=Rope(), is_causal=True).shape
        (1, 2, 8, 16)
    """
    problem = build(q, k, v, bias=bias, rope=rope, positions=positions, is_causal=is_causal, window_size=window_size,
                    lengths=lengths, segments=segments, scale=scale, slopes=slopes,
                    relative=relative, anchors=anchors)
    o, lse = choose(problem, impl).run(problem)
    return (o, lse) if return_lse else o


def choose(problem: Problem, impl: str) -> Implementation:
    """The implementation of this name; for "auto" the first that serves the call without doubts about it.

    Raises:
        ConfigError: there is no implementation of this name.
        UnsupportedError: it does not serve the call.
    """
    if impl == "auto":
        reasons = []
        for name, implementation in IMPLEMENTATIONS.items():
            reason = implementation.refuse(problem)
            if reason is None and name in DOUBTS:
                reason = DOUBTS[name](problem)
            if reason is None:
                return implementation
            reasons.append(f"{name}: {reason}")
        raise UnsupportedError("attention: expected a call that some implementation serves, got one that none does; "
                               + "; ".join(reasons))
    if impl not in IMPLEMENTATIONS:
        raise ConfigError(f"attention impl: expected auto or one of {', '.join(IMPLEMENTATIONS)}, got {impl!r}")
    if (reason := IMPLEMENTATIONS[impl].refuse(problem)) is not None:
        raise UnsupportedError(f'attention(impl="{impl}"): {reason}; use impl="auto"')
    return IMPLEMENTATIONS[impl]
