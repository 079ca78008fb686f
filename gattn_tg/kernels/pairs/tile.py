"""The sizes of one tile of paired products, and how C that is written for it becomes a statement of a kernel."""

from __future__ import annotations

from dataclasses import dataclass

# registers are arrays with numbers known to the compiler, which it keeps in memory unless their loops are unrolled
HEAD = """
typedef float lanes_t __attribute__((vector_size({bytes}), aligned(4), may_alias));
typedef int words_t __attribute__((vector_size({bytes}), aligned(4), may_alias));
typedef int word_t __attribute__((may_alias));
#undef UNROLL
#define UNROLL _Pragma("clang loop unroll(full)")
"""


@dataclass(frozen=True)
class Tile:
    """sums[i, j] += sum_x left[i, x] . right[x, j].

    Args:
        rows: i.
        lanes: j.
        pairs: x.
        sums: float32 from one row of sums to the next.
        left: Words from one row of the left factor to the next.
        right: Words from one row of lanes to the next.
        clear: The sums start at 0, whatever is there.
    """

    rows: int
    lanes: int
    pairs: int
    sums: int
    left: int
    right: int
    clear: bool = False


def head(n_bytes: int) -> str:
    """Types of vectors of so many bytes."""
    return HEAD.replace("{bytes}", str(n_bytes))


def statement(text: str, operands: tuple[str, ...], value: str = "*c") -> str:
    """C as a GNU statement expression whose operands are named pointers; `value` is what it leaves.

    tinygrad puts the pointers into it by `str.format`.
    """
    kinds = {"c": "float"}
    named = "".join(
        f"{kinds.get(name, 'word_t')}* {name} = ({kinds.get(name, 'word_t')}*)({{{i}}});\n"
        for i, name in enumerate(operands)
    )
    head_text, _, rest = text.partition("\n---\n")
    doubled = [part.replace("{", "{{").replace("}", "}}") for part in (head_text, rest)]
    return f"({{{{\n{doubled[0]}\n{named}{doubled[1]}\n{value};\n}}}})"


def first_half(text: str) -> str:
    """A statement that leaves the first 16 bits of its output instead of the first float32."""
    body, _, end = text.rpartition("*c;")
    return f"{body}*(const unsigned short*)c;{end}"
