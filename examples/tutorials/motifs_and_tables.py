# %% [markdown]
# # Motifs and tables
#
# What a motif is here, how to make a vocabulary of your own, and how to read a motif table. It takes some seconds.

# %%
import numpy as np
from drawing import bars
from tinygrad import Tensor

from gattn_tg import MotifBias
from gattn_tg.data.genomes.bundled import ALPHA_GLOBIN, bundled
from gattn_tg.explain.mass import motif_mass
from gattn_tg.explain.motif_table import centred, motif_frequency
from gattn_tg.io import read_fasta
from gattn_tg.motif import MotifVocabulary, annotate
from gattn_tg.seq import encode

# %% [markdown]
# ## 1. The default vocabulary
#
# A vocabulary has up to 255 classes. The default one has 15, and number 0 means "no motif".

# %%
vocabulary = MotifVocabulary.default()
print(", ".join(f"{i} {name}" for i, name in enumerate(vocabulary.names)))

# %% [markdown]
# ## 2. How frequent motifs are
#
# The bundled stretch of human chromosome 16 has 210,155 bases.

# %%
(record,) = read_fasta(bundled(ALPHA_GLOBIN))
ids = annotate(encode(record.sequence), vocabulary)
frequency = motif_frequency(ids[None], np.array([ids.size]), vocabulary.n_motifs)
with open("share_of_bases.svg", "w", encoding="utf-8") as file:
    file.write(bars(vocabulary.names[1:], (100 * frequency[1:]).tolist(), "percent of the bases in each motif"))
print(f"in no motif: {frequency[0]:.1%}")

# %% [markdown]
# ## 3. A vocabulary of your own
#
# A vocabulary is a TOML file. A pattern may use the letters of IUPAC, for example W for A or T. `strand = "either"`
# finds the pattern on both strands. `gattn motifs --jaspar CTCF,SP1` makes such a file from matrices of JASPAR.

# %%
own = MotifVocabulary.from_toml('''
[[motif]]
id = 1
name = "e_box"
kind = "consensus"
patterns = ["CANNTG"]
strand = "either"
priority = 2
colour = "#1f78b4"
source = "E-box, bound by MYC and other basic helix-loop-helix factors"

[[motif]]
id = 2
name = "cpg"
kind = "consensus"
patterns = ["CG"]
strand = "either"
priority = 1
colour = "#e41a1c"
source = "CpG dinucleotide"
''')
sequence = "TTCACGTGAACGTT"
print(sequence)
print("".join(str(i) for i in annotate(sequence, own)))

# %% [markdown]
# Where two classes overlap, the higher priority wins: the CG inside the E-box CACGTG is part of the E-box.
#
# ## 4. What a table means
#
# A table entry is added to the scores before the softmax. So an entry of +1 multiplies the weight of a base by e =
# 2.72. The unit is the nat. `motif_mass` gives the exact share of attention that goes to each motif.

# %%
n, d = len(sequence), 4
flat = Tensor.zeros(1, 1, n, d)  # all products are 0, so only the table decides
own_ids = Tensor(annotate(sequence, own)).unsqueeze(0)
for entry in (0.0, 1.0, 2.0):
    bias = MotifBias.key(Tensor(np.array([0.0, entry, 0.0], np.float32)), own_ids)
    share = motif_mass(flat, flat, own_ids, n_motifs=3, bias=bias).numpy()[0, 0, 0]
    print(f"entry {entry:.0f} for the E-box: it gets {share[1]:.1%} of the attention")

# %% [markdown]
# ## 5. Why tables are centred
#
# A constant that is added to all entries changes nothing, because the softmax divides it away. So only differences
# have a meaning. Reports show the *centred* table: the mean over all bases is subtracted. Then 0 means "like the
# average base".

# %%
shares = np.bincount(annotate(sequence, own), minlength=3) / n
raw = np.array([5.0, 6.0, 5.0])
print("raw    ", raw)
print("centred", centred(raw, shares).round(3))
print("centred", centred(raw + 100.0, shares).round(3), "after adding 100 to every entry")

# %% [markdown]
# A trained model gives its centred tables with `model.motif_table()`. The tutorial "Predict and look inside" shows
# this.
