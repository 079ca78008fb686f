"""A small classifier that looks at motifs, the same in every file of this folder, so that its kernels are there."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor

from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier


def classifier() -> SequenceClassifier:
    """Sequences of up to 32 bases, two classes, a table of motifs drawn at random."""
    config = ClassifierConfig(n_classes=2, max_length=32, width=16, n_layers=1, n_heads=2, mlp_ratio=1, stem_kernel=3)
    model = SequenceClassifier(config, seed=2)
    table = model.blocks[0].attention.motif_bias
    assert table is not None
    table.assign(Tensor(np.random.default_rng(0).standard_normal(16).astype(np.float32))).realize()
    return model
