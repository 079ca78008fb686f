"""The table of the tracks of a head, where the folder of a model has one."""

from __future__ import annotations

from pathlib import Path

from gattn_tg.errors import FormatError
from gattn_tg.io.fields import rows, whole
from gattn_tg.models.readouts.tracks import TrackHead

TABLES = ("targets_{}.txt", "targets.txt")  # of a head; the second one of the first head


def head_of(folder: Path, name: str, count: int, window_bp: int, *, is_first: bool) -> TrackHead:
    """The tracks of a head: named by the table of targets that the authors publish, or by head and number.

    The table has a header and tabs: `identifier`, the name; `description`, which begins with the assay; `strand_pair`,
    the row of the same experiment on the other strand, where there are strands.

    Args:
        folder: where the table is looked for, as targets_HEAD.txt; as targets.txt for the first head.
        name: of the head.
        count: of its tracks.
        window_bp: bases that the model sees at once.
        is_first: whether it is the first head.

    Raises:
        FormatError: a table of another form, or of other tracks.
    """
    names = [form.format(name) for form in TABLES[: 1 + is_first]]
    path = next((folder / file for file in names if (folder / file).is_file()), None)
    usual = TrackHead(head=name, tracks=tuple(f"{name}_{i}" for i in range(count)), scale=(1.0,) * count, soft_clip=0.0,
                      window_bp=window_bp)  # fmt: skip
    if path is None:
        return usual
    lines = list(rows(path, skip=()))
    header, body = lines[0][1] if lines else [], lines[1:]
    if "identifier" not in header or len(body) != count or any(len(fields) != len(header) for _, fields in body):
        raise FormatError(f"{path}: expected a header with identifier and {count} lines of as many columns, one for "
                          f"each track of the head {name}, got {len(body)} and the header {str(header)[:80]}; is it "
                          "the table of this model?")
    column = {key: [fields[i] for _, fields in body] for i, key in enumerate(header)}
    tracks = column["identifier"]
    unique = [track if tracks.count(track) == 1 else f"{track}_{i}" for i, track in enumerate(tracks)]
    pairs = tuple(whole(f"{path}, line {line}", "strand_pair", text) for (line, _), text in zip(
        body, column.get("strand_pair", []), strict=False))
    assays = tuple(text.split(":")[0] for text in column.get("description", []))
    return TrackHead(head=name, tracks=tuple(unique), assays=assays, pairs=pairs, scale=usual.scale, soft_clip=0.0,
                     window_bp=window_bp)  # fmt: skip
