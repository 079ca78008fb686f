# %% [markdown]
# # What does this variant do, why does the model say so, and which motifs matter?
#
# Ask a trained model what variants change, find the bases that its answer rests on, and see that both agree. The model
# tells splice sites apart. It is trained first, on bundled data, in some seconds. With a model of your own, begin at
# step 2.

# %%
import tempfile
from pathlib import Path

import numpy as np
from drawing import bars
from splice_model import trained

import gattn_tg
from gattn_tg.data.genomes.bundled import SPLICE_JUNCTIONS, bundled
from gattn_tg.io import read_labelled

model = gattn_tg.load(trained())
folder = Path(tempfile.mkdtemp())

# %% [markdown]
# ## 1. A sequence
#
# An exon of 30 bases and the intron of 30 bases that follows it: a donor. The intron begins with GT. Of the donors in
# the table we take the one that the model is surest of. It stands in a FASTA file, as a genome does: what follows works
# the same with chromosomes, and windows are then cut around every variant.

# %%
table = read_labelled(bundled(SPLICE_JUNCTIONS))
donors = [s for s, k in zip(table.sequences, table.labels, strict=True) if table.label_names[k] == "ei"]
sure = model.predict(donors).probabilities[:, model.labels.index("ei")]
donor = donors[int(sure.argmax())].decode()
(folder / "donor.fa").write_text(f">donor\n{donor}\n")
print(donor[:30], donor[30:])

# %% [markdown]
# ## 2. What does this variant do?
#
# A variant is `contig:position:ref>alt`, counted from 1. The first takes the T of GT away, the second changes a base in
# the middle of the exon, the third removes two bases of the intron. A VCF file or a table does as well, of any size:
# `gattn variants CKPT genome.fa variants.vcf.gz -o effects.vcf.gz`.

# %%
other = "A" if donor[9] != "A" else "C"
asked = ["donor:32:T>A", f"donor:10:{donor[9]}>{other}", f"donor:50:{donor[49:52]}>{donor[49]}"]
effects = model.variants(folder / "donor.fa", asked)
name = [column.name for column in effects.effects.columns].index("d_ei")
for effect in effects:
    print(effect.asked.variant, f"{effect.scores[name]:+.2f} nats", effect.changes)

# %% [markdown]
# `d_ei` is the difference of the log odds of a donor. A difference of 1 nat multiplies the odds by 2.7. Beside it stand
# the motifs that only one allele has. The whole table is `effects.to_dataframe()` or `effects.to_tsv("effects.tsv")`.
# If the letter of the genome is not the one that the variant says, nothing is computed:

# %%
try:
    model.variants(folder / "donor.fa", "donor:31:C>A")
except gattn_tg.GattnError as error:
    print(error)

# %% [markdown]
# ## 3. Why does the model say so?
#
# Saturation mutagenesis asks the same about every base. A contribution is what a base gives to the answer, against the
# mean of the four bases.

# %%
why = model.explain([donor], target="ei")
contributions = why.attributions[0].contributions
for i in np.argsort(-contributions)[:5]:
    print(i + 1, donor[i], round(float(contributions[i]), 2))
names = [f"{base} {i + 1}" for i, base in enumerate(donor)]
with open("contributions.svg", "w", encoding="utf-8") as file:
    file.write(bars(names[24:40], contributions[24:40].tolist(), "contributions around the junction, in nats"))

# %% [markdown]
# Integrated gradients are another way to the same question. Their sum is the difference between this sequence and one
# of N, and what is missing to it is told.

# %%
integrated = model.explain([donor], target="ei", method="integrated").attributions[0]
print("not explained:", f"{integrated.residual:.2%}")
print("correlation:", round(float(np.corrcoef(contributions, integrated.contributions + integrated.by_motif)[0, 1]), 2))

# %% [markdown]
# ## 4. Which motifs matter?
#
# Put a motif into sequences that are no junctions, and see what it does: the mean change of the log odds of a donor,
# with its interval, on the strand of the gene. `beyond` is what it does beyond the same letters in another order.

# %%
neither = [s for s, k in zip(table.sequences, table.labels, strict=True) if table.label_names[k] == "n"][:64]
motifs = ["splice_donor", "splice_acceptor", "tata_box", "e_box"]
for one in model.marginalize(neither, motifs, target="ei", strands="+", positions=[28]).found:
    print(f"{one.name:<20} {one.effect.shown}   beyond {one.beyond.shown}")

# %% [markdown]
# `gattn explain CKPT new.fa --insert splice_donor -o motifs` does the same, `--remove` takes motifs out. Which motifs
# tell two groups of sequences apart, and how sure that is, says `model.discover(positives, negatives)` or `gattn
# discover CKPT positives.fa negatives.fa -o found`; it needs sequences that the model has not learnt from.
#
# `why.write("why")` makes a folder with a page (letters, every mutation, motifs, attention by motif), tables, and
# arrays for tf-modisco. On the command line this is `gattn explain CKPT new.fa -o why`, or with `--bed` for places in a
# genome.
#
# A contribution says what the model uses, not what the cell does. Research use, not diagnosis.
