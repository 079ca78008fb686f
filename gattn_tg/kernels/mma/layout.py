"""How warps with matrix units cut their work, and how rows of factors lie in shared memory."""

from __future__ import annotations

from dataclasses import dataclass

from tinygrad import UOp

from gattn_tg.kernels.mma.fragment import Fragment

CHUNK = 8  # elements that a thread moves at once
BANKS = 64  # elements of 2 bytes that shared memory gives at once
Tile = list[UOp]  # the elements of C that one lane holds
Write = tuple[UOp, tuple[UOp | int, ...], UOp | float]


@dataclass(frozen=True)
class Layout:
    """How the warps of a group cut their work.

    Args:
        warps: warps of a group.
        lanes: threads of a warp.
        rows: queries at a time.
        keys: keys at a time.
        is_early: the next block is read from memory before the present one is worked on.
        is_cuda: what only CUDA's text says: 16-byte moves by pointers of another type, numbers of other lanes.
    """

    warps: int
    lanes: int
    rows: int
    keys: int
    is_early: bool = False
    is_cuda: bool = False

    @property
    def threads(self) -> int:
        """Threads of a group."""
        return self.warps * self.lanes

    @property
    def name(self) -> str:
        """The part of a kernel's name that tells layouts apart."""
        return f"mma{self.warps}_{self.rows}x{self.keys}{'_early' * self.is_early}"

    def fold_words(self, fragment: Fragment) -> int:
        """Words of shared memory that rows are folded through."""
        slots = self.rows // (self.warps * fragment.rows) * (1 + max(fragment.own_rows))
        return 0 if self.is_cuda else self.threads * slots

    def early_words(self, across: int, width: int, itemsize: int) -> int:
        """Words of one thread that hold the next block, of `across` rows of all together `width` factors."""
        return across * width * itemsize // (4 * self.threads) if self.is_early else 0


def stride(width: int) -> int:
    """Elements of a row in shared memory."""
    return width if width % BANKS == 0 else width + CHUNK


def place(row: UOp, x: UOp, width: int) -> UOp:
    """Where element x of a row stands in it, so that lanes that read together meet different banks.

    Rows that fill all banks are turned by chunks of 16 bytes, by an amount that the number of the row decides: eight
    lanes that read four chunks of two neighbouring rows find eight different ones, and so do eight lanes that read two
    chunks of every second of eight rows. Other rows are padded.
    """
    if width % BANKS:
        return x
    chunks = BANKS // CHUNK
    chunk = (x // CHUNK + (row % 2 * 4 + row // 2 % 4 * 2)) % chunks
    return x // BANKS * BANKS + chunk * CHUNK + x % CHUNK
