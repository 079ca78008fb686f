# %% [markdown]
# # Run your DNABERT or Nucleotide Transformer on a laptop, and see which bases it looks at
#
# You have the files of a DNABERT, a Nucleotide Transformer or an AgroNT: `config.json`, a vocabulary, and weights. Here
# they are read without PyTorch and without a GPU, get a head for your question, and tell which bases an answer rests
# on. Everything comes back per base, whatever the tokens are.
#
# A real DNABERT has 86 million weights and is not bundled. So this page first writes a folder of the same form with a
# small model of random weights, and then does with it what you do with yours. With the folder of a real model, begin
# at step 2.

# %%
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from drawing import bars

import gattn_tg
from gattn_tg.data.genomes.bundled import SPLICE_JUNCTIONS, bundled
from gattn_tg.front.converting import convert_model
from gattn_tg.front.importing import import_model
from gattn_tg.io import read_labelled
from gattn_tg.models import checkpoint
from gattn_tg.models.imported.config import ImportedConfig
from gattn_tg.models.imported.encoder import ImportedEncoder
from gattn_tg.training.config import TrainConfig

# %% [markdown]
# ## 1. A folder as transformers writes it
#
# Words of 3 bases that overlap, as in the smallest DNABERT, but 32 channels and 2 layers in place of 768 and 12.

# %%
home = Path(tempfile.mkdtemp())
shape = ImportedConfig(words="overlapping", word_bp=3, width=32, n_layers=2, n_heads=2, mlp_width=64, n_positions=72)
checkpoint.save(ImportedEncoder(shape, seed=1), home / "made")
convert_model(home / "made", home / "downloaded")  # also `gattn convert made --to hf -o downloaded`
print(sorted(path.name for path in (home / "downloaded").iterdir()))

# %% [markdown]
# ## 2. Import
#
# Every weight is accounted for: one that is missing, left over or of another shape is an error that names it. On the
# command line this is `gattn import downloaded -o dnabert`.

# %%
found = import_model(home / "downloaded", home / "dnabert")
print(found.family, f"{found.model.n_parameters:,} weights", found.model.config.longest_bp, "bases at most")
print(found.licence)

# %% [markdown]
# `gattn_tg.load(home / "dnabert").embed(sequences)` gives a vector for every base, and `predict` names hidden bases.
#
# ## 3. A head for your question
#
# The bundled configuration asks where splice junctions are: donor, acceptor, or neither. Sizes and words come from the
# checkpoint. `motif = "key"` in it adds a table to the attention that begins at zero, so the network begins as the
# original. The random model of this page learns all its weights; to a real one you would give `lora_rank = 8`, which
# learns small updates and leaves the rest as it is.

# %%
config = TrainConfig.from_toml(bundled("imported.toml", "configs"))
few = replace(config.train, steps=100, batch_size=32, learning_rate=3e-3, trunk_rate=1.0, warmup_steps=10)
model = gattn_tg.train(replace(config, train=few), home / "run", start=home / "dnabert")
tested = json.loads((home / "run" / "test.json").read_text())
print(round(tested["accuracy"], 2), "of the test set are right")

# %% [markdown]
# ## 4. Which bases does it look at?
#
# A donor: an exon of 30 bases, and an intron of 30 that begins with GT. Every base is changed to each other one, and
# the model is asked again, 32 rows at once as in training. A base is in three words; all three change with it.

# %%
table = read_labelled(bundled(SPLICE_JUNCTIONS))
donors = [s for s, k in zip(table.sequences, table.labels, strict=True) if table.label_names[k] == "ei"]
donor = donors[0].decode()
print(donor[:30], donor[30:])
why = model.explain([donor], target="ei", batch_size=32).attributions[0].contributions
names = [f"{base} {i + 1}" for i, base in enumerate(donor)]
with open("bases_of_a_donor.svg", "w", encoding="utf-8") as file:
    file.write(bars(names[26:38], why[26:38].tolist(), "what bases around the junction give to 'donor', in nats"))
print("largest:", ", ".join(names[i] for i in np.argsort(-why)[:3]))

# %% [markdown]
# Attention is exact too, which the original gives only with a map of all pairs: how much every base receives, as a
# share, per layer and head, and how much falls on motifs.

# %%
looks = model.motif_attention(donor)
received = looks.received.mean((0, 1))
print("most looked at:", ", ".join(names[i] for i in np.argsort(-received)[:3]))
print("share of attention that stays on bases:", round(float(received.sum()), 2))

# %% [markdown]
# The rest goes to the tokens around the words. Variants are asked as of any model: `gattn variants run genome.fa
# new.vcf`. What was learnt goes back to PyTorch with `gattn convert`, as long as its motif table is zero.
#
# Weights of the Nucleotide Transformer are for non-commercial use. Research use, not diagnosis.
