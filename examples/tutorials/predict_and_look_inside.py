# %% [markdown]
# # Predict and look inside
#
# Load a trained model, predict new sequences, and ask where the model looks. The model tells splice sites apart. It
# is trained first, on bundled data, in some seconds. With a model of your own, begin at step 2.

# %%
import numpy as np
from drawing import bars, scatter
from splice_model import trained

import gattn_tg
from gattn_tg.data.genomes.bundled import SPLICE_JUNCTIONS, bundled
from gattn_tg.io import read_labelled

# %% [markdown]
# ## 1. A trained model
#
# `gattn_tg.train("examples/configs/splice.toml", "runs/splice")` trains it for six passes. Two are enough here:
# `splice_model.py`, beside this tutorial, trains for two, and gives the folder of the run.

# %%
folder = trained()
print(*sorted(path.name for path in folder.glob("[!.]*")))

# %% [markdown]
# ## 2. Load and predict
#
# `load` takes the folder of a run. `predict` takes a sequence, a list of sequences, or the name of a FASTA file. The
# classes are donor (`ei`, exon to intron), acceptor (`ie`, intron to exon), and neither (`n`).

# %%
model = gattn_tg.load(folder)
table = read_labelled(bundled(SPLICE_JUNCTIONS))
labels = table.labels.tolist()
sequences = [table.sequences[labels.index(k)].decode() for k in (0, 1, 2)]  # the first of each class
found = model.predict(sequences)
print(found.labels)
for sequence, p in zip(sequences, found.probabilities, strict=True):
    print(sequence[24:30], sequence[30:36], p.round(2))

# %% [markdown]
# `found.to_tsv("classes.tsv")` writes a table, and `found.to_dataframe()` makes a pandas table.
#
# ## 3. How good is it?
#
# `evaluate` takes the part of the data that the training did not see.

# %%
metrics = model.evaluate().metrics["test"]
print({name: round(value, 2) for name, value in metrics.items() if name in ("accuracy", "auc")})

# %% [markdown]
# ## 4. Where does it look?
#
# `motif_attention` computes exact shares of attention. `share` says how much goes to each motif, per layer and head.
# `received` says how much each base receives. An even share for a base would be 1/60.

# %%
looks = model.motif_attention(sequences[0])
print("share:", looks.share.shape, "received:", looks.received.shape)
received = looks.received.mean((0, 1)) * len(sequences[0])
middle = slice(20, 40)
names = [f"{i - 30:+d} {base}" for i, base in enumerate(sequences[0])]
with open("received_attention.svg", "w", encoding="utf-8") as file:
    file.write(bars(names[middle], received[middle].tolist(), "attention that each base receives; 1 is an even share"))

# %% [markdown]
# The place 0 is the first base of the intron. Introns begin with GT. The model looks at the bases around this place
# most.
#
# ## 5. What has it learned about motifs?
#
# `motif_table` gives the learned tables, centred, in nats. A positive number means that bases in this motif receive
# more attention than others.

# %%
learned = model.motif_table()
for block, values in learned.tables.items():
    order = np.argsort(values)[::-1][:3]
    print(block, ", ".join(f"{learned.motifs[i]} {values[i]:+.2f}" for i in order))

# %% [markdown]
# ## 6. Sequences as vectors
#
# `embed` gives the output of the last block: one vector per base. Here is the mean vector of 300 sequences, seen from
# the side on which they differ most (principal components).

# %%
rows = np.arange(0, len(table.sequences), 10)[:300]
means = model.embed([table.sequences[row].decode() for row in rows]).means
centred = means - means.mean(0)
_, _, axes = np.linalg.svd(centred, full_matrices=False)
places = centred @ axes[:2].T
groups = [table.label_names[table.labels[row]] for row in rows]
with open("sequences_as_points.svg", "w", encoding="utf-8") as file:
    file.write(scatter(places, groups, "300 sequences: two principal components of their mean vectors"))
