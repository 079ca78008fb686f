"""Blocks over a long sequence: what rows need alone runs piece by piece, attention head by head.

A block has two steps. Every one is memory before the next begins, so that a captured graph has room for one at a time:

    q, k, v of one key head  =  rows of norm(x)          piece by piece
    o of these query heads   =  attention                kept for the backward pass, with two numbers per row
    y                        =  x + out(o), and the perceptron on it          piece by piece

    backward: dx, do piece by piece from dy, which compute y again;  dq, dk, dv head by head from do and o, with no
    attention computed again;  dx += what q, k and v give, piece by piece

Numerics: outputs are those of whole blocks bit for bit, but for dropout, whose masks belong to pieces; pieces are long
enough for the products of `ops.linear` to be summed as those of the whole. Gradients of weights are sums over pieces of
sums over rows, and those of q, k and v are rounded part by part: the last bits differ. Two runs have the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tinygrad import Tensor, dtypes

from gattn_tg.nn.block import AnyBlock, Block
from gattn_tg.nn.linear import Linear
from gattn_tg.ops.attention import kept, loops
from gattn_tg.ops.attention.anchors import Anchors
from gattn_tg.ops.attention.anchors import found as found_in
from gattn_tg.ops.attention.problem import Problem, build
from gattn_tg.ops.dropout import dropout, key_now, plus, with_key
from gattn_tg.ops.launch import on_one_cpu
from gattn_tg.ops.linear import linear
from gattn_tg.ops.overlaps import ROWS, cuts
from gattn_tg.ops.recompute import Stages, Sums, forgets, in_memory, joined, now, rows_in_memory
from gattn_tg.types import Float, Int


@dataclass
class Beside:
    """What attention reads beside x: motif ids, lengths, positions and places of anchors, as blocks are given them."""

    motif_ids: Int[Tensor, "b n"]
    lengths: Int[Tensor, "b"] | None
    positions: Int[Tensor, "b n"] | None
    anchors: Int[Tensor, "b a"] | None
    seen: Anchors | None = None

    def found(self, problem: Problem) -> Anchors | None:
        """The anchors of a call, in memory; those of all heads and blocks are the same."""
        if problem.anchors is not None and self.seen is None:
            found = found_in(problem)
            parts = found.slots_q.contiguous(), found.slots_k, found.places.contiguous()
            self.seen = Anchors(*in_memory(*parts))
        return self.seen


def serve(blocks: Sequence[AnyBlock], x: Float[Tensor, "b n w"], beside: Beside) -> bool:
    """Whether x is long, nobody keeps what is inside of blocks, and these are blocks that can be taken apart."""
    n = x.shape[1]
    if n <= ROWS or not (forgets() or now() is not None) or not on_one_cpu(x):
        return False
    if beside.motif_ids.dtype in dtypes.floats or not all(type(block) is Block for block in blocks):
        return False
    return all(_is_plain(block, x, beside) for block in blocks)


def _is_plain(block: AnyBlock, x: Tensor, beside: Beside) -> bool:
    attention = block.attention
    projections = (attention.q_proj, attention.k_proj, attention.v_proj)
    if any(projection.low is not None for projection in projections) or attention.config.alibi:
        return False
    (b, n, _), c = x.shape, attention.config
    q, k, v = (Tensor.empty(b, h, n, d, dtype=x.dtype, device=x.device) for h, d in
               ((c.n_heads, c.head_width), (c.key_heads, c.head_width), (c.key_heads, c.out_width)))  # fmt: skip
    return loops.refuse(_problem(block, 0, (q, k, v), beside)) is None


def run(blocks: Sequence[AnyBlock], x: Float[Tensor, "b n w"], beside: Beside) -> Float[Tensor, "b n w"]:
    """x after all blocks, which `serve`."""
    stages = now()
    return _kept(stages, blocks, x, beside) if stages is not None else _forgotten(blocks, x, beside)


def by_rows(function: Callable[..., Tensor], *inputs: Tensor) -> Float[Tensor, "b n w"]:
    """function(*inputs), which maps every row of its inputs (b, n, ...) alone; piece by piece where it is long and
    nothing is kept for gradients."""
    b, n = inputs[0].shape[:2]
    if n <= ROWS or not forgets() or not on_one_cpu(inputs[0]):
        return function(*inputs)
    return joined([in_memory(function(*(x[:, piece] for x in inputs)).contiguous())[0] for piece in cuts(b, n, ROWS)])


def _forgotten(blocks: Sequence[AnyBlock], x: Tensor, beside: Beside) -> Tensor:
    pieces = _cut(in_memory(x.contiguous())[0])
    for block in blocks:
        pieces, _ = _forward(block, pieces, beside)
    return joined(pieces)


def _kept(stages: Stages, blocks: Sequence[AnyBlock], x: Tensor, beside: Beside) -> Tensor:
    pieces, done = _cut(stages.entered(x)), []
    for block in blocks:
        made, head_rows = _forward(block, pieces, beside)
        done.append(_Done(block, pieces, head_rows))
        pieces = made
    whole = joined(pieces)
    stages.done.append(_Long(whole, done, beside))
    return whole


@dataclass(frozen=True)
class _Head:
    """One head of attention that ran: its output, and what `ops.attention.kept` wants for gradients."""

    o: Float[Tensor, "b h n e"]
    rows: kept.Rows


@dataclass
class _Done:
    """A block that ran: its input in pieces, its heads, and the keys of the dropouts of its pieces."""

    block: AnyBlock
    pieces: list[Tensor]
    heads: tuple[list[_Head], list[Tensor | None]]


@dataclass
class _Long:
    """All blocks, as one stage of `ops.recompute`."""

    made: Tensor
    done: list[_Done] = field(repr=False)
    beside: Beside = field(repr=False)

    def back(self, sums: Sums, slope: Tensor) -> Tensor:
        slopes = _cut(slope)
        while self.done:
            slopes = _backward(sums, self.done.pop(), slopes, self.beside)
        return joined(slopes)


def _cut(x: Float[Tensor, "b n w"]) -> list[Float[Tensor, "b r w"]]:
    """Pieces of a sequence, each with memory of its own."""
    b, n, _ = x.shape
    return [rows_in_memory(x, piece) for piece in cuts(b, n, ROWS)]


def _forward(
    block: AnyBlock, pieces: list[Tensor], beside: Beside
) -> tuple[list[Tensor], tuple[list[_Head], list[Tensor | None]]]:
    """The output of a block in pieces."""
    heads = []
    for g in range(block.attention.config.key_heads):
        problem = _problem(block, g, _projected(block, g, pieces), beside)
        heads.append(_Head(*kept.forward(problem, beside.found(problem))))
    keys, made = [], []
    for number, (x, o) in enumerate(zip(pieces, _of_pieces(heads, pieces), strict=True)):
        keys.append(key_now())
        made.append(in_memory(_behind(block, x, o).contiguous())[0])
        if now() is None:
            pieces[number] = made[-1]  # forgotten at once
    return made, (heads, keys)


def _backward(sums: Sums, done: _Done, slopes: list[Tensor], beside: Beside) -> list[Tensor]:
    """The cotangent of the input of a block, piece by piece."""
    block, (heads, keys) = done.block, done.heads
    of_x, of_o = [], []
    for x, o, key, slope in zip(done.pieces, _of_pieces(heads, done.pieces), keys, slopes, strict=True):
        (o,) = in_memory(o.contiguous())
        with with_key(key):
            dx, do = sums.back(_behind(block, x, o), slope, x, o)
        of_x.append(dx)
        of_o.append(do)
    for g, head in enumerate(heads):
        problem = _problem(block, g, _projected(block, g, done.pieces), beside)
        width = head.o.shape[1] * head.o.shape[3]
        (do,) = in_memory(_heads_of([x[:, :, g * width : (g + 1) * width] for x in of_o], head.o.shape[1]))
        got = kept.backward(problem, beside.found(problem), head.o, head.rows, do)
        if problem.bias is not None and got.table is not None:
            sums.back(problem.bias.tied_table() + 0, got.table)
        first = 0
        for number, x in enumerate(done.pieces):
            last = first + x.shape[1]
            slope = _rows_of([d[:, :, first:last] for d in (got.q, got.k, got.v)])
            q, k, v = _rows(block, g, x)
            (dx,) = sums.back(q.cat(k, v, dim=2), slope, x)
            (of_x[number],) = in_memory(of_x[number] + dx)
            first = last
    return of_x


def _of_pieces(heads: Sequence[_Head], pieces: Sequence[Tensor]) -> list[Float[Tensor, "b r w"]]:
    """The outputs of all heads beside each other, in pieces."""
    found, first = [], 0
    for x in pieces:
        last = first + x.shape[1]
        parts = [head.o[:, :, first:last] for head in heads]
        found.append(_rows_of(parts))
        first = last
    return found


def _rows_of(parts: Sequence[Float[Tensor, "b h r d"]]) -> Float[Tensor, "b r w"]:
    """Heads beside each other."""
    flat = [x.transpose(1, 2).flatten(2) for x in parts]
    return flat[0].cat(*flat[1:], dim=2) if len(flat) > 1 else flat[0]


def _heads_of(pieces: Sequence[Float[Tensor, "b r w"]], heads: int) -> Float[Tensor, "b h n d"]:
    """A sequence in pieces as heads."""
    whole = pieces[0].cat(*pieces[1:], dim=1)
    b, n, w = whole.shape
    return whole.reshape(b, n, heads, w // heads).transpose(1, 2).contiguous()


def _behind(block: AnyBlock, x: Tensor, o: Tensor) -> Tensor:
    """What follows attention, of some rows: its projection, and the perceptron."""
    assert isinstance(block, Block)
    out = block.attention.out_proj
    if out is None:
        y = x + dropout(o, block.dropout)
    else:
        y = plus(x, lambda residual: out(o, residual=residual), block.dropout)
    return plus(y, lambda residual: block.mlp(block.mlp_norm(y), residual), block.dropout)


def _rows(block: AnyBlock, g: int, x: Tensor) -> list[Tensor]:
    """Queries, keys and values of key head g and its query heads, of some rows."""
    c, attention, z = block.attention.config, block.attention, block.attended(x)
    queries = c.n_heads // c.key_heads * c.head_width
    return [
        _some(projection, z, g * width, width)
        for projection, width in ((attention.q_proj, queries), (attention.k_proj, c.head_width),
                                  (attention.v_proj, c.out_width))
    ]  # fmt: skip


def _some(projection: Linear, z: Tensor, first: int, width: int) -> Tensor:
    """Some channels of a projection."""
    bias = None if projection.bias is None else projection.bias[first : first + width]
    return linear(z, projection.weight[first : first + width], bias)


def _projected(block: AnyBlock, g: int, pieces: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """q, k and v of key head g and its query heads, in memory."""
    c = block.attention.config
    rows = [in_memory(*(part.detach().contiguous() for part in _rows(block, g, x))) for x in pieces]
    heads = (c.n_heads // c.key_heads, 1, 1)
    q, k, v = (in_memory(_heads_of(parts, h))[0] for parts, h in zip(zip(*rows, strict=True), heads, strict=True))
    return q, k, v


def _problem(block: AnyBlock, g: int, heads: tuple[Tensor, Tensor, Tensor], beside: Beside) -> Problem:
    """The attention of key head g and its query heads."""
    q, k, v = heads
    c, attention = block.attention.config, block.attention
    table = attention.motif_bias
    if table is not None and c.per_head:
        table = table[g * q.shape[1] : (g + 1) * q.shape[1]]
    bias = None if table is None else c.bias(table, beside.motif_ids)
    return build(
        q, k, v, bias=bias, rope=c.rope, positions=beside.positions, is_causal=c.is_causal, window_size=c.window_size,
        lengths=beside.lengths, segments=None, scale=None, anchors=beside.anchors,
    )
