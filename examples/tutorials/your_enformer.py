# %% [markdown]
# # Run your Enformer or Borzoi on a laptop, and see which bases it looks at
#
# You have the files of an Enformer (as enformer-pytorch writes it) or of a Borzoi or Flashzoi (as borzoi-pytorch does).
# They are read without PyTorch and without a GPU:
#
# ```sh
# gattn import ENFORMER_FOLDER -o enformer
# gattn predict enformer genome.fa -o tracks/            # a BigWig file per track
# gattn explain enformer windows.fa -o why/              # a page, and numbers per base
# ```
#
# A published Enformer has 250 million weights and is not bundled. This page works with a **small model of the same form
# that it trains itself, in half a minute, on tracks that were computed from the sequence**: convolutions down to bins
# of 32 bases, attention that knows distances, softplus heads. It says nothing about biology. What is done with it is
# what you do with yours; `gattn_tg.load("enformer")` takes the place of steps 1 and 2.

# %%
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from drawing import bars

import gattn_tg
from gattn_tg.data.genomes.bundled import ALPHA_GLOBIN, bundled
from gattn_tg.io import read_fasta
from gattn_tg.training.config import TrainConfig

# %% [markdown]
# ## 1. A small model of this form
#
# The practice tracks are the CpG sites, and the bases in CpG islands, of every bin. So we know what a model has to
# look at: a C with a G behind it.

# %%
config = TrainConfig.from_toml(bundled("imported_tracks.toml", "configs"))
sizes = {"width": 48, "n_layers": 1, "n_heads": 2, "stem_width": 32, "stage_widths": (32, 32, 32, 48),
         "value_width": 24, "last_width": 96, "crop_bp": 1_024}  # fmt: skip
few = replace(config.train, steps=80, validate_every=80, warmup_steps=5, learning_rate=5e-3, trunk_rate=1.0)

# %% [markdown]
# ## 2. Train it, or load yours
#
# With an import as `start=` the same call learns a head of your own on it: all weights, or updates of low rank
# (`lora_rank = 8`), with `motif = "key"` for a table in the attention that begins at zero.

# %%
model = gattn_tg.train(replace(config, model=sizes, train=few), Path(tempfile.mkdtemp()) / "run")
print(model.tracks, f"{model.model.n_parameters:,} weights, bins of", model.model.config.bin_bp, "bases")

# %% [markdown]
# ## 3. Along the genome
#
# `along` lays windows side by side, so that every bin has sequence on both sides.

# %%
where = "chr16:270,000-280,000"
found = model.along(bundled(ALPHA_GLOBIN), where, regions=True)
cpg = found.values[0][:, found.tracks.index("cpg")]
print(len(cpg), "bins; most CpG sites in one:", round(float(cpg.max()), 1))

# %% [markdown]
# ## 4. Which bases does it look at?
#
# One pass back through the network tells what every base of a window gives to the sum of some bins: the gradient in the
# letters, times the letters. On a CPU attention by distance is one kernel each way, so the map of all pairs of bins is
# never in memory. Here: the 16 bins in the middle of a window, four rows at once as in training.

# %%
record = next(iter(read_fasta(bundled(ALPHA_GLOBIN))))
window = record.sequence[86_000 : 86_000 + 8_192].decode()
first, end = 3_840, 4_352
why = model.explain([window], target="cpg", at=(first, end), batch_size=4).attributions[0].contributions
print("share inside the 16 bins:", round(float(np.abs(why[first:end]).sum() / np.abs(why).sum()), 2))

# %% [markdown]
# What two neighbours give together, by their letters. A true CpG site counts one; the model was never told so. GC comes
# second because its letters are those of the sites beside it.

# %%
pairs: dict[str, list[float]] = {}
for i in range(first, end - 1):
    pairs.setdefault(window[i : i + 2], []).append(float(why[i] + why[i + 1]))
means = {pair: float(np.mean(gives)) for pair, gives in sorted(pairs.items(), key=lambda x: -np.mean(x[1]))}
with open("pairs_of_bases.svg", "w", encoding="utf-8") as file:
    file.write(bars(list(means), list(means.values()), "what two neighbouring bases give to the CpG sites of 16 bins"))
print("most:", next(iter(means)), round(next(iter(means.values())), 2))

# %% [markdown]
# ## 5. Where does its attention go?
#
# Exactly, though no map is kept: what every bin receives, as a share, per layer and head.

# %%
looks = model.motif_attention(window)
received = looks.received.mean((0, 1))
most = int(received.argmax())
bin_bp = model.model.config.bin_bp
print(f"most looked at: bin {most} of {len(received)}, with {received[most] * len(received):.1f} times its share;",
      f"{window[most * bin_bp : (most + 1) * bin_bp].count('CG')} CpG sites in it")

# %% [markdown]
# Variants are asked as of any model: `gattn variants enformer genome.fa new.vcf -o effects.tsv`. On a GPU attention by
# distance runs as plain tensor operations, and memory grows with the square of the bins.
#
# Borzoi's counts stay on the scale that it learnt. Look at the licence that the import prints. Research use, not
# diagnosis.
