# %% [markdown]
# # Give your model to a colleague who has no Python
#
# A trained model becomes one HTML file. It opens in any browser, on a laptop or a phone, with nothing installed and
# without a network. The same model becomes a library for programs in C and other languages. Sequences never leave the
# computer of who asks. The model tells splice sites apart and is trained first, on bundled data, in some seconds; with
# a model of your own, begin at step 2. `pip install "gattn_tg[cpu]"` brings the compiler.

# %%
import ctypes
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
from splice_model import trained

import gattn_tg
from gattn_tg.data.genomes.bundled import SPLICE_JUNCTIONS, bundled
from gattn_tg.io import read_labelled

# %% [markdown]
# ## 1. A trained model

# %%
model = gattn_tg.load(trained())
table = read_labelled(bundled(SPLICE_JUNCTIONS))
donor = table.sequences[table.labels.tolist().index(0)].decode()
answer = model.predict([donor]).probabilities[0]
print({label: f"{p:.4f}" for label, p in zip(model.labels, answer, strict=True)})

# %% [markdown]
# ## 2. One page
#
# On the command line this is `gattn export runs/splice -o splice.html --half`. `half` stores large weights as float16:
# the file is nearly half as large, and answers change in the fourth digit.

# %%
folder = Path(tempfile.mkdtemp())
(page,) = model.export(folder / "splice.html", half=True)
print(page.name, f"{page.stat().st_size / 1000:.0f} kB, of {model.n_parameters:,} weights")

# %% [markdown]
# Send the file by mail, or put it on a stick. Your colleague opens it with a double click, pastes a sequence or drops a
# FASTA file (plain or packed with gzip), and presses *Ask the model*. The page
#
# * shows where the sites are, or, for other models, classes, labels, values, tracks, or how likely each base is;
# * explains: every base changed to each of the other three, as a logo;
# * tells what one variant does, written as `chr16:1234:A>C`;
# * saves tables (TSV), sites (BED) and values along the sequence (bedGraph).
#
# It says what is wrong with an input in a sentence, and *Cancel* or the key Escape stops it. Its policy forbids every
# connection, so nothing can be uploaded, not even by mistake. That line stands in the file, for whoever wants to check:

# %%
text = page.read_text(encoding="utf-8")
policy = re.search(r'Content-Security-Policy" content="(.*?)"', text)[1]
print(*(part.strip() for part in policy.split(";") if "src-elem" not in part and "sha256" not in part), sep="\n")

# %% [markdown]
# Equal models give equal bytes, so a checksum tells which model a page holds.
#
# ## 3. A library for programs
#
# `.so` (`.dylib` for Macs) is a library without any dependency, and `.c` is its text, for any other machine. A header
# says what goes in and out. Weights above 16 MB stand in a file beside it, which is mapped into memory.

# %%
library_file, header_file = model.export(folder / ("splice.dylib" if sys.platform == "darwin" else "splice.so"))
header = header_file.read_text()
print(*re.findall(r"#define GATTN_(?:ROWS|WIDTH|ANSWERS) .*|^(?:void|size_t) .*;", header, re.MULTILINE), sep="\n")

# %% [markdown]
# Any language that can call C can ask it. Here it is Python with nothing but ctypes. A call answers many rows at once;
# rows are padded with 4, and here all rows hold the same sequence. `examples/export/` has the same in C.

# %%
size = {name: int(n) for name, n in re.findall(r"#define GATTN_(\w+) (\d+)", header)}
rows, width, answers = size["ROWS"], size["WIDTH"], size["ANSWERS"]
library = ctypes.CDLL(str(library_file))
library.gattn_memory_bytes.restype = library.gattn_motif_bytes.restype = ctypes.c_size_t

one = bytes("ACGT".find(base) % 5 for base in donor)
bases = (ctypes.c_uint8 * (rows * width)).from_buffer_copy(one.ljust(width, b"\x04") * rows)
motifs = (ctypes.c_uint8 * (rows * width))()
lengths = (ctypes.c_int32 * rows)(*[len(donor)] * rows)
said = (ctypes.c_float * (rows * answers))()
library.gattn_motifs(bases, len(donor), motifs, ctypes.create_string_buffer(library.gattn_motif_bytes(len(donor))))
library.gattn_run(bases, motifs, lengths, said, ctypes.create_string_buffer(library.gattn_memory_bytes()))

logits = np.array(said[:answers])
probabilities = np.exp(logits) / np.exp(logits).sum()
print({label: f"{p:.4f}" for label, p in zip(model.labels, probabilities, strict=True)})

# %% [markdown]
# The numbers are those of step 1.
#
# ## 4. A page of your own
#
# `model.export("splice.js")` writes a module of JavaScript with its types: `load()` gives the model, `encode` makes ids
# of letters, and `meaning` makes probabilities of what `run` gives. `.wasm` is WebAssembly alone.
#
# ```javascript
# import {encode, load, meaning} from "./splice.js";
# const model = await load(), ids = encode("ACGT...");
# console.log(meaning(model.about, model.run(ids, [ids.length])));
# ```
#
# ## What cannot be exported
#
# Models that name hidden bases, models of sites, models that read measured methylation, and imports with words of
# byte-pair encoding need Python, which prepares what they read; `export` says so. Where the model looks
# (`motif_attention`) is told by Python alone, too. All of it is for research, not for diagnosis.
