"""Does `gattn discover` find the motif that it must find, and nothing when labels are shuffled?

    python bench/biology/discover.py CKPT [CKPT ...] --data held_out.csv [--motif tata_box] [--backgrounds 64]

The table has a column `sequence` and a column `label` with 0 and 1, and no sequence that a checkpoint has learnt from.
One JSON line goes to bench/results/discover.jsonl: what was found, the rank of the motif, and its evidence.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

import gattn_tg
from bench.record import write
from gattn_tg.front.why.discoveries import EVIDENCE
from gattn_tg.io import read_labelled
from gattn_tg.metrics.classes import auc


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", type=Path, nargs="+", metavar="CKPT")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--motif", default="tata_box")
    parser.add_argument("--backgrounds", type=int, default=64)
    parser.add_argument("--shuffles", type=int, default=4)
    parser.add_argument("--most", type=int, default=1 << 30, help="sequences of each group, at most")
    parser.add_argument("-o", "--output", type=Path, default=None, help="folder for the page")
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()

    table = read_labelled(a.data)
    labels = [] if table.labels is None else [table.label_names[k] for k in table.labels]
    groups = [[row for row, label in zip(table.sequences, labels, strict=True) if label == wanted][: a.most]
              for wanted in ("1", "0")]  # fmt: skip
    models = [gattn_tg.load(path) for path in a.checkpoints]
    p = models[0].predict(groups[0] + groups[1]).probabilities[:, 1]
    began = time.perf_counter()
    found = models[0].discover(*groups, others=models[1:], backgrounds=a.backgrounds, shuffles=a.shuffles, seed=a.seed)
    seconds = time.perf_counter() - began
    k = next(k for k, motif in enumerate(found.motifs) if motif.name == a.motif)
    evidence = {kind: {name: round(float(column[k]), 5) for name, column in getattr(found, kind)._asdict().items()}
                for kind in EVIDENCE}  # fmt: skip
    if a.output is not None:
        found.write(a.output)
    line = {
        "data": a.data.name, "n_positive": found.n_positive, "n_negative": found.n_negative, "checkpoints": len(models),
        "auc": round(auc(np.arange(len(p)) < len(groups[0]), p), 4), "motif": a.motif,
        "is_found": bool(found.found[k]), "rank": 1 + found.order.index(k), "found": list(found.names),
        "looked_for": len(found), "evidence": evidence, "backgrounds": a.backgrounds, "seed": a.seed,
        "seconds": round(seconds, 1),
    }  # fmt: skip
    write("discover", line)
    print(line, flush=True)


if __name__ == "__main__":
    main()
