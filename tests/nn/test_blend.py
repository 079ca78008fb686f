"""Two models that answer as one."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor

from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.nn.blend import CHOICES, Blend


def test_the_answer_is_the_weighted_sum_of_both() -> None:
    rng = np.random.default_rng(0)
    network, linear = rng.standard_normal((2, 5, 3)).astype(np.float32)
    blend = Blend()
    for a, b in ((0.5, 0.5), (0.0, 1.0), (1.5, 0.25)):
        blend.choose(a, b)
        found = blend(Tensor(network), Tensor(linear)).numpy()
        np.testing.assert_allclose(found, a * network + b * linear, rtol=1e-6)


def test_each_model_can_be_left_out_but_not_both() -> None:
    assert min(a + b for a, b in CHOICES) > 0
    assert {(0.0, 1.0), (1.0, 0.0), (0.5, 0.5)} <= set(CHOICES)


def test_effects_of_motifs_are_those_of_the_whole_answer() -> None:
    model = SequenceClassifier(ClassifierConfig(n_classes=2, width=8, n_layers=1, n_heads=2, max_length=12,
                                                motif="none", embed_motifs=False, filters=3, filter_width=5,
                                                apart=True))
    assert model.evidence is not None
    assert model.blend is not None
    model.evidence.weight.assign(Tensor.ones(6, 2)).realize()
    model.blend.choose(1.0, 0.25)
    np.testing.assert_allclose(model.effects(), 0.25 * model.evidence.effects())
