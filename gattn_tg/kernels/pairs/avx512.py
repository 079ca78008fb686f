"""VDPBF16PS of AVX512-BF16: two products added to each of 16 float32 lanes. AMD Zen 4, Intel Cooper Lake and later."""

from __future__ import annotations

from gattn_tg.kernels.pairs.tile import Tile, head, statement

VECTOR = 16  # float32 in a register
MOST_ROWS, MOST_LANES = 6, 64  # 24 sums, 4 lanes and a row of 32 registers


def text(tile: Tile) -> str:
    """The statement of a tile."""
    lanes = min(MOST_LANES, tile.lanes)
    pieces = [(j, min(lanes, tile.lanes - j)) for j in range(0, tile.lanes, lanes)]
    rows = next(r for r in range(min(MOST_ROWS, tile.rows), 0, -1) if tile.rows % r == 0)
    inner = "\n".join(_piece(tile, rows, j, width // VECTOR) for j, width in pieces)
    return statement(f"{head(4 * VECTOR)}\n---\n{inner}", ("c", "a", "b"))


def _piece(tile: Tile, rows: int, j: int, vectors: int) -> str:
    """Some lanes of all rows."""
    return f"""
for (int i0 = 0; i0 < {tile.rows}; i0 += {rows}) {{
  lanes_t s[{rows}][{vectors}];
  UNROLL for (int i = 0; i < {rows}; i++) UNROLL for (int j = 0; j < {vectors}; j++)
    s[i][j] = {"(lanes_t){}" if tile.clear else f"*(lanes_t*)(c + (i0 + i) * {tile.sums} + {j} + j * {VECTOR})"};
  for (int x = 0; x < {tile.pairs}; x++) {{
    words_t w[{vectors}];
    UNROLL for (int j = 0; j < {vectors}; j++) w[j] = *(words_t*)(b + x * {tile.right}L + {j} + j * {VECTOR});
    UNROLL for (int i = 0; i < {rows}; i++) {{
      words_t v = (words_t){{}} + a[(i0 + i) * {tile.left}L + x];
      UNROLL for (int j = 0; j < {vectors}; j++)
        __asm__("vdpbf16ps %2, %1, %0" : "+v"(s[i][j]) : "v"(v), "v"(w[j]));
    }}
  }}
  UNROLL for (int i = 0; i < {rows}; i++) UNROLL for (int j = 0; j < {vectors}; j++)
    *(lanes_t*)(c + (i0 + i) * {tile.sums} + {j} + j * {VECTOR}) = s[i][j];
}}"""


def narrow(rows: int, lanes: int, source: int, out: int) -> str:
    """The statement that rounds float32 to bfloat16: half a register from a whole one."""
    return statement(
        f"""{head(4 * VECTOR)}
typedef int half_t __attribute__((vector_size({2 * VECTOR}), aligned(2), may_alias));
---
for (int i = 0; i < {rows}; i++) for (int j = 0; j < {lanes}; j += {VECTOR}) {{
  half_t h;
  __asm__("vcvtneps2bf16 %1, %0" : "=v"(h) : "v"(*(lanes_t*)(a + i * {source}L + j)));
  *(half_t*)((char*)c + 2 * (i * {out}L + j)) = h;
}}""",
        ("c", "a"),
    )
