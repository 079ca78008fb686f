"""BAM files with methylation: Bismark's XM and the MM and ML of long reads, on both strands, and what is refused."""

from __future__ import annotations

import array
import sys
from pathlib import Path
from typing import Any

import pytest

from gattn_tg.errors import FormatError, MissingExtraError
from gattn_tg.io import Read, read_labelled, write_tsv
from gattn_tg.io.bam import read_bam
from gattn_tg.score.sequences import read

#         CG  CG  CG    CHG
GENOME = "ACGTTCGAACGTACTGA"


def bam(path: Path, *reads: dict[str, Any]) -> Path:
    """A BAM file of reads that lie at the first base of GENOME; keys of two capitals are tags."""
    pysam = pytest.importorskip("pysam", reason="pysam is not installed (extra bam)")
    with pysam.AlignmentFile(str(path), "wb", header={"SQ": [{"SN": "c", "LN": 100}]}) as file:
        for n, told in enumerate(reads):
            segment = pysam.AlignedSegment(file.header)
            segment.query_name, segment.flag = f"r{n}", told.get("flag", 0)
            segment.query_sequence = told.get("letters", GENOME)
            segment.reference_id, segment.reference_start = 0, 0
            if segment.query_sequence:
                segment.cigarstring = f"{len(segment.query_sequence)}M"
            for tag, value in told.items():
                if tag.isupper():
                    segment.set_tag(tag, array.array("B", value) if tag == "ML" else value)
            file.write(segment)
    return path


def test_bismark_reads_become_letters_of_the_genome_with_states(tmp_path: Path) -> None:
    top = {"letters": "ACGTTTGAACGTATTGA", "XM": ".Z...z...Z...x...", "XG": "CT"}  # T for the C that is not methylated
    bottom = {"letters": "ACGTTCAAACGTACTAA", "XM": "..Z...z...Z....x.", "XG": "GA", "flag": 16}  # A for its G
    found = list(read_bam(bam(tmp_path / "x.bam", top, bottom)))
    assert found == [Read("r0", "", GENOME, ".1...0...1......."), Read("r1", "", GENOME, "..1...0...1......")]


def test_likely_modifications_are_methylated_at_the_c_of_the_strand_that_was_read(tmp_path: Path) -> None:
    here = {"MM": "C+m?,0,0;", "ML": [250, 3]}  # the first and the second C; of others nothing is known
    there = {"MM": "C+m?,1;", "ML": [128], "flag": 16}  # its second C from its start is the G at 10
    with_h = {"MM": "C+hm?,0;", "ML": [3, 250]}
    found = list(read_bam(bam(tmp_path / "x.bam", here, there, with_h)))
    assert [one.states for one in found] == [b".1...0...........", b"..........1......", b".1..............."]
    assert {one.sequence for one in found} == {GENOME.encode()}


@pytest.mark.parametrize("mode", ["", "."])
def test_what_mm_leaves_out_is_unmethylated_unless_it_says_otherwise(mode: str, tmp_path: Path) -> None:
    here = {"MM": f"C+m{mode},1;", "ML": [250]}
    there = {**here, "flag": 16}
    found = list(read_bam(bam(tmp_path / "x.bam", here, there)))
    assert [one.states for one in found] == [b".0...1...0.......", b"..0...0...1......"]


def test_only_primary_reads_with_letters_count(tmp_path: Path) -> None:
    tags = {"MM": "C+m?,0;", "ML": [250]}
    others = [{**tags, "flag": flag} for flag in (256, 2048, 512)]
    path = bam(tmp_path / "x.bam", tags, *others, {**tags, "letters": ""})
    assert [one.name for one in read(path, states="methylation")] == ["r0"]


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ({}, "read 'r0': expected the tag XM, or MM and ML, got neither; call methylation first"),
        ({"XM": "Z", "XG": "CT"}, "expected in XM one of z Z x X h H u U . for each of 17 bases, got 1: b'Z'"),
        ({"XM": "." * 16 + "Q", "XG": "CT"}, "expected in XM one of z Z x X h H u U . for each of 17 bases, got 17"),
        ({"XM": "." * 17}, "expected XG CT or GA beside XM, got ''; call methylation again"),
        ({"XM": "z" + "." * 16, "XG": "CT"}, "expected T at every base that XM calls unmethylated, got others at 1"),
        ({"MM": "C+m?,0,90;", "ML": [250, 3]}, "expected MM and ML that fit the bases, got 'C+m?,0,90;'"),
    ],
)
def test_tags_that_do_not_fit_are_refused(told: dict[str, Any], text: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError) as caught:
        list(read_bam(bam(tmp_path / "x.bam", told)))
    assert text in str(caught.value)


def test_files_that_are_damaged_empty_or_missing_are_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    empty = bam(tmp_path / "empty.bam")
    with pytest.raises(FormatError, match="expected at least one primary read with letters, got none"):
        list(read_bam(empty))
    whole = bam(tmp_path / "x.bam", *[{"MM": "C+m?,0;", "ML": [250]}] * 500).read_bytes()
    for name, content in (("cut.bam", whole[: len(whole) // 2]), ("text.bam", b"sequence\nACGT\n")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FormatError, match=f"{name}: expected a whole BAM file, got: "):
            list(read_bam(tmp_path / name))
    with pytest.raises(FormatError, match=r"none\.bam: expected a whole BAM file, got: "):
        list(read_bam(tmp_path / "none.bam"))
    assert capfd.readouterr().err == ""


def test_a_model_of_letters_refuses_it_and_a_missing_library_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FormatError, match="by a model that reads letters alone, got a BAM file; convert it"):
        list(read(tmp_path / "x.bam"))
    monkeypatch.setitem(sys.modules, "pysam", None)
    with pytest.raises(MissingExtraError, match="expected pysam to read BAM, but it is not installed; pip install"):
        list(read(tmp_path / "x.bam", states="methylation"))


def test_a_bam_file_becomes_a_table_to_train_on_and_is_no_table_itself(tmp_path: Path) -> None:
    path = bam(tmp_path / "x.bam", {"MM": "C+m?,0,0;", "ML": [250, 3]})
    with pytest.raises(FormatError, match="expected a CSV or TSV table, got a BAM file; write a table"):
        read_labelled(path)
    rows = ([r.name, r.sequence.decode(), r.states.decode(), "tumour"] for r in read_bam(path))
    write_tsv(tmp_path / "x.tsv", ["name", "sequence", "methylation", "label"], rows)
    assert read_labelled(tmp_path / "x.tsv", states="methylation").states == (b".1...0...........",)
