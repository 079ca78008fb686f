"""BFMMLA and BFDOT of Arm (FEAT_BF16): Neoverse V1 and N2, Apple M2, and later.

BFMMLA adds the products of two rows and two lanes over four numbers, BFDOT those of one row and four lanes over two.
"""

from __future__ import annotations

from gattn_tg.kernels.pairs.tile import Tile, head, statement

VECTOR = 4  # float32 in a register
DOT_ROWS, DOT_VECTORS = 4, 4  # 16 sums of 32 registers
MATRIX_ROWS, MATRIX_LANES = 8, 8  # 4 x 4 squares of sums


def dots(tile: Tile) -> str:
    """The statement of a tile by BFDOT."""
    rows = next(r for r in range(min(DOT_ROWS, tile.rows), 0, -1) if tile.rows % r == 0)
    lanes = VECTOR * DOT_VECTORS
    inner = f"""
for (int j0 = 0; j0 < {tile.lanes}; j0 += {lanes}) for (int i0 = 0; i0 < {tile.rows}; i0 += {rows}) {{
  lanes_t s[{rows}][{DOT_VECTORS}];
  UNROLL for (int i = 0; i < {rows}; i++) UNROLL for (int j = 0; j < {DOT_VECTORS}; j++)
    s[i][j] = {"(lanes_t){}" if tile.clear else f"*(lanes_t*)(c + (i0 + i) * {tile.sums} + j0 + j * {VECTOR})"};
  for (int x = 0; x < {tile.pairs}; x++) {{
    words_t w[{DOT_VECTORS}];
    UNROLL for (int j = 0; j < {DOT_VECTORS}; j++) w[j] = *(words_t*)(b + x * {tile.right}L + j0 + j * {VECTOR});
    UNROLL for (int i = 0; i < {rows}; i++) {{
      words_t v = (words_t){{}} + a[(i0 + i) * {tile.left}L + x];
      UNROLL for (int j = 0; j < {DOT_VECTORS}; j++)
        __asm__("bfdot %0.4s, %1.8h, %2.8h" : "+w"(s[i][j]) : "w"(v), "w"(w[j]));
    }}
  }}
  UNROLL for (int i = 0; i < {rows}; i++) UNROLL for (int j = 0; j < {DOT_VECTORS}; j++)
    *(lanes_t*)(c + (i0 + i) * {tile.sums} + j0 + j * {VECTOR}) = s[i][j];
}}"""
    return statement(f"{head(4 * VECTOR)}\n---\n{inner}", ("c", "a", "b"))


def matrix(tile: Tile) -> str:
    """The statement of a tile by BFMMLA: squares of two rows and two lanes, two words at a time.

    Where rows or words are odd, the last row counts twice and is stored once, and the word after the last one is 0.
    """
    squares, across = -(-min(MATRIX_ROWS, tile.rows) // 2), MATRIX_LANES // 2
    last, end = tile.rows - 1, tile.pairs
    start = "(lanes_t){up[i][2 * j], up[i][2 * j + 1], down[i][2 * j], down[i][2 * j + 1]}"
    start = "(lanes_t){}" if tile.clear else start
    inner = f"""
for (int j0 = 0; j0 < {tile.lanes}; j0 += {MATRIX_LANES}) for (int i0 = 0; i0 < {tile.rows}; i0 += {2 * squares}) {{
  lanes_t s[{squares}][{across}];
  const float* up[{squares}];
  const float* down[{squares}];
  const word_t* left[{squares}][2];
  UNROLL for (int i = 0; i < {squares}; i++) {{
    int r = i0 + 2 * i < {last} ? i0 + 2 * i : {last}, t = r < {last} ? r + 1 : {last};
    up[i] = c + r * {tile.sums} + j0;
    down[i] = c + t * {tile.sums} + j0;
    left[i][0] = a + r * {tile.left}L;
    left[i][1] = a + t * {tile.left}L;
    UNROLL for (int j = 0; j < {across}; j++)
      s[i][j] = {start};
  }}
  for (int x = 0; x < {end}; x += 2) {{
    words_t w[{across}];
    int more = x + 1 < {end};
    UNROLL for (int j = 0; j < {across}; j += 2) {{
      words_t p = *(words_t*)(b + x * {tile.right}L + j0 + 2 * j);
      words_t q = more ? *(words_t*)(b + (x + 1) * {tile.right}L + j0 + 2 * j) : (words_t){{}};
      w[j] = __builtin_shufflevector(p, q, 0, 4, 1, 5);
      w[j + 1] = __builtin_shufflevector(p, q, 2, 6, 3, 7);
    }}
    UNROLL for (int i = 0; i < {squares}; i++) {{
      const word_t *r = left[i][0] + x, *t = left[i][1] + x;
      words_t v = {{r[0], more ? r[1] : 0, t[0], more ? t[1] : 0}};
      UNROLL for (int j = 0; j < {across}; j++)
        __asm__("bfmmla %0.4s, %1.8h, %2.8h" : "+w"(s[i][j]) : "w"(v), "w"(w[j]));
    }}
  }}
  UNROLL for (int i = 0; i < {squares}; i++) UNROLL for (int j = 0; j < {across}; j++) {{
    ((float*)down[i])[2 * j] = s[i][j][2];
    ((float*)down[i])[2 * j + 1] = s[i][j][3];
    ((float*)up[i])[2 * j] = s[i][j][0];
    ((float*)up[i])[2 * j + 1] = s[i][j][1];
  }}
}}"""
    return statement(f"{head(4 * VECTOR)}\n---\n{inner}", ("c", "a", "b"))


def narrow(rows: int, lanes: int, source: int, out: int) -> str:
    """The statement that rounds float32 to bfloat16: a register from two."""
    return statement(
        f"""{head(4 * VECTOR)}
---
for (int i = 0; i < {rows}; i++) for (int j = 0; j < {lanes}; j += {2 * VECTOR}) {{
  const word_t* from = a + i * {source}L + j;
  words_t h;
  __asm__("bfcvtn %0.4h, %1.4s\\n\\tbfcvtn2 %0.8h, %2.4s"
          : "=&w"(h) : "w"(*(lanes_t*)from), "w"(*(lanes_t*)(from + {VECTOR})));
  *(words_t*)((char*)c + 2 * (i * {out}L + j)) = h;
}}""",
        ("c", "a"),
    )
