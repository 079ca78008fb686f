"""What bases give to an answer: the truth of a linear model, sums that must hold, and mutants asked one by one."""

from __future__ import annotations

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg.errors import UnsupportedError
from gattn_tg.explain.attribution.gradients import Gradients, InputGradient, PathGradient
from gattn_tg.explain.attribution.mutagenesis import Mutagenesis
from gattn_tg.explain.attribution.seqlets import seqlets
from gattn_tg.explain.attribution.sequences import Asked
from gattn_tg.explain.attribution.target import SequenceTarget
from gattn_tg.models.captured.forward import Forward
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.models.readouts.sequences import ClassReadout, ValueReadout
from gattn_tg.motif import MotifVocabulary, annotate
from gattn_tg.nn.embedding import Embedding
from gattn_tg.seq import encode

VOCABULARY = MotifVocabulary.default()
N, BATCH = 32, 16
ROWS = [encode("ACGTATAAAAGGCGCGTTGACATTGCNTAACG"), encode("TTGACGTATAAAAGCAACG")]
ASKED = Asked.of(ROWS, N, lambda bases: annotate(bases, VOCABULARY))
RNG = np.random.default_rng(4)


class Linear:
    """y = sum over bases of w[place, base] + m[motif id], a model by construction."""

    def __init__(self, weights: np.ndarray, motifs: np.ndarray) -> None:
        self.config = ClassifierConfig(n_classes=1)
        self.weights, self.motifs = Tensor(weights.astype(np.float32)).realize(), Embedding(16, 1, RNG)
        self.motifs.weight = Tensor(motifs.astype(np.float32)[:, None]).realize()
        self.unit = Embedding(5, 5, RNG)
        self.unit.weight = Tensor(np.eye(5, dtype=np.float32)).realize()

    def __call__(self, bases: Tensor, motif_ids: Tensor, lengths: Tensor) -> Tensor:
        inside = (Tensor.arange(N).unsqueeze(0) < lengths.unsqueeze(1)).float()
        own = (self.unit(bases) * self.weights).sum(-1) + self.motifs(motif_ids).squeeze(-1)
        return (own * inside).sum(1, keepdim=True)


def test_all_methods_give_the_weights_of_a_linear_model() -> None:
    """Up to a constant for each base, which no method can know: contributions are differences between bases."""
    w, m = RNG.standard_normal((N, 5)), RNG.standard_normal(16)
    w[:, 4] = w[:, :4].mean(1)  # an N is worth the mean
    target = SequenceTarget(Linear(w, m), ValueReadout(labels=("y",), mean=(0.0,), sd=(1.0,), loss="mse"))
    gradients, wanted = Gradients(target, BATCH), np.ones((2, 1))
    methods = {
        "mutagenesis": Mutagenesis(target, VOCABULARY, BATCH, hold_motifs=True),
        "gradient": InputGradient(gradients), "integrated": PathGradient(gradients, VOCABULARY, 8),
    }  # fmt: skip
    truth = w[:, :4] - w[:, :4].mean(1, keepdims=True)
    for name, method in methods.items():
        for i, found in enumerate(method(ASKED, wanted)):
            n = len(ROWS[i])
            np.testing.assert_allclose(found.hypothetical, truth[:n], atol=2e-5, err_msg=name)
            known = ROWS[i] < 4
            own = truth[np.arange(n), np.minimum(ROWS[i], 3)]
            np.testing.assert_allclose(found.contributions[known], own[known], atol=2e-5, err_msg=name)
            if name != "mutagenesis":
                np.testing.assert_allclose(found.by_motif, (m - m[0])[annotate(ROWS[i], VOCABULARY)], atol=2e-5)
    expected = list(PathGradient(gradients, VOCABULARY, 16, shuffles=4)(ASKED, wanted))
    assert max(found.residual for found in expected) < 1e-4


