"""An encoder of another project with a head that says something of a whole sequence."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor

from gattn_tg.models.imported.config import ImportedClassifierConfig, ImportedConfig
from gattn_tg.models.imported.trunk import ImportedTrunk
from gattn_tg.models.kind import Kind
from gattn_tg.models.readouts.sequences import ClassReadout, LabelReadout, ValueReadout
from gattn_tg.nn.linear import Linear
from gattn_tg.nn.pool import pool
from gattn_tg.types import Float, Int, UInt8


class ImportedClassifier(ImportedTrunk):
    """Make the tokens of another project of bases, attend, pool, answer.

    Args:
        config: sizes and choices.
        seed: of the initial weights.
    """

    config: ImportedClassifierConfig

    def __init__(self, config: ImportedClassifierConfig, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        super().__init__(config, rng)
        self.pool = None if config.pool == "first" else pool(config.pool, config.width, rng)
        times = 1 if self.pool is None else self.pool.times
        self.head = Linear(config.width * times, config.n_classes, rng, gain=0.1)

    def __call__(
        self, bases: UInt8[Tensor, "b n"], motif_ids: UInt8[Tensor, "b n"], lengths: Int[Tensor, "b"]
    ) -> Float[Tensor, "b c"]:
        """One output for each class, label or value; arguments as those of a `SequenceClassifier`."""
        read = self.read(bases, motif_ids, lengths)
        x = self.of_tokens(read.ids, read.motif_ids, read.lengths)
        return self.head(x[:, 0] if self.pool is None else self.pool(x, read.lengths))


KIND = Kind(
    ImportedClassifierConfig, ImportedClassifier, ClassReadout, heads=("head", "pool"),
    others=(LabelReadout, ValueReadout), inherits=ImportedConfig,
)
