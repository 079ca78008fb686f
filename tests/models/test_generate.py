"""Generation: the cache changes nothing, draws are repeatable, and options keep to their ranges."""

from __future__ import annotations

import numpy as np
import pytest
from tinygrad import Tensor

from gattn_tg.errors import ConfigError, ShapeError
from gattn_tg.models import generate
from gattn_tg.models.generate import Generator, chosen
from gattn_tg.models.gpt import GenomicGPT, GPTConfig
from gattn_tg.motif import MotifVocabulary, causal_ids
from gattn_tg.motif.follow import Follower
from gattn_tg.seq import encode

VOCABULARY = MotifVocabulary.default()
SIZES = {"width": 16, "n_layers": 1, "n_heads": 2, "words": [3], "context": 24}
PROMPTS = [encode("TATAAAAGCGCGTTGGGCGGACGTACGTACG"), encode("ACG"), encode("")]


def model(**options: object) -> GenomicGPT:
    made = GenomicGPT(GPTConfig.from_dict({**SIZES, **options}), seed=1)
    rng = np.random.default_rng(0)
    made.to_bases.weight.assign(made.to_bases.weight * 30).realize()
    for block in made.blocks:
        if (table := block.attention.motif_bias) is not None:
            table.assign(Tensor(rng.standard_normal(table.shape).astype(np.float32))).realize()
    return made


def logits_after(made: GenomicGPT, sequences: list[np.ndarray]) -> np.ndarray:
    """Of whole sequences computed again, with the N in front that stands for the start, and padding behind."""
    rows = np.full((len(sequences), 64), 4, np.uint8)  # the shape in which a generator reads prompts, and its kernels
    for row, bases in zip(rows, sequences, strict=True):
        row[1 : len(bases) + 1] = bases
    found = made(Tensor(rows), Tensor(causal_ids(rows, VOCABULARY))).numpy()
    return np.stack([x[len(bases)] for x, bases in zip(found, sequences, strict=True)])


def grown(written: np.ndarray, i: int) -> list[np.ndarray]:
    """The prompts with the first i bases that were written behind each."""
    return [np.concatenate([prompt, row[:i]]) for prompt, row in zip(PROMPTS, written, strict=True)]


@pytest.mark.parametrize("options", [
    {"motif": "ordered", "per_head": True, "n_kv_heads": 1}, {"motif": "between"},
    {"motif": "pair", "context": 6, "anchors": ["cpg", "tata_box"], "n_anchors": 9},
    {"motif": "none", "embed_motifs": False, "words": [], "rope_scaling": "linear", "rope_factor": 2.0},
])
def test_greedy_bases_are_those_of_the_whole_computed_again(options: dict[str, object]) -> None:
    made = model(**options)
    written = Generator(made, VOCABULARY)(PROMPTS, 12, temperature=0)
    for i in (0, 5, 11):  # the first prompt is longer than the context
        np.testing.assert_array_equal(logits_after(made, grown(written, i)).argmax(1), written[:, i])


def test_logits_with_the_cache_are_those_without_and_a_second_call_begins_anew() -> None:
    made = model(motif="key", n_layers=2)
    generator = Generator(made, VOCABULARY)
    first = generator(PROMPTS, 9, seed=3)
    state = generate._State(generator, PROMPTS, 9)
    for i in range(9):
        np.testing.assert_allclose(state.logits, logits_after(made, grown(first, i)), atol=2e-4)
        state.push(first[:, i])
    np.testing.assert_array_equal(generator(PROMPTS, 9, seed=3), first)
    assert (generator(PROMPTS, 9, seed=4) != first).any()
    np.testing.assert_array_equal(Generator(made, VOCABULARY)(PROMPTS, 5, seed=3), first[:, :5])


def test_draws_follow_temperature_and_top_k() -> None:
    logits = np.tile(np.log([[0.5, 0.25, 0.2, 0.05]]), (4000, 1))
    draws = np.random.default_rng(0).random(4000)
    found = np.bincount(chosen(logits, draws, 1.0, 4), minlength=4) / 4000
    np.testing.assert_allclose(found, [0.5, 0.25, 0.2, 0.05], atol=0.03)
    assert set(chosen(logits, draws, 1.0, 2)) == {0, 1}
    assert np.bincount(chosen(logits, draws, 0.5, 4))[0] > 0.7 * 4000
    assert set(chosen(logits, draws, 0.0, 4)) == {0}


def test_refusals() -> None:
    generator = Generator(model(motif="none"), VOCABULARY)
    with pytest.raises(ConfigError, match=r"top_k from 1 to 4 and seed >= 0, got 3 prompts, 5"):
        generator(PROMPTS, 5, top_k=5)
    with pytest.raises(ShapeError, match=r"expected prompts of base ids 0\.\.4, one axis each, got one of shape"):
        generator([np.array([[1]], np.uint8)], 5)


def test_the_follower_gives_causal_ids() -> None:
    rng = np.random.default_rng(0)
    bases = rng.choice(5, 3000, p=[0.25, 0.25, 0.25, 0.24, 0.01]).astype(np.uint8)
    bases[500:700] = np.where(rng.random(200) < 0.7, np.tile([1, 2], 100), bases[500:700])
    bases[900:960] = np.where(rng.random(60) < 0.95, rng.choice([0, 3], 60), 1)
    follower = Follower(VOCABULARY)
    found = [follower.push(base) for base in bases.tolist()]
    np.testing.assert_array_equal(found, causal_ids(bases, VOCABULARY))
