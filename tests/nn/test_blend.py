"""Models that answer as one."""

from __future__ import annotations

import numpy as np
from tinygrad import Tensor

from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.nn.blend import Blend, choices


def test_the_answer_is_the_weighted_sum_of_all() -> None:
    rng = np.random.default_rng(0)
    said = rng.standard_normal((3, 5, 3)).astype(np.float32)
    blend = Blend(3)
    np.testing.assert_allclose(blend([Tensor(x) for x in said]).numpy(), said.mean(0), rtol=1e-5, atol=1e-6)
    for weights in ((0.5, 0.5, 0.0), (0.0, 1.0, 1.0), (1.5, 0.25, 0.125)):
        blend.choose(*weights)
        found = blend([Tensor(x) for x in said]).numpy()
        np.testing.assert_allclose(found, np.tensordot(weights, said, 1), rtol=1e-5, atol=1e-6)


def test_each_model_can_be_left_out_but_not_all() -> None:
    for n in (2, 3):
        assert min(sum(weights) for weights in choices(n)) > 0
        assert {tuple(row) for row in np.eye(n)} <= set(choices(n))


def test_effects_of_motifs_are_those_of_the_whole_answer() -> None:
    model = SequenceClassifier(ClassifierConfig(n_classes=2, width=8, n_layers=1, n_heads=2, max_length=12,
                                                motif="none", embed_motifs=False, filters=3, filter_width=5,
                                                apart=True))
    assert model.evidence is not None
    assert model.blend is not None
    model.evidence.weight.assign(Tensor.ones(6, 2)).realize()
    model.blend.choose(1.0, 0.25)
    np.testing.assert_allclose(model.effects(), 0.25 * model.evidence.effects())
