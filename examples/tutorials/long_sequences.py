# %% [markdown]
# # Long sequences
#
# How attention works on thousands of bases, and how a model gives numbers along a genome. It takes about a minute.

# %%
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from drawing import two_lines
from tinygrad import Tensor

import gattn_tg
from gattn_tg import MotifBias, Rope, attention
from gattn_tg.data.genomes.bundled import ALPHA_GLOBIN, bundled
from gattn_tg.explain.mass import motif_mass
from gattn_tg.io import read_fasta
from gattn_tg.motif import annotate
from gattn_tg.motif.islands import cpg_islands
from gattn_tg.seq import Interval, encode
from gattn_tg.training.config import TrainConfig

# %% [markdown]
# ## 1. 8,192 bases at once
#
# A table of 8,192 x 8,192 scores in float32 takes 268 MB for each head. `attention` never makes this table: its
# memory grows with the number of bases.

# %%
(record,) = read_fasta(bundled(ALPHA_GLOBIN))
n = 8192
ids = Tensor(annotate(encode(record.sequence[:n]))).unsqueeze(0)
rng = np.random.default_rng(0)
q, k, v = (Tensor(rng.standard_normal((1, 2, n, 16)).astype(np.float32)) for _ in range(3))
table = np.zeros(16, np.float32)
table[1] = 2.0  # CpG
bias = MotifBias.key(Tensor(table), ids)
o, lse = attention(q, k, v, bias=bias, rope=Rope(), return_lse=True)
print("output", o.shape, "log-sum-exp", lse.shape)

# %% [markdown]
# Questions about the whole table are still answered exactly: the share of attention that goes to CpG, for every base.

# %%
share = motif_mass(q, k, ids, bias=bias, rope=Rope()).numpy()[0, :, :, 1].mean()
print(f"bases in CpG: {float((ids.numpy() == 1).mean()):.1%}; attention that goes to them: {share:.1%}")

# %% [markdown]
# ## 2. A window
#
# `window_size=(left, right)` lets a base see its neighbours only. Time then grows with the number of bases instead of
# its square. Here is the output of one base, computed again from its 257 neighbours.

# %%
near = attention(q, k, v, bias=bias, window_size=(128, 128)).numpy()
i = 4000
keys, values = k.numpy()[0, 0, i - 128 : i + 129], v.numpy()[0, 0, i - 128 : i + 129]
scores = q.numpy()[0, 0, i] @ keys.T / 4 + table[ids.numpy()[0, i - 128 : i + 129]]
weights = np.exp(scores - scores.max())
again = weights @ values / weights.sum()
print("same output:", np.allclose(near[0, 0, i], again, atol=1e-5))

# %% [markdown]
# ## 3. A model along a genome
#
# A `TrackModel` reads windows of bases and gives one number per bin of 32 bases. The practice data has two tracks
# that were computed from the sequence: CpG sites per bin, and bases in CpG islands per bin. So we know the right
# answer.

# %%
folder = Path(tempfile.mkdtemp()) / "tracks"
config = TrainConfig.from_toml(bundled("tracks.toml", "configs"))
short = replace(config.train, steps=24, validate_every=24, warmup_steps=4)
model = gattn_tg.train(replace(config, train=short), folder)
print(model.tracks)

# %% [markdown]
# `along` lays windows side by side over any stretch, so that every bin has sequence on both sides. Positions count
# from 0, and the end is not part of the stretch. `regions=True` says that the record of the FASTA file is named by
# its place.

# %%
where = "chr16:264,000-296,000"
found = model.along(bundled(ALPHA_GLOBIN), where, regions=True)
print(found.values[0].shape, "bins and tracks;", found.bin_bp, "bases per bin")

# %% [markdown]
# Beside it, the true number of bases in CpG islands.

# %%
place, stretch = Interval.parse(record.name), Interval.parse(where.replace(",", ""))
in_island = np.zeros(len(record.sequence))
for island in cpg_islands(encode(record.sequence)):
    in_island[island.start : island.end] = 1
start = stretch.start - place.start
truth = in_island[start : start + len(stretch)].reshape(-1, 32).sum(1)
predicted = found.values[0][:, found.tracks.index("island")]
print("correlation:", round(float(np.corrcoef(truth, predicted)[0, 1]), 2))
with open("cpg_islands_along_the_genome.svg", "w", encoding="utf-8") as file:
    file.write(two_lines(stretch.start, 32, truth, predicted, "bases in CpG islands per bin of 32, chr16"))

# %% [markdown]
# `found.to_bigwig("tracks")` writes one BigWig file per track, for a genome browser. On the command line, all of this
# is `gattn predict tracks/best genome.fa -o tracks/`.
#
# Do not take the picture for a measure of quality. The task is easy, because the default vocabulary marks CpG islands,
# and the model reads motifs. Many of these windows were used for training. The predicted numbers are about half of the
# true ones after these 24 steps. `model.evaluate()` gives the metrics of windows that training did not see.
