"""TDPBF16PS of AMX: a product of 16 x 32 by 32 x 16 bfloat16 in one instruction. Intel Sapphire Rapids and later.

Four of the eight tile registers hold sums of 32 x 32, two the rows and two the lanes of a step. The registers are set
up and left empty in every statement, because nothing but these statements uses them.
"""

from __future__ import annotations

from collections.abc import Iterator

from gattn_tg.kernels.pairs.tile import Tile, statement

SIDE = 16  # rows of a register, words of one, float32 lanes of one
CONFIG_BYTES, COLUMNS_AT, ROWS_AT = 64, 16, 48  # of the instruction LDTILECFG


def text(tile: Tile) -> str:
    """The statement of a tile."""
    whole, rest = tile.pairs // SIDE, tile.pairs % SIDE
    steps = [(SIDE, whole, 0)] * bool(whole) + [(rest, 1, whole * SIDE)] * bool(rest)
    inner = "\n".join(_walk(tile, *step) for step in steps)
    return statement(
        "typedef int word_t __attribute__((may_alias));\n"
        f"__attribute__((aligned(64))) unsigned char config[{CONFIG_BYTES}] = {{1}};\n---\n"
        f'{inner}\n__asm__ volatile("tilerelease" ::: "memory");',
        ("c", "a", "b"),
    )


def _walk(tile: Tile, words: int, steps: int, start: int) -> str:
    """All sums take `steps` steps of `words` words, from word `start` on."""
    high = [min(SIDE, tile.rows), min(SIDE, tile.rows - SIDE) if tile.rows > SIDE else SIDE]
    if tile.rows > 2 * SIDE and tile.rows % SIDE:
        raise ValueError(f"amx: expected at most {2 * SIDE} rows or a multiple of {SIDE}, got {tile.rows}")
    shapes = [(high[0], SIDE), (high[0], SIDE), (high[1], SIDE), (high[1], SIDE)]
    shapes += [(high[0], words), (high[1], words), (words, SIDE), (words, SIDE)]
    setup = "".join(
        f"*(unsigned short*)(config + {COLUMNS_AT + 2 * i}) = {4 * width}; config[{ROWS_AT + i}] = {rows};\n"
        for i, (rows, width) in enumerate(shapes)
    )
    load = '__asm__ volatile("ldtilecfg %0" :: "m"(config) : "memory");'
    blocks = [_block(tile, i, j, steps, start) for i, j in _blocks(tile)]
    return setup + load + "\n" + "\n".join(blocks)


def _blocks(tile: Tile) -> Iterator[tuple[int, int]]:
    return ((i, j) for j in range(0, tile.lanes, 2 * SIDE) for i in range(0, tile.rows, 2 * SIDE))


def _block(tile: Tile, i: int, j: int, steps: int, start: int) -> str:
    """Up to four registers of sums from row i and lane j."""
    downs = [0, 1] if tile.rows - i > SIDE else [0]
    acrosses = [0, 1] if tile.lanes - j > SIDE else [0]
    places = [(2 * r + s, f"c + {(i + r * SIDE) * tile.sums + j + s * SIDE}L") for r in downs for s in acrosses]
    rows = [(4 + r, f"a + {(i + r * SIDE) * tile.left + start}L + x * {SIDE}L") for r in downs]
    lanes = [(6 + s, f"b + {start * tile.right + j + s * SIDE}L + x * {SIDE * tile.right}L") for s in acrosses]
    inside = [_move("tileloadd", n, at, tile.left) for n, at in rows]
    inside += [_move("tileloadd", n, at, tile.right) for n, at in lanes]
    squares = [f"%tmm{6 + s}, %tmm{4 + r}, %tmm{2 * r + s}" for r in downs for s in acrosses]
    inside += [f'__asm__ volatile("tdpbf16ps {square}");' for square in squares]
    return "\n".join(
        [
            *[_start(tile, n, at, start) for n, at in places],
            f"for (int x = 0; x < {steps}; x++) {{",
            *[f"  {line}" for line in inside],
            "}",
            *[_move("tilestored", n, at, tile.sums) for n, at in places],
        ]
    )


def _start(tile: Tile, number: int, at: str, word: int) -> str:
    """Sums come into a register; those that start at 0 are in memory from the second walk on."""
    if tile.clear and word == 0:
        return f'__asm__ volatile("tilezero %tmm{number}");'
    return _move("tileloadd", number, at, tile.sums)


def _move(instruction: str, number: int, at: str, stride: int) -> str:
    """A register from memory or to it; rows are `stride` words apart."""
    memory = "(%0,%1,1)"
    order = f"{memory}, %%tmm{number}" if instruction == "tileloadd" else f"%%tmm{number}, {memory}"
    return f'__asm__ volatile("{instruction} {order}" :: "r"({at}), "r"({4 * stride}L) : "memory");'
