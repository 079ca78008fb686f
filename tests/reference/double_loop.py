"""Attention written a second time, one pair of bases at a time, to check the NumPy reference against.

Nothing is shared with gattn_tg.reference: rotations are complex numbers, occurrences are counted one by one, the
softmax subtracts nothing. Everything also runs on complex numbers, so `complex_step` differentiates it to the last
digit: the imaginary part of f(x + i h) / h is f'(x) without any difference of nearly equal numbers.
"""

from __future__ import annotations

import cmath
import math
from types import SimpleNamespace

import numpy as np

DEFAULTS = {
    "bias": None,
    "rope": None,
    "positions": None,
    "is_causal": False,
    "window_size": None,
    "lengths": None,
    "segments": None,
    "scale": None,
    "slopes": None,
    "relative": None,
    "anchors": None,
}


def attention(q, k, v, **keywords):
    """Gives (o, lse) as lists of Python numbers packed in arrays."""
    call = Call(q, k, v, **keywords)
    o = np.zeros((call.b, call.h, call.n, v.shape[-1]), call.dtype)
    lse = np.full((call.b, call.h, call.n), -np.inf, call.dtype)
    for b, x, i in np.ndindex(call.b, call.h, call.n):
        weights = {j: cmath.exp(call.score(b, x, i, j)) for j in range(call.m) if call.sees(b, i, j)}
        if not weights:
            continue
        total = sum(weights.values())
        log = cmath.log(total)
        lse[b, x, i] = log if call.dtype is complex else log.real
        for c in range(v.shape[-1]):
            value = sum(w / total * v[b, x // call.group, j, c] for j, w in weights.items())
            o[b, x, i, c] = value if call.dtype is complex else value.real
    return o, lse


class Call:
    """One call of attention, asked about one pair of bases at a time."""

    def __init__(self, q, k, v, **keywords):
        self.q, self.k = q, k
        self.b, self.h, self.n, self.d = q.shape
        self.m, self.group = k.shape[2], q.shape[1] // k.shape[1]
        self.__dict__.update(DEFAULTS | keywords)
        tables = [] if self.bias is None else [self.bias.table]
        self.dtype = complex if any(np.iscomplexobj(x) for x in [q, k, v, *tables]) else float

    def place(self, i):
        """The key index that query i stands at (the ends of queries and keys are aligned)."""
        return i + self.m - self.n

    def sees(self, b, i, j):
        here = self.place(i)
        if self.is_causal and j > here:
            return False
        if self.window_size is not None and not (self.is_anchor(b, here) or self.is_anchor(b, j)):
            left, right = [self.window_size] * 2 if isinstance(self.window_size, int) else self.window_size
            if left not in (None, -1) and here - j > left:
                return False
            if right not in (None, -1) and j - here > right:
                return False
        if self.lengths is not None and j >= self.lengths[b]:
            return False
        if self.segments is not None:
            return self.of(self.segments, 0, b, i) == self.of(self.segments, 1, b, j)
        return True

    def is_anchor(self, b, place):
        if self.anchors is None or place < 0 or (self.lengths is not None and place >= self.lengths[b]):
            return False
        return place in self.anchors[b]

    @staticmethod
    def of(given, side, b, index):
        """Reads what was given for one side or for both, for one row or for all."""
        rows = np.asarray(given[side] if isinstance(given, tuple) else given)
        return int(rows[index] if rows.ndim == 1 else rows[b, index])

    def coordinate_q(self, b, i):
        return self.place(i) if self.positions is None else self.of(self.positions, 0, b, i)

    def coordinate_k(self, b, j):
        return j if self.positions is None else self.of(self.positions, 1, b, j)

    def score(self, b, x, i, j):
        query = self.turned(self.q[b, x, i], self.coordinate_q(b, i))
        key = self.turned(self.k[b, x // self.group, j], self.coordinate_k(b, j))
        scale = 1 / math.sqrt(self.d) if self.scale is None else self.scale
        s = scale * sum(a * c for a, c in zip(query, key, strict=True))
        if self.slopes is not None:
            s -= float(self.slopes[x]) * abs(self.place(i) - j)
        if self.relative is not None:
            there = self.relative[1][x, j - self.place(i) + self.m - 1]  # distances begin at 1 - m
            s += sum(a * c for a, c in zip(self.relative[0][b, x, i], there, strict=True))
        return s if self.bias is None else s + self.bias_of(b, x, i, j)

    def turned(self, vector, position):
        """Turns channel pairs; a + b i times e^(i angle), written out because a and b may be complex themselves."""
        if self.rope is None:
            return list(vector)
        rope, out = self.rope, list(vector)
        width = len(out) if rope.rotary_dim is None else rope.rotary_dim
        theta = rope.theta
        if rope.ntk_scale != 1:
            theta *= rope.ntk_scale ** (width / (width - 2))
        for c in range(width // 2):
            first, second = (2 * c, 2 * c + 1) if rope.interleaved else (c, c + width // 2)
            frequency = 1 / rope.linear_scale / theta ** (2 * c / width)
            if rope.yarn_scale != 1:
                share = (rope.yarn_context * frequency / (2 * math.pi) - 1) / 31
                share = 0 if share < 0 else 1 if share > 1 else share
                frequency = share * frequency + (1 - share) * frequency / rope.yarn_scale
            unit = cmath.rect(1 + math.log(rope.yarn_scale) / 10, position * frequency)
            out[first] = vector[first] * unit.real - vector[second] * unit.imag
            out[second] = vector[first] * unit.imag + vector[second] * unit.real
        return out

    def bias_of(self, b, x, i, j):
        where = self.entry(b, i, j)
        if where is None:
            return 0.0
        table = self.bias.table
        flat = len(where) == np.ndim(table)
        one = table if flat else table[x]
        if self.bias.complement is None:
            return one[where]
        return (one[where] + one[self.other_strand(where)]) / 2

    def other_strand(self, where):
        """The entry that the same meeting of motifs reads when the sequence is read from the other strand."""
        turned = tuple(self.bias.complement[a] for a in where)
        return turned[::-1] if self.bias.kind == "ordered" else turned

    def entry(self, b, i, j):
        """The table entry of one pair of bases, None where nothing is added."""
        bias = self.bias
        if bias.kind == "dense":
            return (int(bias.ids[b, i, j]),)
        ids_k = bias.ids if bias.ids_k is None else bias.ids_k
        of_key = int(ids_k[b, j])
        if bias.kind == "key":
            return (of_key,)
        if bias.kind == "between":
            starts = 0
            for z in range(min(self.place(i), j) + 1, max(self.place(i), j)):
                starts += int(ids_k[b, z] != 0 and (z == 0 or ids_k[b, z - 1] != ids_k[b, z]))
            return (min(starts, bias.table.shape[-1] - 1),)
        of_query = int(bias.ids[b, i])
        if bias.kind == "same":
            return (of_query,) if of_query == of_key else None
        if bias.kind == "ordered" and self.coordinate_k(b, j) < self.coordinate_q(b, i):
            return (of_key, of_query)
        return (of_query, of_key)


def attention_backward(do, q, k, v, dlse=None, **keywords):
    """Gives dq, dk, dv and dtable by the chain rule on one score after the other."""
    call = Call(q, k, v, **keywords)
    o, lse = attention(q, k, v, **keywords)
    table = None if call.bias is None else call.bias.table
    dq, dk, dv = (np.zeros(x.shape) for x in (q, k, v))
    dtable = None if table is None else np.zeros(table.shape)
    drelative = None if call.relative is None else tuple(np.zeros(x.shape) for x in call.relative)
    scale = 1 / math.sqrt(call.d) if call.scale is None else call.scale
    for b, x, i, j in np.ndindex(call.b, call.h, call.n, call.m):
        if not call.sees(b, i, j):
            continue
        y = x // call.group
        p = math.exp(call.score(b, x, i, j) - lse[b, x, i])
        dv[b, y, j] += p * do[b, x, i]
        # d o / d s_j = p_j (v_j - o) and d lse / d s_j = p_j
        ds = p * float(np.dot(do[b, x, i], v[b, y, j] - o[b, x, i]))
        ds += 0.0 if dlse is None else p * dlse[b, x, i]
        # <R(p) q, R(r) k> depends on r - p alone, so each side sees the other one turned by the difference,
        # and multiplied by the gain of both sides.
        apart = call.coordinate_k(b, j) - call.coordinate_q(b, i)
        dq[b, x, i] += ds * scale * np.array(call.turned(call.turned(k[b, y, j], apart), 0))
        dk[b, y, j] += ds * scale * np.array(call.turned(call.turned(q[b, x, i], -apart), 0))
        if drelative is not None:
            r = j - call.place(i) + call.m - 1
            drelative[0][b, x, i] += ds * call.relative[1][x, r]
            drelative[1][x, r] += ds * call.relative[0][b, x, i]
        where = None if table is None else call.entry(b, i, j)
        if where is None:
            continue
        head = () if len(where) == table.ndim else (x,)
        if call.bias.complement is None:
            dtable[head + where] += ds
        else:
            dtable[head + where] += ds / 2
            dtable[head + call.other_strand(where)] += ds / 2
    return SimpleNamespace(dq=dq, dk=dk, dv=dv, dtable=dtable, drelative=drelative)
