"""SequenceClassifier: padding, seeds, options, and that it can learn."""

from __future__ import annotations

import numpy as np
import pytest
from tinygrad import Tensor, TinyJit
from tinygrad.helpers import Context
from tinygrad.nn.optim import AdamW
from tinygrad.nn.state import get_state_dict

from gattn_tg.errors import ConfigError, ShapeError
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier

SMALL = {"n_classes": 2, "width": 16, "n_layers": 1, "n_heads": 2, "max_length": 24, "stem_kernel": 3, "dropout": 0.0}


def batch(b: int, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 4, (b, n)).astype(np.uint8), rng.integers(0, 16, (b, n)).astype(np.uint8)


def logits(model: SequenceClassifier, bases: np.ndarray, ids: np.ndarray, lengths: list[int]) -> np.ndarray:
    return model(Tensor(bases), Tensor(ids), Tensor(np.array(lengths, np.int32))).numpy()


@pytest.mark.parametrize("options", [
    {"kmers": 4, "kmer_gaps": 3, "pool": "both", "filters": 5, "filter_width": 3, "motif": "pair"},
    {"motif": "pair", "per_head": True, "pool": "mean", "positions": "both"},
    {"motif": "between", "positions": "learned", "n_kv_heads": 1, "stem_kernel": 0, "embed_motifs": False},
])
def test_padding_is_invisible(options: dict[str, object]) -> None:
    model = SequenceClassifier(ClassifierConfig.from_dict({**SMALL, **options}), seed=1)
    for block in model.blocks:
        if block.attention.motif_bias is not None:
            table = block.attention.motif_bias
            table.assign(Tensor(np.random.default_rng(2).standard_normal(table.shape).astype(np.float32)))
    if model.kmers is not None:
        model.kmers.weight.assign(Tensor(np.random.default_rng(3).random(model.kmers.weight.shape, np.float32)))
    bases, ids = batch(2, 11)
    alone = logits(model, bases, ids, [11, 7])
    padded_bases = np.pad(bases, ((0, 0), (0, 8)), constant_values=4)
    padded_ids = np.pad(ids, ((0, 0), (0, 8)))
    padded_bases[1, 7:], padded_ids[1, 7:] = 2, 3  # whatever stands behind the end
    np.testing.assert_allclose(logits(model, padded_bases, padded_ids, [11, 7]), alone, atol=2e-5)


def test_the_seed_decides_the_weights() -> None:
    config = ClassifierConfig.from_dict(SMALL)
    one, same, other = (get_state_dict(SequenceClassifier(config, seed=s)) for s in (1, 1, 2))
    assert all(np.array_equal(one[name].numpy(), same[name].numpy()) for name in one)
    assert not np.array_equal(one["head.weight"].numpy(), other["head.weight"].numpy())
    assert SequenceClassifier(config).n_parameters == sum(t.numpy().size for t in one.values())


def test_learned_positions_refuse_longer_sequences() -> None:
    model = SequenceClassifier(ClassifierConfig.from_dict({**SMALL, "positions": "learned"}))
    with pytest.raises(ShapeError, match="at most max_length=24 bases, got one of 30; shorten it, or"):
        logits(model, *batch(1, 30), [30])


def test_it_learns_where_a_motif_is() -> None:
    """Class 1 carries motif id 1 in its second half: ids and positions decide, bases are noise."""
    rng = np.random.default_rng(0)
    bases, _ = batch(32, 16)
    labels = rng.integers(0, 2, 32).astype(np.int32)
    ids = np.zeros((32, 16), np.uint8)
    ids[np.arange(32), np.where(labels, rng.integers(8, 16, 32), rng.integers(0, 8, 32))] = 1
    model = SequenceClassifier(ClassifierConfig.from_dict({**SMALL, "positions": "both"}), seed=0)
    parameters = [p.is_param_(True) for p in get_state_dict(model).values()]
    optimizer = AdamW(parameters, lr=1e-2)
    inputs = [Tensor(bases), Tensor(ids), Tensor(np.full(32, 16, np.int32))]

    @TinyJit
    def step() -> Tensor:
        with Context(TRAINING=1):
            optimizer.zero_grad()
            loss = model(*inputs).sparse_categorical_crossentropy(Tensor(labels))
            loss.backward()
            Tensor.realize(loss, *optimizer.schedule_step())
            return loss

    losses = [step().item() for _ in range(40)]
    assert losses[-1] < 0.2 * losses[0]


@pytest.mark.parametrize(("change", "text"), [
    ({"width": 15}, "ClassifierConfig width: expected a multiple of n_heads = 2, the nearest are 14 and 16, got 15"),
    ({"motif": "dense"}, "motif: expected one of key, pair, same, ordered, between, none, got 'dense'; known: key"),
    ({"pool": "max"}, "pool: expected one of attention, mean, both, got 'max'"),
    ({"filters": 4, "motif": "between"}, "motif: expected one of key, pair, same, none, as there are filters, got"),
    ({"filters": 4, "filter_width": 6}, "filter_width: expected an odd number of bases, got 6"),
    ({"n_layers": 0}, "^ClassifierConfig n_layers: expected from 1 to 1000, got 0; change n_layers$"),
    ({"n_layers": "2"}, "^ClassifierConfig n_layers: expected an integer, got '2'; write it without quotes"),
    ({"n_layers": True}, "n_layers: expected an integer, got True"),
    ({"dropout": 1.0}, r"dropout: expected a share from 0 up to 1 \(1 excluded\), got 1.0"),
    ({"layers": 2}, "expected one of its known keys, got 'layers'; did you mean 'n_layers'"),
])
def test_configurations_are_read_strictly(change: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        ClassifierConfig.from_dict({**SMALL, **change})


def test_configuration_survives_json() -> None:
    config = ClassifierConfig.from_dict({**SMALL, "tie_strands": [0, 2, 1], "n_motifs": 3})
    assert ClassifierConfig.from_json(config.to_json()) == config
    with pytest.raises(ConfigError, match="line 1: expected JSON, got text that does not parse"):
        ClassifierConfig.from_json("{")
    with pytest.raises(ConfigError, match="expected n_classes, got none; add n_classes"):
        ClassifierConfig.from_json("{}")
