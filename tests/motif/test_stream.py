"""Pieces of a contig give what the whole gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gattn_tg.io import stream_fasta
from gattn_tg.motif import AtRich, Consensus, CpgIslands, MotifClass, MotifVocabulary, annotate, hits
from gattn_tg.motif import stream as module
from gattn_tg.motif.sites import STRANDS
from gattn_tg.motif.stream import Block, annotate_piece, pieces
from gattn_tg.seq import encode

DEFAULT = MotifVocabulary.default()
SHORT = MotifVocabulary(
    (
        MotifClass("donor", Consensus(("GGTRAG", "GTA")), 5, "#111111", "forward"),
        MotifClass("donor-", Consensus(("GGTRAG", "GTA")), 5, "#222222", "reverse"),
        MotifClass("weak", AtRich(6, 0.8), 2, "#333333"),
        MotifClass("island", CpgIslands("gardiner-garden"), 1, "#444444"),
        MotifClass("cpg", Consensus(("CG",)), 3, "#555555"),
    )
)
fragments = st.lists(
    st.sampled_from(["TATAAAAG", "GGTAAG", "CTTACC", "GTAC", "CCAAT", "ATTATATTATAATATTAAATTT" * 4, "CGGCA" * 65, "N",
                     "ACGTTGCA", "GGCATCCA" * 40, "TGCA" * 90]),
    min_size=4, max_size=30,
).map("".join)  # fmt: skip


def blocks(name: str, ids: np.ndarray, size: int) -> Iterator[Block]:
    for start in range(0, len(ids), size):
        yield name, start, ids[start : start + size]


def check(ids: np.ndarray, vocabulary: MotifVocabulary, piece_bp: int, block_bp: int) -> int:
    """Compare pieces with the whole and return how many there were."""
    both = [*blocks("a", ids, block_bp), *blocks("b", ids[::-1], block_bp)]
    parts = [annotate_piece(piece, vocabulary) for piece in pieces(both, vocabulary, piece_bp)]
    for name, whole in (("a", ids), ("b", ids[::-1])):
        mine = [part for part in parts if part.chrom == name]
        assert (np.concatenate([part.motif_ids for part in mine]) == annotate(whole, vocabulary)).all()
        assert [part.start for part in mine] == np.cumsum([0] + [len(part.motif_ids) for part in mine])[:-1].tolist()
        found = [
            (start, end, STRANDS[strand], k, score)
            for part in mine
            for start, end, k, strand, score in zip(*(column.tolist() for column in part.sites), strict=True)
        ]
        expected = [(h.start, h.end, h.strand, h.id, h.score) for h in hits(whole, vocabulary)]
        assert sorted(found) == sorted(expected)
    return len(parts)


@settings(max_examples=15)
@given(fragments, st.integers(100, 900), st.integers(1, 2000), st.sampled_from([DEFAULT, SHORT]))
def test_any_pieces_give_the_whole(text: str, piece_bp: int, block_bp: int, vocabulary: MotifVocabulary) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SEARCH_BP", 500)
        check(encode(text), vocabulary, piece_bp, block_bp)


def test_a_repeat_without_joints_makes_the_piece_grow() -> None:
    assert check(encode("AT" * 40_000), DEFAULT, 5000, 3000) == 2


def test_a_human_region_in_pieces(shared_data: Path) -> None:
    path = shared_data / "regions" / "hg19_chr8_11496144_11627216.fa.gz"
    ids = np.concatenate([encode(block.sequence) for block in stream_fasta(path, 7000)])
    assert len(ids) == 131_072
    assert check(ids, DEFAULT, 8000, 5000) > 20