@pytest.fixture(scope="module")
def target() -> SequenceTarget:
    """A classifier whose motif table is not zero."""
    config = ClassifierConfig(n_classes=3, max_length=N, width=16, n_layers=1, n_heads=2, mlp_ratio=1, dropout=0.0,
                              stem_kernel=3)  # fmt: skip
    model = SequenceClassifier(config, seed=2)
    for layer in [model.blocks[0].attention]:
        assert layer.motif_bias is not None
        layer.motif_bias.assign(Tensor(RNG.standard_normal(16).astype(np.float32))).realize()
    model.head.weight.assign(model.head.weight * 10).realize()  # answers that differ
    return SequenceTarget(model, ClassReadout(labels=("a", "b", "c")))


def test_integrated_gradients_add_up_to_the_difference(target: SequenceTarget) -> None:
    """Within 1 % at 64 steps, bases and motif ids together; expected gradients from the mean of their references."""
    gradients, chosen = Gradients(target, BATCH), np.array([1, 2])
    wanted = np.eye(3)[chosen]
    for found in PathGradient(gradients, VOCABULARY, 64)(ASKED, wanted):
        assert found.residual < 0.01
        assert abs(found.by_motif).max() > 0
    for found in PathGradient(gradients, VOCABULARY, 128, shuffles=8, seed=3)(ASKED, wanted):
        assert found.residual < 0.05
    ends = [x.answer for x in PathGradient(gradients, VOCABULARY, 4)(ASKED, wanted)]
    forward = Forward(target.model, BATCH, None, target.run)
    np.testing.assert_allclose(ends, forward(*ASKED.inputs)[[0, 1], chosen], atol=1e-6)


@pytest.mark.parametrize("hold_motifs", [False, True])
def test_mutagenesis_is_every_mutant_asked_alone(target: SequenceTarget, hold_motifs: bool) -> None:
    found = list(Mutagenesis(target, VOCABULARY, BATCH, hold_motifs)(ASKED, np.eye(3)[[0, 0]]))[1]
    row = ROWS[1]
    forward = Forward(target.model, BATCH, None, lambda *inputs: target.model(*inputs))

    def log_odds(ids: np.ndarray, motif_ids: np.ndarray) -> float:
        wide = [np.pad(x, (0, N - len(x)), constant_values=fill) for x, fill in ((ids, 4), (motif_ids, 0))]
        arrays = (*(np.repeat(x[None], BATCH, 0) for x in wide), np.full(BATCH, len(ids), np.int32))
        p = np.exp(forward(*arrays)[0].astype(np.float64))
        return float(np.log(p[0] / (p.sum() - p[0])))

    own = annotate(row, VOCABULARY)
    wanted = np.zeros((len(row), 4))
    for i in range(len(row)):
        for base in range(4):
            mutant = row.copy()
            mutant[i] = base
            wanted[i, base] = log_odds(mutant, own if hold_motifs else annotate(mutant, VOCABULARY))
    np.testing.assert_allclose(found.hypothetical, wanted - wanted.mean(1, keepdims=True), atol=1e-6)
    np.testing.assert_allclose(found.answer, log_odds(row, own), atol=1e-6)


def test_a_bias_that_knows_order_has_no_gradient_in_weights() -> None:
    config = ClassifierConfig(n_classes=2, max_length=N, motif="ordered", width=16, n_layers=1, n_heads=2)
    target = SequenceTarget(SequenceClassifier(config), ClassReadout(labels=("a", "b")))
    with pytest.raises(UnsupportedError) as caught:
        list(InputGradient(Gradients(target, 2))(ASKED, np.eye(2)[[0, 0]]))
    assert str(caught.value) == ("weights over motif ids: expected a motif bias of kind key or pair or same, got "
                                 "'ordered', which ids alone can have; ask by changing bases instead")  # fmt: skip


def test_seqlets_are_the_stretches_that_stand_out() -> None:
    contributions = RNG.standard_normal(200) * 0.01
    contributions[40:47] += 1
    contributions[120:126] -= 0.5
    found = seqlets(contributions)
    assert [(one.start, one.end) for one in found] == [(40, 47), (120, 126)]
    assert found[0].contribution > 6.5
    assert found[1].contribution < -2.5
    assert seqlets(np.zeros(50)) == []
