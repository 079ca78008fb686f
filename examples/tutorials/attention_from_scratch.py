# %% [markdown]
# # Attention from scratch
#
# This page computes attention with a motif bias twice: step by step in NumPy, and with `gattn_tg.attention`.
# Both give the same numbers. It takes a few seconds.

# %%
import numpy as np
from drawing import heat_map
from tinygrad import Tensor

from gattn_tg import MotifBias, attention
from gattn_tg.motif import MotifVocabulary, annotate

# %% [markdown]
# ## 1. A sequence and its motifs
#
# `annotate` gives every base the number of the motif that it belongs to. 0 means no motif.

# %%
sequence = "TATAAAAGGCACGTCA"
ids = annotate(sequence)
names = MotifVocabulary.default().names
print(sequence)
print(" ".join(str(i) for i in ids))
print({int(i): names[i] for i in np.unique(ids)})

# %% [markdown]
# ## 2. Scores
#
# Every base `i` has a query vector `q[i]`, and every base `j` has a key vector `k[j]`. The score of the pair is their
# product, divided by the square root of the width. In a real model, q, k and v are computed from the sequence. Here
# they are random numbers.

# %%
rng = np.random.default_rng(0)
n, d = len(sequence), 8
q, k, v = (rng.standard_normal((n, d)).astype(np.float32) for _ in range(3))
scores = q @ k.T / np.sqrt(d)
print(scores.shape)

# %% [markdown]
# ## 3. The motif bias
#
# The bias is a table with one number per motif. The number of the motif of base `j` is added to all scores of base
# `j`. A positive number draws attention to the motif. A trained model learns the table; here we set one entry by
# hand: CpG (motif 1) gets 3.

# %%
table = np.zeros(16, np.float32)
table[names.index("cpg")] = 3.0
scores = scores + table[ids]  # one number per column

# %% [markdown]
# ## 4. Softmax and output
#
# Softmax turns the scores of a row into shares that sum to 1. The output of base `i` is the mean of all `v[j]`,
# weighted by these shares.

# %%
shares = np.exp(scores - scores.max(1, keepdims=True))
shares /= shares.sum(1, keepdims=True)
output = shares @ v
print("attention that goes to CpG:", round(float(shares[:, ids == names.index("cpg")].sum(1).mean()), 3))

with open("attention_of_every_base.svg", "w", encoding="utf-8") as file:
    file.write(heat_map(shares, list(sequence), list(sequence), "row: from this base; column: to this base"))

# %% [markdown]
# The two columns of the CpG are dark: every base looks at it.
#
# ## 5. The same with gattn_tg
#
# `attention` takes tensors with axes (batch, heads, bases, width). It never holds the table of n x n shares in
# memory, so it also serves sequences of 65,536 bases.

# %%
q_t, k_t, v_t = (Tensor(x).reshape(1, 1, n, d) for x in (q, k, v))
table_t = Tensor(table)
bias = MotifBias.key(table_t, Tensor(ids).unsqueeze(0))
o = attention(q_t, k_t, v_t, bias=bias)
difference = float(np.abs(o.numpy()[0, 0] - output).max())
print("largest difference:", "below 1e-5" if difference < 1e-5 else difference)

# %% [markdown]
# ## 6. Learning the table
#
# The table has a gradient, so a model can learn it. Here is the gradient of the sum of all squared outputs.

# %%
(gradient,) = o.square().sum().gradient(table_t)
print("gradient for cpg:", round(gradient.numpy()[names.index("cpg")].item(), 3))

step = np.float32(1e-2)
changed = table.copy()
changed[names.index("cpg")] += step
s = q @ k.T / np.sqrt(d) + changed[ids]
p = np.exp(s - s.max(1, keepdims=True))
moved = (p / p.sum(1, keepdims=True)) @ v
print("by a small step: ", round(float(((moved**2).sum() - (output**2).sum()) / step), 3))

# %% [markdown]
# Other kinds of bias look at both bases of a pair: `MotifBias.pair`, `.same`, `.ordered` and `.between`. The next
# tutorial, "Motifs and tables", shows what a table means.
