"""Words of 16 rows at a time, transposed in registers: rows become lanes."""

from __future__ import annotations

from gattn_tg.kernels.pairs.tile import head, statement

SIDE = 16  # words of a block each way


def text(rows: int, words: int, source: int, out: int, have: int) -> str:
    """The statement c[x * out + i] = a[min(i, have - 1) * source + x] for i < rows, x < words."""
    blocks = "\n".join(_rows(i, words, source, out, have) for i in range(0, rows, SIDE))
    return statement(f"{head(4 * SIDE)}\n---\n{blocks}", ("c", "a"))


def pairs(rows: int, words: int, source: int, out: int) -> str:
    """The statement c[i * out + x] = (a[2 x * source + i], a[(2 x + 1) * source + i]) for i < rows, x < words.

    `source` counts bfloat16, `out` words.
    """
    whole = words // SIDE * SIDE
    loads = "\n".join(f"  words_t r{x}_0 = PAIR(x + {x}, i);" for x in range(SIDE))
    stores = "\n".join(f"  *(words_t*)(c + (i + {i}) * {out}L + x) = r{i}_4;" for i in range(SIDE))
    return statement(
        f"""{head(4 * SIDE)}
typedef unsigned short halves_t __attribute__((vector_size({2 * SIDE}), aligned(2), may_alias));
typedef unsigned short half_t __attribute__((may_alias));
---
const half_t* h = (const half_t*)a;
#define HALVES(x, i) __builtin_convertvector(*(const halves_t*)(h + (x) * {source}L + (i)), words_t)
#define PAIR(x, i) (HALVES(2 * (x), i) | (HALVES(2 * (x) + 1, i) << 16))
for (int i = 0; i < {rows}; i += {SIDE}) {{
for (int x = 0; x < {whole}; x += {SIDE}) {{
{loads}
{_exchanges()}
{stores}
}}
for (int x = {whole}; x < {words}; x++) for (int j = 0; j < {SIDE}; j++)
  ((word_t*)c)[(i + j) * {out}L + x] =
    h[2 * x * {source}L + i + j] | ((word_t)h[(2 * x + 1) * {source}L + i + j] << 16);
}}
#undef PAIR
#undef HALVES""",
        ("c", "a"),
    )


def zipped(words: int, lanes: int, source: int, out: int) -> str:
    """The statement c[x * out + j] = (a[2 x * source + j], a[(2 x + 1) * source + j]) for x < words, j < lanes.

    `source` counts bfloat16, `out` words.
    """
    return statement(
        f"""typedef unsigned short half_t __attribute__((may_alias));
typedef int word_t __attribute__((may_alias));
---
const half_t* h = (const half_t*)a;
for (int x = 0; x < {words}; x++) for (int j = 0; j < {lanes}; j++)
  ((word_t*)c)[x * {out}L + j] = h[2 * x * {source}L + j] | ((word_t)h[(2 * x + 1) * {source}L + j] << 16);""",
        ("c", "a"),
    )


def _rows(i: int, words: int, source: int, out: int, have: int) -> str:
    """All words of 16 rows."""
    at = [min(i + r, have - 1) * source for r in range(SIDE)]
    loads = "\n".join(f"  words_t r{r}_0 = *(words_t*)(a + {start}L + x);" for r, start in enumerate(at))
    stores = "\n".join(f"  *(words_t*)(c + (x + {r}) * {out}L + {i}) = r{r}_4;" for r in range(SIDE))
    whole = words // SIDE * SIDE
    tail = "\n".join(f"  ((word_t*)c)[x * {out}L + {i + r}] = a[{start}L + x];" for r, start in enumerate(at))
    loops = f"for (int x = 0; x < {whole}; x += {SIDE}) {{\n{loads}\n{_exchanges()}\n{stores}\n}}" if whole else ""
    return loops + (f"\nfor (int x = {whole}; x < {words}; x++) {{\n{tail}\n}}" if words > whole else "")


def _exchanges() -> str:
    """Four rounds: registers that differ in one bit of their number exchange the words that differ in the same bit."""
    lines = []
    for turn, bit in enumerate((1, 2, 4, 8)):
        low = ",".join(str(j if not j & bit else SIDE + (j ^ bit)) for j in range(SIDE))
        high = ",".join(str(j | bit if not j & bit else SIDE + j) for j in range(SIDE))
        for r in range(SIDE):
            if not r & bit:
                a, b = f"r{r}_{turn}", f"r{r | bit}_{turn}"
                lines.append(f"  words_t r{r}_{turn + 1} = __builtin_shufflevector({a}, {b}, {low});")
                lines.append(f"  words_t r{r | bit}_{turn + 1} = __builtin_shufflevector({a}, {b}, {high});")
    return "\n".join(lines)
