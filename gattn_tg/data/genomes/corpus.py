"""Bases of several genomes for language models, with stretches held out for validation and for a test."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gattn_tg.data.genomes.encoded import HEADER, EncodedGenome
from gattn_tg.data.starts import Starts, is_known
from gattn_tg.errors import ConfigError
from gattn_tg.io.fasta import read_fasta
from gattn_tg.seq.alphabet import N
from gattn_tg.seq.codec import encode
from gattn_tg.types import Int, UInt8

TRIES = 16  # places that are looked at for one window before it is taken as it is
MAX_UNKNOWN = 0.5  # greatest fraction of N in a window that is drawn


class Contig(NamedTuple):
    """A named sequence of base ids; of an encoded genome it stays on disk until it is read."""

    name: str
    bases: UInt8[np.ndarray, "n"]


class Stretch(NamedTuple):
    """Bases start..end-1 of contig number `contig`."""

    contig: int
    start: int
    end: int


def n_bases(stretches: Iterable[Stretch]) -> int:
    """Bases of all of them."""
    return sum(stretch.end - stretch.start for stretch in stretches)


class Corpus:
    """Contigs, cut into stretches to learn from and stretches to be judged by.

    Args:
        contigs: in order.
        valid_every: of the blocks of all contigs, numbered one after the other, the last of every so many is held out;
            0 holds out no block.
        block_bp: bases of a block; the last one of a contig is shorter.
        valid_contigs: contigs held out as a whole.
        test_contigs: contigs kept for a test; their blocks are counted as all others are.

    Raises:
        ConfigError: an unknown contig, or nothing is left for one of the purposes.
    """

    def __init__(
        self, contigs: Sequence[Contig], *, valid_every: int = 20, block_bp: int = 65_536,
        valid_contigs: Collection[str] = (), test_contigs: Collection[str] = (),
    ) -> None:
        self.contigs = tuple(contigs)
        names = {contig.name for contig in contigs}
        if unknown := sorted({*valid_contigs, *test_contigs} - names):
            raise ConfigError(f"corpus: expected contigs of the genomes to be held out, got {unknown[0]!r}; "
                              f"they are {', '.join(sorted(names)[:8])} ...")
        self.train: list[Stretch] = []
        self.valid: list[Stretch] = []
        self.test: list[Stretch] = []
        block = 0
        for number, contig in enumerate(contigs):
            for start in range(0, len(contig.bases), block_bp):
                is_held_out = contig.name in valid_contigs or (valid_every and block % valid_every == valid_every - 1)
                part = self.test if contig.name in test_contigs else self.valid if is_held_out else self.train
                _extend(part, Stretch(number, start, min(start + block_bp, len(contig.bases))))
                block += 1
        if not (self.train and self.valid):
            raise ConfigError(
                f"corpus: expected stretches to learn from and stretches to hold out, but {block} blocks of "
                f"{block_bp} bases gave {len(self.train)} and {len(self.valid)}; change valid_every, block_bp or "
                "the contigs that are held out"
            )

    @property
    def n_train(self) -> int:
        """Bases to learn from."""
        return n_bases(self.train)

    def bases(self, stretch: Stretch) -> UInt8[np.ndarray, "n"]:
        """The base ids of a stretch."""
        return self.contigs[stretch.contig].bases[stretch.start : stretch.end]

    def draw(self, keys: np.ndarray, width: int) -> UInt8[np.ndarray, "b n"]:
        """Windows to learn from, each place equally likely; half of a window may be N, or it is drawn again.

        Args:
            keys: one 64-bit number per window, which decides where it lies.
            width: bases of a window.

        Raises:
            ConfigError: no stretch is as long as a window.
        """
        starts = Starts([stretch.end - stretch.start for stretch in self.train], width)
        if not starts.n:
            raise ConfigError(f"corpus: expected a stretch of at least {width} bases to learn from, got none; shorten "
                              "the windows")
        windows = np.empty((len(keys), width), dtype=np.uint8)
        left = np.arange(len(keys))
        for attempt in range(TRIES):
            stretches, firsts = starts.draw(keys[left], attempt)
            for row, stretch, first in zip(left.tolist(), stretches.tolist(), firsts.tolist(), strict=True):
                windows[row] = self.bases(self.train[stretch])[first : first + width]
            left = left[~is_known(windows[left], MAX_UNKNOWN)]
            if not left.size:
                break
        return windows

    def held_out(
        self, width: int, stride: int, most: int = 0, stretches: Sequence[Stretch] | None = None
    ) -> UInt8[np.ndarray, "m n"]:
        """Windows to be judged by, in order.

        Args:
            width: bases of a window.
            stride: bases from one to the next within a stretch.
            most: of all windows take so many, spread evenly; 0 takes all.
            stretches: where they lie; None for those of validation.

        Raises:
            ConfigError: no stretch is as long as a window.
        """
        rows = [
            self.bases(stretch)[first : first + width]
            for stretch in (self.valid if stretches is None else stretches)
            for first in range(0, stretch.end - stretch.start - width + 1, stride)
        ]
        if not rows:
            raise ConfigError(f"corpus: expected a held-out stretch of at least {width} bases, got none; "
                              "shorten the windows or lengthen block_bp")
        if 0 < most < len(rows):
            rows = [rows[i * len(rows) // most] for i in range(most)]
        return np.stack(rows)

    def digest(self) -> bytes:
        """Differs when names, bases or the choice of what is held out differ."""
        content = hashlib.sha256(repr((self.train, self.valid)).encode())
        for contig in self.contigs:
            content.update(contig.name.encode())
            content.update(np.ascontiguousarray(contig.bases).data)
        return content.digest()


def read_contigs(paths: Sequence[Path]) -> list[Contig]:
    """The contigs of FASTA files, encoded in memory, and of folders that `gattn preprocess` made, left on disk.

    Raises:
        FormatError: a file or folder is damaged.
        ConfigError: a path that does not exist.
    """
    contigs = []
    for path in paths:
        if not path.exists():
            raise ConfigError(f"corpus: expected an existing FASTA file or folder of `gattn preprocess`, got "
                              f"{path}; check the path")
        if (path / HEADER).is_file():
            contigs += [Contig(name, bases) for name, bases in EncodedGenome(path).contigs()]
        else:
            contigs += [Contig(record.name, encode(record.sequence)) for record in read_fasta(path)]
    return contigs


def _extend(stretches: list[Stretch], more: Stretch) -> None:
    """Append a stretch, or lengthen the last one where it continues it."""
    if stretches and stretches[-1].contig == more.contig and stretches[-1].end == more.start:
        stretches[-1] = stretches[-1]._replace(end=more.end)
    else:
        stretches.append(more)


def behind(windows: Int[np.ndarray, "m n"]) -> UInt8[np.ndarray, "m n"]:
    """What a causal model reads to predict these windows: an N for the start, then all bases but the last."""
    shifted = np.full(windows.shape, N, dtype=np.uint8)
    shifted[:, 1:] = windows[:, :-1]
    return shifted
