# %% [markdown]
# # Tumour or normal, read by read
#
# Bisulfite and nanopore sequencing say of every CpG of a read whether it is methylated. Tumours methylate other places
# than normal cells. So a read can tell where it comes from, and many reads tell which share of them comes from the
# tumour. This page takes less than a minute. The reads are generated (`examples/data/practice.py`), so the numbers
# here are those of an exercise; `bench/README.md` has those of real reads. For research, not for diagnosis.

# %%
import csv
import gzip
import tempfile
from pathlib import Path

import numpy as np

import gattn_tg
from gattn_tg.explain.drawings.svg import ORANGE, TEAL
from gattn_tg.explain.drawings.whiskers import Whisker, whiskers
from gattn_tg.metrics.classes import auc

examples = Path(gattn_tg.__file__).parent.parent / "examples"
folder = Path(tempfile.mkdtemp())

# %% [markdown]
# ## 1. Reads
#
# A table has a column with one letter per base: `1` methylated, `0` not, `.` where nothing was measured. From a BAM
# file with the tags `XM` (Bismark) or `MM` and `ML` (nanopore, PacBio), `gattn predict` and `model.predict` read the
# same.

# %%
with gzip.open(examples / "data" / "practice_reads.csv.gz", "rt") as file:
    reads = list(csv.DictReader(file))
for read in reads[:2]:
    print(read["label"], read["sequence"][:60], read["methylation"][:60], sep="\n")
print(f"{len(reads):,} reads, {sum(read['label'] == 'tumour' for read in reads):,} of the tumour")

# %% [markdown]
# Every read is for one purpose only: most of them to learn from, some to judge the model and to know how it errs, and
# some to mix later on.

# %%
order = np.random.default_rng(0).permutation(len(reads))


def written(name, rows):
    with open(folder / name, "w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, ["sequence", "methylation", "label"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return folder / name


to_learn, to_judge, to_mix = np.split(np.array(reads)[order], [400, 600])
written("learn.csv", to_learn)
judged = written("judge.csv", to_judge)

# %% [markdown]
# ## 2. Train
#
# The states are the motif classes of the model: attention has a bias for the states of both bases.

# %%
settings = (examples / "configs" / "states.toml").read_text(encoding="utf-8")
settings = settings.replace("../data/practice_reads.csv.gz", "learn.csv").replace("test_fraction = 0.2\n", "")
print("[model]" + settings.split("[model]")[1])
(folder / "reads.toml").write_text(settings, encoding="utf-8")
model = gattn_tg.train(folder / "reads.toml", folder / "run")

# %% [markdown]
# ## 3. Is it better than the simplest number?
#
# The mean methylation of a read is what one would try first. An AUC of .5 is chance. A model is worth its place where
# it is better than the mean, on reads that it has not learnt from.

# %%
is_tumour = np.array([read["label"] == "tumour" for read in to_judge])
states = [[state == "1" for state in read["methylation"] if state in "01"] for read in to_judge]
mean = np.array([np.mean(read or [0.5]) for read in states])
print(f"AUC of the mean methylation {auc(is_tumour, mean):.3f}")
print(f"AUC of the model            {model.evaluate(judged).metrics['data']['auc']:.3f}")

# %% [markdown]
# A few hundred reads are little to learn from, and on them the model is not better than the mean. On the 1,429 real
# reads of `bench/README.md` it is, by less than .01. Always look at such a number first.

# %% [markdown]
# ## 4. What it has learnt
#
# The table of the motif bias, in nats: how much more attention goes from a base of the class in the row to a base of
# the class in the column.

# %%
names = model.vocabulary.names
(nats,) = model.motif_table().tables.values()
print(" " * 18 + "".join(f"{name:>18}" for name in names))
for name, row in zip(names, nats, strict=False):
    print(f"{name:18}" + "".join(f"{value:18.3f}" for value in row[: len(names)]))

# %% [markdown]
# ## 5. The share of the tumour in a mixture
#
# Of blood one does not ask which read is of the tumour, but how many are. `mixture` compares the answers for the
# mixture with those for reads whose origin is known and that were not trained on. We mix reads ourselves, so the truth
# is known: the picture has it in orange, and the estimate with its 95 % interval in green.

# %%
of_tumour = [read for read in to_mix if read["label"] == "tumour"]
of_normal = [read for read in to_mix if read["label"] == "normal"]
rng, rows = np.random.default_rng(1), []
for share in (0.0, 0.1, 0.3, 0.6):
    n = round(100 * share)
    mixed = [*rng.choice(of_tumour, n), *rng.choice(of_normal, 100 - n)]
    found = model.mixture(written("mixed.csv", mixed), judged)
    rows += [Whisker(f"{share:.0%} of 100 reads", ORANGE, share, share, share),
             Whisker("estimate", TEAL, found.estimate, found.low, found.high)]
    print(f"truth {share:.2f}: estimate {found.estimate:.2f}, interval {found.low:.2f} to {found.high:.2f}")
with open("share_of_the_tumour.svg", "w", encoding="utf-8") as file:
    file.write(whiskers(rows, "share of the tumour, true and estimated", "share of reads"))

# %% [markdown]
# A hundred reads say little: the intervals are wide, and they are honest about it. More reads, and more known ones,
# make them narrower.
