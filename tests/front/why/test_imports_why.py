"""Why and what if, asked of imports: answers per base, whatever the tokens are, against the definition in float64."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from foreign import FORMS, Form, K
from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict

import gattn_tg
from gattn_tg.errors import UnsupportedError
from gattn_tg.front.importing import import_model
from gattn_tg.front.trained import Trained
from gattn_tg.models import checkpoint
from gattn_tg.models.imported.classifier import ImportedClassifier
from gattn_tg.models.imported.config import ImportedClassifierConfig
from gattn_tg.models.readouts.sequences import ClassReadout
from gattn_tg.motif import MotifVocabulary

RNG = np.random.default_rng(6)
DNA = "".join(RNG.choice(list("ACGT"), 60))
ONE = DNA[:11] + "N" + DNA[12:20]
HEAD = RNG.standard_normal((2, 32)) * 2
NAMES = ("bert", "nt2", "mosaic")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trained]:
    """Classifiers with a head that is known, on the three ways of making tokens."""
    folder, found = tmp_path_factory.mktemp("imports"), {}
    for name in NAMES:
        encoder = import_model(FORMS[name].write(folder / f"{name}_files"), folder / name).model
        config = ImportedClassifierConfig.from_dict(
            {**json.loads(encoder.config.to_json()), "n_classes": 2, "max_length": 60})
        model = ImportedClassifier(config)
        theirs = {**get_state_dict(encoder), "head.weight": Tensor(HEAD.astype(np.float32))}
        for key, x in get_state_dict(model).items():
            x.replace(theirs.get(key, x))
        checkpoint.save(model, folder / f"{name}_classes", readout=ClassReadout(labels=("a", "b")),
                        vocabulary=MotifVocabulary.default())
        found[name] = gattn_tg.load(folder / f"{name}_classes")
    return {**found, "encoder": gattn_tg.load(folder / "nt2")}


def odds(form: Form, dna: str, shares: np.ndarray | None = None) -> float:
    """Log odds of the second class: the mean over tokens through the head."""
    hidden, _ = form.outputs(form.words(dna), shares)
    a, b = HEAD @ hidden.mean(0)
    return float(b - a)


def test_mutagenesis_is_what_every_changed_sequence_says(models: dict[str, Trained]) -> None:
    form = FORMS["bert"]
    found = models["bert"].explain(ONE, target="b", batch_size=64, attention=False).attributions[0]
    true = odds(form, ONE)
    assert abs(found.answer - true) < 2e-5
    changes = np.array([[odds(form, ONE[:i] + base + ONE[i + 1 :]) - true for base in "ACGT"] for i in range(len(ONE))])
    np.testing.assert_allclose(found.hypothetical, changes - changes.mean(1, keepdims=True), atol=4e-5)


@pytest.mark.parametrize("name", ["bert", "nt2"])
def test_gradients_of_bases_are_those_of_words_in_their_shares(models: dict[str, Trained], name: str) -> None:
    """Against central differences: the share of a word is the product of the weights of its bases."""
    form = FORMS[name]
    found = models[name].explain(ONE, target="b", method="gradient", batch_size=4, attention=False).attributions[0]
    assert abs(found.answer - odds(form, ONE)) < 2e-5
    weights = np.eye(5)[["ACGTN".index(base) for base in ONE]]
    for i in (0, 2, 9, 10, 13, 19):
        slopes = []
        for base in range(4):
            low, high = weights.copy(), weights.copy()
            low[i, base] -= 1e-5
            high[i, base] += 1e-5
            slopes.append((odds(form, ONE, shares(form, high)) - odds(form, ONE, shares(form, low))) / 2e-5)
        np.testing.assert_allclose(found.hypothetical[i], slopes - np.mean(slopes), atol=1e-4 * np.abs(slopes).max())


def shares(form: Form, weights: np.ndarray) -> np.ndarray:
    """Of each word of the vocabulary in each token of ONE."""
    found, at = np.zeros((len(form.words(ONE)), len(form.vocabulary))), 0
    for j, token in enumerate(form.words(ONE)):
        begins = j - 1 if form.is_bert else at
        at += 0 if token == "<cls>" else len(token)
        if token in ("[CLS]", "[SEP]", "<cls>"):
            found[j, form.vocabulary.index(token)] = 1
            continue
        width = K if form.is_bert else len(token)
        for row, word in enumerate(form.vocabulary):
            if len(word) == width and set(word) <= set("ACGTN"[: 4 + (width == 1)]):
                found[j, row] = np.prod([weights[begins + t, "ACGTN".index(x)] for t, x in enumerate(word)])
        unknown = "[UNK]" if form.is_bert else "<unk>"
        found[j, form.vocabulary.index(unknown)] += (1 - found[j].sum()) if width == K else 0
    return found


def test_contributions_along_a_way_add_up_and_words_that_are_cut_elsewhere_have_no_gradient(
    models: dict[str, Trained]
) -> None:
    found = models["nt2"].explain(DNA[:20], target="b", method="integrated", steps=64, batch_size=4, attention=False)
    assert found.attributions[0].residual < 0.01
    with pytest.raises(UnsupportedError, match=r"those of byte-pair encoding, .* explain by mutagenesis"):
        models["mosaic"].explain(DNA[:20], method="gradient")


def test_variants_are_the_difference_of_both_windows(models: dict[str, Trained], tmp_path: Path) -> None:
    """A change, a deletion and an insertion, in words that are cut anew for every allele."""
    genome = tmp_path / "g.fa"
    genome.write_text(f">chr1\n{DNA}\n")
    at, width = 29, 30
    cases = [(DNA[at], "ACGT"["ACGT".index(DNA[at]) - 1]), (DNA[at : at + 3], DNA[at]), (DNA[at], DNA[at] + "GA")]
    found = list(models["mosaic"].variants(genome, [f"chr1:{at + 1}:{r}>{a}" for r, a in cases], window=width))
    for (ref, alt), effect in zip(cases, found, strict=True):
        first = at + (len(ref) != len(alt)) - width // 2  # the first base that differs stands in the middle
        other = DNA[:at] + alt + DNA[at + len(ref) :]
        both = [odds(FORMS["mosaic"], dna[first : first + width]) for dna in (DNA, other)]
        np.testing.assert_allclose(effect.scores[3:], [*both, both[1] - both[0]], atol=4e-5)


def test_a_language_model_says_of_a_variant_how_likely_the_window_becomes(
    models: dict[str, Trained], tmp_path: Path
) -> None:
    """Every base hidden in turn, with the word that it is in, which its other bases and all words vote for."""
    form, width = FORMS["nt2"], 10
    genome = tmp_path / "g.fa"
    genome.write_text(f">chr1\n{DNA}\n")
    alt = "ACGT"["ACGT".index(DNA[29]) - 1]
    effect = next(iter(models["encoder"].variants(genome, f"chr1:30:{DNA[29]}>{alt}", window=width, batch_size=16)))

    def likelihood(dna: str) -> float:
        words, ends = form.words(dna), np.cumsum([0, *(len(w) if w != "<cls>" else 0 for w in form.words(dna))])
        total = 0.0
        for i, base in enumerate(dna):
            j = int(np.searchsorted(ends[1:], i, side="right"))
            _, logits = form.outputs([*words[:j], "<mask>", *words[j + 1 :]])
            sums = np.zeros(4)
            at = i - ends[j]
            for k, other in enumerate("ACGT"):
                word = words[j][:at] + other + words[j][at + 1 :]
                sums[k] = np.exp(logits[j, form.vocabulary.index(word)])
            total += float(np.log(sums["ACGT".index(base)] / sums.sum()))
        return total

    window = DNA[24:34]
    both = [likelihood(window), likelihood(window[:5] + alt + window[6:])]
    np.testing.assert_allclose(effect.scores, [*both, both[1] - both[0]], atol=1e-4)
