"""CpG islands: criteria, symmetry, and a slow definition of the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gattn_tg.errors import ConfigError
from gattn_tg.motif import CpgCriteria, cpg_islands
from gattn_tg.motif.cpg import CpgCounts
from gattn_tg.seq import encode, reverse_complement

SMALL = CpgCriteria(12, 0.5, 0.6, window_bp=8, whole_windows=True, max_gap_bp=0)
SMALL_CENTRES = CpgCriteria(6, 0.5, 0.6, window_bp=8, whole_windows=False, max_gap_bp=2)
SMALL_JOINED = CpgCriteria(16, 0.55, 0.65, window_bp=7, whole_windows=True, max_gap_bp=6)
SMALL_ODD = CpgCriteria(5, 0.55, 0.65, window_bp=7, whole_windows=False, max_gap_bp=1)
RULES = [SMALL, SMALL_CENTRES, SMALL_JOINED, SMALL_ODD]
cpg_rich = st.text(alphabet="ACCGGTN", max_size=160)


def island_sequence(length: int) -> str:
    return "CGGCA" * (length // 5)  # GC .8, observed/expected 1.25


def ratio(text: str) -> float:
    pairs = text.count("C") * text.count("G")
    return text.count("CG") * len(text) / pairs if pairs else 0.0


def gc(text: str) -> float:
    return (text.count("C") + text.count("G")) / len(text)


def slow_islands(sequence: str, rule: CpgCriteria) -> list[tuple[int, int]]:
    """The four steps of the docstring, word by word."""

    def meets(start: int, end: int) -> bool:
        part = sequence[start:end]
        return (
            bool(part)
            and "N" not in part
            and gc(part) >= rule.min_gc
            and ratio(part) >= rule.min_observed_expected
        )

    def trimmed(start: int, end: int) -> tuple[int, int] | None:
        while end - start > 1:
            if meets(start, end):
                return start, end
            start, end = start + 1, end - 1
        return None

    candidates: list[list[int]] = []
    passing = [meets(first, first + rule.window_bp) for first in range(len(sequence) - rule.window_bp + 1)]
    for first, passes in enumerate(passing):
        if not passes or (first and passing[first - 1]):
            continue
        last = first  # the last of the neighbouring windows that pass
        while last + 1 < len(passing) and passing[last + 1]:
            last += 1
        if rule.whole_windows:
            start, end = first, last + rule.window_bp
        else:
            start, end = first + rule.window_bp // 2, last + (rule.window_bp + 1) // 2
        if (
            candidates
            and start - candidates[-1][1] <= rule.max_gap_bp
            and "N" not in sequence[candidates[-1][1] : start]
        ):
            candidates[-1][1] = end
        else:
            candidates.append([start, end])
    long = [trimmed(start, end) for start, end in candidates if end - start >= rule.min_length_bp]
    return [span for span in long if span and span[1] - span[0] >= rule.min_length_bp]


@settings(max_examples=200)
@given(cpg_rich, st.sampled_from(RULES))
@example(
    "CGTATGTGAGACGAT", CpgCriteria(8, 0.5, 0.6, window_bp=8, whole_windows=True, max_gap_bp=0)
)  # nothing is left of the candidate
def test_islands_are_those_of_the_slow_definition(sequence: str, rule: CpgCriteria) -> None:
    found = cpg_islands(encode(sequence), rule)
    assert [(island.start, island.end) for island in found] == slow_islands(sequence, rule)


@given(cpg_rich, st.sampled_from(RULES))
def test_islands_of_the_other_strand_are_the_mirror_image(sequence: str, rule: CpgCriteria) -> None:
    here = cpg_islands(encode(sequence), rule)
    there = cpg_islands(encode(reverse_complement(sequence)), rule)
    mirrored = [(len(sequence) - island.end, len(sequence) - island.start) for island in reversed(there)]
    assert [(island.start, island.end) for island in here] == mirrored


@given(cpg_rich)
def test_every_island_meets_the_criteria_it_reports(sequence: str) -> None:
    for island in cpg_islands(encode(sequence), SMALL):
        part = sequence[island.start : island.end]
        assert island.n_cpg == part.count("CG")
        assert island.gc == gc(part) >= SMALL.min_gc
        assert island.observed_expected == pytest.approx(ratio(part), rel=1e-12)
        assert island.observed_expected >= SMALL.min_observed_expected
        assert len(part) >= SMALL.min_length_bp
        assert "N" not in part


@pytest.mark.parametrize(("criteria", "shortest"), [("gardiner-garden", 200), ("takai-jones", 500)])
def test_published_lengths(criteria: str, shortest: int) -> None:
    desert = "TTATAAATAT" * 30
    assert cpg_islands(encode(desert), criteria) == []
    (island,) = cpg_islands(encode(desert + island_sequence(shortest + 100) + desert), criteria)
    assert shortest <= island.end - island.start <= shortest + 250
    # Windows reach into the desert, so only a much shorter island falls below the length.
    assert cpg_islands(encode(desert + island_sequence(shortest // 4) + desert), criteria) == []


def test_takai_and_jones_are_stricter() -> None:
    gc_of_half = "CGATA" * 2 + "GCTGC"  # GC 8/15 = .53
    sequence = encode(gc_of_half * 60)
    assert cpg_islands(sequence, "gardiner-garden")
    assert not cpg_islands(sequence, "takai-jones")


def test_near_islands_are_joined_by_takai_and_jones_only() -> None:
    sequence = encode(island_sequence(400) + "AT" * 60 + island_sequence(400))
    assert len(cpg_islands(sequence, "takai-jones")) == 1
    assert len(cpg_islands(sequence, "gardiner-garden")) == 2


def test_moving_average_is_drawn_at_the_centres() -> None:
    (island,) = cpg_islands(encode("CGGCA" * 80), "gardiner-garden")
    assert (island.start, island.end) == (50, 350)
    (island,) = cpg_islands(encode("CGGCA" * 120), "takai-jones")
    assert (island.start, island.end) == (0, 600)


def test_unknown_stretch_divides_an_island() -> None:
    half = island_sequence(600)
    found = cpg_islands(encode(half + "N" + half), "takai-jones")
    assert [(island.start, island.end) for island in found] == [(0, 600), (601, 1201)]


def test_unknown_criteria_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        cpg_islands(encode("ACGT"), "ucsc")
    assert str(caught.value) == (
        "cpg_islands: expected criteria 'gardiner-garden' or 'takai-jones', got 'ucsc'; "
        "pass a CpgCriteria for limits of your own"
    )


@given(st.text(alphabet="ACGTN", min_size=1, max_size=60), st.data())
def test_counts_of_any_stretch(sequence: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(sequence) - 1))
    end = data.draw(st.integers(start + 1, len(sequence)))
    counts, part = CpgCounts(encode(sequence)), sequence[start:end]
    edges = np.array([start]), np.array([end])
    assert counts.n_cpg(*edges)[0] == part.count("CG")
    assert counts.gc(*edges)[0] == gc(part)
    assert counts.n_unknown(*edges)[0] == part.count("N")
    assert counts.observed_expected(*edges)[0] == pytest.approx(ratio(part), rel=1e-12)


def test_recall_of_the_ucsc_table_on_a_real_region(shared_data) -> None:  # type: ignore[no-untyped-def]
    from gattn_tg.io import read_fasta

    (record,) = read_fasta(shared_data / "regions" / "hg19_chr8_11496144_11627216.fa.gz")
    first = int(record.name.split(":")[1].split("-")[0])
    ids = encode(record.sequence)
    table = (shared_data / "regions" / "cpg_islands_hg19.bed").read_text().splitlines()
    truth = [tuple(int(x) - first for x in row.split("\t")[1:3]) for row in table if row.startswith("chr8\t")]
    recall = {
        name: sum(any(s < island.end and island.start < e for island in called) for s, e in truth)
        for name, called in (
            ("gardiner-garden", cpg_islands(ids)),
            ("takai-jones", cpg_islands(ids, "takai-jones")),
        )
    }
    assert recall == {"gardiner-garden": 7, "takai-jones": 8}
    assert len(truth) == 8
