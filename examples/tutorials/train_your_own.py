# %% [markdown]
# # Train your own model from a CSV file
#
# You need one file with the columns `sequence` and `label`. This page makes such a file from bundled data, trains a
# classifier, tests it, and predicts new sequences. It takes less than a minute.

# %%
import csv
import json
import tempfile
from pathlib import Path

import gattn_tg
from gattn_tg.data.genomes.bundled import SPLICE_JUNCTIONS, bundled
from gattn_tg.explain.drawings.line_chart import Line, line_chart
from gattn_tg.explain.drawings.svg import ORANGE, TEAL
from gattn_tg.io import read_labelled
from gattn_tg.training.template import template

folder = Path(tempfile.mkdtemp())

# %% [markdown]
# ## 1. The table
#
# Replace this file by your own. The question here: is there an acceptor (the end of an intron) in the middle of the
# sequence, yes or no?

# %%
table = read_labelled(bundled(SPLICE_JUNCTIONS))
with open(folder / "my.csv", "w", newline="", encoding="utf-8") as file:
    writer = csv.writer(file)
    writer.writerow(["sequence", "label"])
    for sequence, label in zip(table.sequences, table.labels, strict=True):
        writer.writerow([sequence.decode(), "yes" if table.label_names[label] == "ie" else "no"])
print((folder / "my.csv").read_text(encoding="utf-8")[:140])

# %% [markdown]
# ## 2. The configuration
#
# `gattn init SequenceClassifier > my.toml` writes a file with every key and its meaning. This is its beginning:

# %%
print("\n".join(template("SequenceClassifier").splitlines()[3:13]).replace(str(bundled(SPLICE_JUNCTIONS)), "..."))

# %% [markdown]
# Keys that you leave out have their defaults. So a short file is enough. A part of the table is set aside to choose
# the best weights, another one for the test. Copies of a sequence stay in one part.

# %%
(folder / "my.toml").write_text('''
[data]
train = "my.csv"
valid_fraction = 0.15
test_fraction = 0.2

[model]
preset = "tiny"
stem_kernel = 7
positions = "learned"    # the place in the sequence matters; "rope" is for sites that lie anywhere
dropout = 0.0

[train]
epochs = 2
learning_rate = 3e-3
warmup_steps = 20
''', encoding="utf-8")

# %% [markdown]
# ## 3. Train
#
# On the command line this is `gattn train my.toml`.

# %%
model = gattn_tg.train(folder / "my.toml", folder / "run")
print(type(model).__name__, f"with {model.n_parameters:,} parameters")

# %% [markdown]
# The folder of the run holds everything: `best/` has the weights, `metrics.jsonl` the numbers of every validation.

# %%
lines = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
train = [line for line in lines if line["kind"] == "train"]
valid = [line for line in lines if line["kind"] == "valid"]
with open("loss_while_training.svg", "w", encoding="utf-8") as file:
    file.write(line_chart([
        Line("training", TEAL, [x["step"] for x in train], [x["loss"] for x in train]),
        Line("validation", ORANGE, [x["step"] for x in valid], [x["metrics"]["loss"] for x in valid]),
    ], "loss in nats"))

# %% [markdown]
# ## 4. Test and use it

# %%
metrics = model.evaluate().metrics["test"]
print({name: round(value, 2) for name, value in metrics.items() if name in ("accuracy", "auc")})

new = ["TTTGTCTCTTTTCTTTCCTTTCTTTTACAGGTTCAAGACATCTGGAAGTGACCAGGAATC", "ACGT" * 15]
found = model.predict(new)
print(found.predicted)
print(found.to_tsv(folder / "answers.tsv"), "rows written")

# %% [markdown]
# To go on with training after Ctrl-C, run `gattn train my.toml --resume`. To begin with the weights of another model,
# run `gattn finetune CHECKPOINT my.toml`.
