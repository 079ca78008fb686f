"""Named sequences out of a file of either kind: FASTA, or a table with a column `sequence`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from gattn_tg.data import LabelledSequences, encode_labelled
from gattn_tg.errors import FormatError
from gattn_tg.io import LabelledTable, Record, read_fasta, read_labelled
from gattn_tg.io.lines import lines
from gattn_tg.motif import MotifVocabulary


def read(path: Path | str) -> Iterator[Record]:
    """Records of a FASTA file, or the rows of a CSV/TSV named row_1, row_2, ...

    The first character that is not blank decides: `>` means FASTA.

    Raises:
        FormatError: The file is missing, damaged or of neither kind.
    """
    path = Path(path)
    first = next((line for _, line in lines(path) if line.strip()), b"")
    if first.startswith(b">") or not first:
        yield from read_fasta(path)
        return
    table = read_labelled(path, label=None)
    for i, sequence in enumerate(table.sequences, start=1):
        yield Record(f"row_{i}", "", sequence)


def chunks(
    records: Iterable[Record], vocabulary: MotifVocabulary, max_length: int, size: int, where: str
) -> Iterator[tuple[list[Record], LabelledSequences]]:
    """Encoded groups of at most `size` records, so that a file of any length needs little memory.

    Raises:
        FormatError: A sequence is longer than the model has seen.
    """
    source = iter(records)
    while group := list(islice(source, size)):
        for record in group:
            if len(record.sequence) > max_length:
                raise FormatError(
                    f"{where}: sequences of at most {max_length} bases are required by this model, but "
                    f"{record.name!r} has {len(record.sequence)}; cut windows of {max_length} bases"
                )
        table = LabelledTable(tuple(r.sequence for r in group), None, (), Path(where))
        yield group, encode_labelled(table, vocabulary, max_length=max_length)
