"""Asks an exported model about one sequence with ctypes alone: `python ask.py model.so ACGTTGCA`."""

import ctypes
import mmap
import re
import sys
from pathlib import Path

path, letters = Path(sys.argv[1]).resolve(), sys.argv[2]
size = {name: int(n) for name, n in re.findall(r"#define GATTN_(\w+) (\d+)", path.with_suffix(".h").read_text())}
library = ctypes.CDLL(str(path))
library.gattn_memory_bytes.restype = library.gattn_motif_bytes.restype = ctypes.c_size_t
if size["WEIGHTS_BESIDE"]:
    with path.with_suffix(".weights").open("rb") as file:
        weights = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)  # which ctypes can name; nothing is copied
    library.gattn_use_weights(ctypes.byref(ctypes.c_char.from_buffer(weights)))
n, cells = len(letters), size["ROWS"] * size["WIDTH"]
if not 0 < n <= size["WIDTH"]:
    sys.exit(f"expected 1 to {size['WIDTH']} letters, got {n}")
bases = (ctypes.c_uint8 * cells)(*["ACGT".find(x) % 5 for x in letters], *[4] * (cells - n))
motifs, lengths = (ctypes.c_uint8 * cells)(), (ctypes.c_int32 * size["ROWS"])(*[n] * size["ROWS"])
answers = (ctypes.c_float * (size["ROWS"] * size["ANSWERS"]))()
library.gattn_motifs(bases, n, motifs, ctypes.create_string_buffer(library.gattn_motif_bytes(n)))
library.gattn_run(bases, motifs, lengths, answers, ctypes.create_string_buffer(library.gattn_memory_bytes()))
print("\n".join(f"{x:g}" for x in answers[: size["ANSWERS"]]))
