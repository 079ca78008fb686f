"""Corpora of language models: what is held out is never drawn, and draws are a function of their keys."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gattn_tg.data import EncodedPart, write_encoded
from gattn_tg.data.genomes.corpus import Contig, Corpus, behind, read_contigs
from gattn_tg.data.masking import mask, n_masked
from gattn_tg.errors import ConfigError
from gattn_tg.motif.kmers import kmer_codes

RNG = np.random.default_rng(0)
BASES = RNG.integers(0, 4, 5000).astype(np.uint8)


def corpus(**options: object) -> Corpus:
    contigs = [Contig("a", BASES[:3000]), Contig("b", BASES[3000:])]
    return Corpus(contigs, **{"valid_every": 5, "block_bp": 500, **options})  # type: ignore[arg-type]


def test_blocks_are_held_out_and_neighbours_are_one_stretch() -> None:
    made = corpus()
    assert [(s.contig, s.start, s.end) for s in made.valid] == [(0, 2000, 2500), (1, 1500, 2000)]
    assert [(s.contig, s.start, s.end) for s in made.train] == [(0, 0, 2000), (0, 2500, 3000), (1, 0, 1500)]
    assert made.n_train == 4000
    by_contig = corpus(valid_every=0, valid_contigs=("b",))
    assert [s.contig for s in by_contig.valid] == [1]
    assert made.digest() != by_contig.digest()


def test_contigs_of_a_test_are_in_neither_other_part() -> None:
    made = corpus(test_contigs=("b",))
    assert [(s.contig, s.start, s.end) for s in made.test] == [(1, 0, 2000)]
    assert [(s.contig, s.start, s.end) for s in made.valid] == [(0, 2000, 2500)]
    assert {s.contig for s in made.train} == {0}
    np.testing.assert_array_equal(made.held_out(500, 500, 2, made.test)[1], BASES[4000:4500])


def test_windows_lie_in_what_is_learnt_from_and_follow_their_keys() -> None:
    made, keys = corpus(), np.arange(300, dtype=np.uint64)
    windows = made.draw(keys, 40)
    np.testing.assert_array_equal(windows, made.draw(keys, 40))
    text = [made.bases(s).tobytes() for s in made.train]
    assert all(any(row.tobytes() in t for t in text) for row in windows)
    assert len({row.tobytes() for row in windows}) > 250
    held = made.held_out(200, 100)
    assert held.shape == (8, 200)
    np.testing.assert_array_equal(held[1], BASES[2100:2300])
    assert made.held_out(200, 100, 3).shape == (3, 200)
    np.testing.assert_array_equal(behind(held)[:, 1:], held[:, :-1])
    assert set(behind(held)[:, 0]) == {4}


def test_windows_of_n_are_drawn_again() -> None:
    bases = BASES.copy()
    bases[:2400] = 4
    made = Corpus([Contig("a", bases)], valid_every=5, block_bp=1000)
    assert ((made.draw(np.arange(40, dtype=np.uint64), 50) == 4).mean(1) <= 0.5).all()


def test_fasta_and_preprocessed_folders_give_the_same(tmp_path: Path) -> None:
    letters = "".join("ACGT"[b] for b in BASES[:300])
    (tmp_path / "g.fa").write_text(f">x\n{letters}\n>y\nACGTN\n")
    write_encoded(tmp_path / "g", [EncodedPart("x", 0, BASES[:300], None),
                                   EncodedPart("y", 0, np.arange(5, dtype=np.uint8), None)], None)
    for one, other in zip(*(read_contigs([tmp_path / name]) for name in ("g.fa", "g")), strict=True):
        assert one.name == other.name
        np.testing.assert_array_equal(one.bases, other.bases)


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="contigs of the genomes to be held out, got 'z'"):
        corpus(valid_contigs=("z",))
    with pytest.raises(ConfigError, match="contigs of the genomes to be held out, got 'y'"):
        corpus(test_contigs=("y",))
    with pytest.raises(ConfigError, match="stretches to hold out, but 10 blocks of 500 bases gave"):
        corpus(valid_every=0)
    with pytest.raises(ConfigError, match="a held-out stretch of at least 600 bases"):
        corpus().held_out(600, 1)
    with pytest.raises(ConfigError, match="expected a stretch of at least 9999 bases to learn from, got none"):
        corpus().draw(np.zeros(1, np.uint64), 9999)
    with pytest.raises(ConfigError, match="an existing FASTA file or folder of `gattn preprocess`"):
        read_contigs([tmp_path / "none.fa"])


@pytest.mark.parametrize("k", [1, 3, 6])
def test_masks_hide_what_is_asked_for(k: int) -> None:
    windows = RNG.integers(0, 4, (64, 200)).astype(np.uint8)
    keys = np.arange(64, dtype=np.uint64)
    hidden = mask(windows, keys, 0.15, k)
    assert hidden.places.shape == (64, n_masked(200, 0.15, k))
    assert (np.diff(hidden.places, axis=1) > 0).all()
    codes = np.full(windows.shape, -1)
    codes[:, k - 1 :] = kmer_codes(windows, k)
    np.testing.assert_array_equal(hidden.labels, np.take_along_axis(codes, hidden.places, axis=1))
    assert (hidden.labels >= 0).all()
    at = np.zeros(windows.shape, dtype=bool)
    np.put_along_axis(at, hidden.places.astype(np.int64), True, axis=1)
    np.testing.assert_array_equal(hidden.bases[~at], windows[~at])
    assert (hidden.bases[at] == 4).mean() == pytest.approx(0.8, abs=0.06)
    assert ((hidden.bases == windows)[at]).mean() == pytest.approx(0.125, abs=0.06)
    again = mask(windows, keys, 0.15, k)
    np.testing.assert_array_equal(again.bases, hidden.bases)
    assert (mask(windows, keys + np.uint64(9), 0.15, k).places != hidden.places).any()
