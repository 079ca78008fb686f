"""The outer layout of BigWig files, checked before a library is let at them: on damage it would end the process."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np

from gattn_tg.errors import FormatError

MAGIC, TREE_MAGIC, INDEX_MAGIC = 0x888FFC26, 0x78CA8C91, 0x2468ACE0
HEADER = struct.Struct("<IHHQQQHHQQIQ")
TREE = struct.Struct("<IIIIQQ")
INDEX_BYTES, NODE_BYTES = 48, 4
LEAF = np.dtype([("place", "u4", 4), ("offset", "u8"), ("size", "u8")])
BRANCH = np.dtype([("place", "u4", 4), ("offset", "u8")])
MAX_NAME = 4096  # bytes of a contig's name
MAX_BLOCK = 1 << 28  # bytes of an uncompressed block; writers use some 30,000


def check_layout(path: Path) -> None:
    """Refuse a file whose header, table of contigs or index of blocks cannot be one of BigWig.

    The index is walked once, some 30 bytes for every 1,000 numbers of the file.

    Raises:
        FormatError: the text says which part is wrong.

    Source: Kent et al. (2010) Bioinformatics 26:2204, supplementary tables 5, 8 to 11 and 14 to 17.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            fault = _fault(file, size)
    except OSError as error:
        fault = (error.strerror or str(error)).lower()
    if fault:
        raise FormatError(f"{path}: expected a BigWig file, got: {fault}; fetch or convert it again")


def _fault(file: BinaryIO, size: int) -> str:
    head = file.read(HEADER.size)
    order = next((o for o in "<>" if head[:4] == struct.pack(f"{o}I", MAGIC)), "")
    if not order or len(head) < HEADER.size:
        return "another kind of file"
    fields = struct.unpack(order + HEADER.format[1:], head)
    tree, data, index = fields[3:6]
    if max(tree + TREE.size, data, index + INDEX_BYTES + NODE_BYTES) > size or fields[10] > MAX_BLOCK:
        return "offsets outside the file"
    file.seek(tree)
    magic, _, key, value, items, _ = struct.unpack(order + TREE.format[1:], file.read(TREE.size))
    if magic != TREE_MAGIC or value != 8 or not 0 < key <= MAX_NAME or not 0 < items * (key + value) <= size:
        return "a damaged table of contigs"
    file.seek(index)
    if file.read(4) != struct.pack(f"{order}I", INDEX_MAGIC) or not _index_fits(file, index + INDEX_BYTES, size, order):
        return "a damaged index"
    return ""


def _index_fits(file: BinaryIO, root: int, size: int, order: str) -> bool:
    """Whether all nodes and blocks that the index names lie in the file, and no node comes twice."""
    open_, seen = [root], {root}
    while open_:
        file.seek(open_.pop())
        head = file.read(NODE_BYTES)
        if len(head) < NODE_BYTES:
            return False
        is_leaf, _, count = struct.unpack(f"{order}BBH", head)
        kind = LEAF if is_leaf else BRANCH
        kind = kind.newbyteorder("<" if order == "<" else ">")
        raw = file.read(count * kind.itemsize)
        if is_leaf > 1 or len(raw) < count * kind.itemsize:
            return False
        items = np.frombuffer(raw, dtype=kind)
        if (items["offset"] >= size).any():
            return False
        if is_leaf:
            # A sum could wrap around.
            if (items["size"] > size - items["offset"]).any():
                return False
            continue
        children = set(items["offset"].tolist())
        if len(children) < count or children & seen:
            return False
        seen |= children
        open_ += children
    return True
