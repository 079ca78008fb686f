"""What tests of exported models share: a model of two layers, its answers, and how far apart sums may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import gattn_tg
from gattn_tg.front.trained import Trained
from gattn_tg.models import checkpoint
from gattn_tg.models.kinds import KINDS
from gattn_tg.models.readouts.readout import Readout
from gattn_tg.models.readouts.sequences import ClassReadout
from gattn_tg.motif import MotifVocabulary
from gattn_tg.seq import decode

SIZES: dict[str, Any] = {"width": 16, "n_layers": 2, "n_heads": 2, "mlp_ratio": 1, "dropout": 0.0}
VOCABULARY = MotifVocabulary.default()
# unlike kernels: exported tiles are 128 bits wide, so sums of 16 to 64 float32 are added in another order
TOLERANCE = 2e-5
CLASSES = ClassReadout(labels=("a", "b</script>", "c"), shortest=20, both_strands=True)
LETTERS = decode(np.random.default_rng(5).integers(0, 4, 33).astype(np.uint8))


def saved(folder: Path, name: str, readout: Readout, **sizes: Any) -> Trained:
    """A model with random weights that was saved, and loaded."""
    kind = KINDS[name]
    model = kind.model(kind.config.from_dict({**SIZES, **sizes}), seed=1)
    checkpoint.save(model, folder, readout=readout, vocabulary=VOCABULARY)
    return gattn_tg.load(folder, "CPU")


def classifier(folder: Path) -> Trained:
    """A model of two layers, whose layer norms are two launches of one kernel on the same memory."""
    return saved(folder, "SequenceClassifier", CLASSES, n_classes=3, max_length=40)
