"""Tables of labelled sequences encoded into a folder, row by row, so that they may be larger than memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gattn_tg.data.facts import blocks, facts_of
from gattn_tg.data.labelled import encode_labelled
from gattn_tg.data.tables.files import BASES, FILES, HEADER, MOTIFS, ROWS, row_type
from gattn_tg.data.tables.header import header_text
from gattn_tg.data.workers import in_order
from gattn_tg.io.labelled import LabelledTable, TableColumns, TableRow, ordered_labels, stream_labelled
from gattn_tg.io.source import Source
from gattn_tg.io.whole import new_folder
from gattn_tg.motif.vocabulary import MotifVocabulary

AT_ONCE = 1 << 22  # bases, padding included, that are encoded and annotated together


class Written(NamedTuple):
    """What a folder has in the end."""

    n_rows: int
    n_bases: int
    label_names: tuple[str, ...]


class Group(NamedTuple):
    """Some rows of a file that follow each other, and how many came before."""

    path: Path
    before: int
    rows: list[TableRow]


class Encoded(NamedTuple):
    """The same, as bytes for the files; `labels` are those of the rows where classes were read."""

    bases: bytes
    motif_ids: bytes
    rows: np.ndarray
    labels: list[str]


def write_table(
    folder: str | Path,
    tables: Sequence[str | Path | Source],
    columns: TableColumns,
    vocabulary: MotifVocabulary,
    *,
    processes: int = 1,
    overwrite: bool = False,
) -> Written:
    """Encode and annotate tables, one after the other, as one; the folder appears when all is written.

    It holds `bases.u8` and `motifs.u8`, one byte per base, rows one after the other without padding, so that one long
    sequence costs nothing but itself and one pass over a stream is enough; `rows.bin` with the numbers of each row
    (`layout.row_type`); `table.json` with the classes or columns, the vocabulary, and what was read. Rows are in
    memory a few at a time. Names of sequences are not kept, as nothing that is learnt depends on them.

    Args:
        folder: where to; its parent exists.
        tables: files of `io.stream_labelled`.
        columns: what to read of them.
        vocabulary: motif classes.
        processes: that annotate.
        overwrite: replace a folder that holds an encoded table; anything else there is refused.

    Raises:
        FormatError: a table is malformed; the text names file and line.
        GattnError: the folder exists, or cannot be written.
    """
    with new_folder(Path(folder), HEADER, FILES, overwrite=overwrite) as new:
        work = partial(_encoded, columns=columns, vocabulary=vocabulary)
        done = _fill(new, in_order(work, _groups(tables, columns), processes), columns)
        text = header_text(done.n_rows, done.n_bases, done.label_names, columns, vocabulary)
        (new / HEADER).write_text(text, encoding="utf-8")
    return done


def _groups(tables: Sequence[str | Path | Source], columns: TableColumns) -> Iterator[Group]:
    """The rows of all files in order, so many together that their padded bases fill `AT_ONCE`."""
    for table in tables:
        path = table.path if isinstance(table, Source) else Path(table)
        rows: list[TableRow] = []
        before = longest = 0
        for row in stream_labelled(table, **vars(columns)):
            longest = max(longest, len(row.sequence))
            if rows and longest * (len(rows) + 1) > AT_ONCE:
                yield Group(path, before, rows)
                before, rows, longest = before + len(rows), [], len(row.sequence)
            rows.append(row)
        yield Group(path, before, rows)


def _encoded(group: Group, columns: TableColumns, vocabulary: MotifVocabulary) -> Encoded:
    """The work of one process on some rows."""
    states = None if columns.states is None else tuple(row.states for row in group.rows)
    table = LabelledTable(tuple(row.sequence for row in group.rows), None, (), group.path, states=states)
    data = encode_labelled(table, vocabulary, before=group.before)
    facts = facts_of(data.bases, data.motif_ids, data.lengths)
    names = () if columns.numbers is None else columns.numbers.names
    rows = np.zeros(len(data), row_type(len(names)))
    rows["length"], rows["unknown"] = data.lengths, facts.unknown
    rows["sequence"], rows["content"] = facts.sequence, facts.content
    if names:
        rows["values"] = [row.values for row in group.rows]
    inside = np.arange(data.width) < data.lengths[:, None]
    whole = slice(0, len(data))
    labels = [] if names else [row.label for row in group.rows]
    return Encoded(data.bases[whole][inside].tobytes(), data.motif_ids[whole][inside].tobytes(), rows, labels)


def _fill(folder: Path, groups: Iterable[Encoded], columns: TableColumns) -> Written:
    """Writes the three files of rows. Classes are numbered as they come, and in their order when all are known."""
    number: dict[str, int] = {}
    n_rows = n_bases = 0
    with ExitStack() as stack:
        bases, motifs, rows = (stack.enter_context((folder / name).open("wb")) for name in (BASES, MOTIFS, ROWS))
        for group in groups:
            if group.labels:
                group.rows["label"] = [number.setdefault(text, len(number)) for text in group.labels]
            bases.write(group.bases)
            motifs.write(group.motif_ids)
            rows.write(group.rows.tobytes())
            n_rows, n_bases = n_rows + len(group.rows), n_bases + len(group.bases)
    if columns.numbers is not None:
        return Written(n_rows, n_bases, columns.numbers.names)
    names = ordered_labels("the tables", set(number))
    place = np.array([names.index(text) for text in number], np.int32)
    mapped = np.memmap(folder / ROWS, row_type(0), mode="r+")
    for some in blocks(n_rows, mapped.itemsize):
        mapped["label"][some] = place[mapped["label"][some]]
    mapped.flush()
    return Written(n_rows, n_bases, names)
