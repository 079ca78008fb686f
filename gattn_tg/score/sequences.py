"""Named sequences out of a file of either kind: FASTA, or a table with a column `sequence`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from gattn_tg.data import LabelledSequences, encode_labelled
from gattn_tg.errors import FormatError
from gattn_tg.io import LabelledTable, Read, Record, read_fasta, stream_labelled
from gattn_tg.io.bam import read_bam
from gattn_tg.io.source import Source
from gattn_tg.models.readouts.sequences import NAME, SEQUENCE
from gattn_tg.motif import MotifVocabulary

BAM = ".bam"


def read(
    path: Path | str, *, most_bp: int | None = None, sequence: str = SEQUENCE, name: str = NAME, states: str = ""
) -> Iterator[Record]:
    """Records of a FASTA file, or rows of a CSV/TSV with the names of its column `name`, or row_1, row_2, ... without.

    The first character that is not blank decides: `>` means FASTA. The file is opened once, so a pipe is read as well.
    A name that ends in .bam means reads with methylation, see `io.bam`; it must be a file.

    Args:
        path: A file, a pipe, or "-" for standard input.
        most_bp: Bases of the longest sequence that is wanted, see `read_fasta`.
        sequence: Column of a table with the sequences.
        name: Column of a table with their names; the column "name" may be missing, another may not.
        states: Column of a table with what was measured at their bases, for records of `io.Read`; "" reads none.

    Raises:
        FormatError: The file is missing, damaged or of neither kind, or FASTA where states are wanted.
    """
    if Path(path).suffix.lower() == BAM:
        if not states:
            raise FormatError(f"{path}: expected FASTA, or a table with a column {sequence!r}, by a model that reads "
                              "letters alone, got a BAM file; convert it")  # fmt: skip
        yield from read_bam(path)
        return
    with Source(path) as source:
        if source.first() in (b">", b""):
            if states:
                raise FormatError(f"{source.path}: expected a table with a column {states!r} of measured states, which "
                                  "the model reads, got FASTA; give a table")
            yield from read_fasta(source, most_bp=most_bp)
            return
        rows = stream_labelled(source, sequence=sequence, label=None, name=name, optional=name == NAME,
                               states=states or None)  # fmt: skip
        for i, row in enumerate(rows, start=1):
            told = row.name or f"row_{i}"
            yield Read(told, "", row.sequence, row.states) if states else Record(told, "", row.sequence)


def chunks(
    records: Iterable[Record], vocabulary: MotifVocabulary, max_length: int, size: int, where: str
) -> Iterator[tuple[list[Record], LabelledSequences]]:
    """Encoded groups of at most `size` records, so that a file of any length needs little memory.

    Raises:
        FormatError: A sequence is longer than the model has seen, or has no measured states where the model reads them.
    """
    source = iter(records)
    while group := list(islice(source, size)):
        for record in group:
            if len(record.sequence) > max_length:
                raise FormatError(
                    f"{where}: expected sequences of at most {max_length} bases for this model, got "
                    f"{record.name!r} of {len(record.sequence)}; cut windows of {max_length} bases"
                )
        states = tuple(states_of(record, where) for record in group) if vocabulary.states else None
        table = LabelledTable(tuple(r.sequence for r in group), None, (), Path(where), states=states)
        yield group, encode_labelled(table, vocabulary, max_length=max_length)


def states_of(record: Record, where: str) -> bytes:
    """The measured states of a record.

    Raises:
        FormatError: It has none.
    """
    if not isinstance(record, Read):
        raise FormatError(f"{where}: expected the measured state of every base of {record.name!r}, which the model "
                          "reads, got letters alone; give gattn_tg.io.Read, or a table with the column of states")
    return record.states
