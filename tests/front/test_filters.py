"""The motifs that a model reads: named by what they resemble, ordered by what they give; table, page and file agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tinygrad import Tensor

import gattn_tg
from gattn_tg.errors import ConfigError, UnsupportedError
from gattn_tg.io import read_matrices
from gattn_tg.models import checkpoint
from gattn_tg.models.classifier import SequenceClassifier
from gattn_tg.models.config import ClassifierConfig
from gattn_tg.models.readouts import ClassReadout
from gattn_tg.motif import MotifVocabulary
from gattn_tg.motif.threshold import log_odds

SIZES = {"width": 16, "n_layers": 1, "n_heads": 2, "mlp_ratio": 1, "max_length": 40, "stem_kernel": 0, "motif": "none",
         "embed_motifs": False}  # fmt: skip
WORDS = {"one": "TATAAA", "two": "CCGCCCCC", "three": "GATTACA"}
COUNTS = {name: [tuple(97.0 if base == letter else 1.0 for base in "ACGT") for letter in word]
          for name, word in WORDS.items()}  # fmt: skip


def saved(folder: Path, n_classes: int, filters: int) -> gattn_tg.front.trained.Trained:
    model = SequenceClassifier(ClassifierConfig(n_classes=n_classes, filters=filters, filter_width=9, **SIZES))
    if model.filters is not None:
        turned = np.array(COUNTS["two"])[::-1, ::-1]
        model.filters.start_from([(log_odds(COUNTS["one"]), 0.0), (log_odds(turned), 0.0)])
        weight = np.zeros((2 * filters, n_classes), np.float32)
        weight[0], weight[1], weight[filters + 1] = [0, 1, 0][:n_classes], [1, 0, 0][:n_classes], [0, 3, 0][:n_classes]
        model.evidence.weight.replace(Tensor(weight))
    labels = ("no", "yes", "perhaps")[:n_classes]
    checkpoint.save(model, folder, readout=ClassReadout(labels=labels), vocabulary=MotifVocabulary.default())
    return gattn_tg.load(folder)


def known(folder: Path) -> Path:
    lines = [f">{name}\n" + "".join(f"{base} [ {' '.join(str(row[i]) for row in rows)} ]\n"
                                   for i, base in enumerate("ACGT")) for name, rows in COUNTS.items()]  # fmt: skip
    (folder / "known.jaspar").write_text("".join(lines))
    return folder / "known.jaspar"


def test_motifs_are_named_and_ordered_by_what_they_give(tmp_path: Path) -> None:
    found = saved(tmp_path / "two", 2, 2).read_motifs(known(tmp_path))
    assert found.filters == (1, 0)
    assert found.names == ("two", "one")
    assert [match.strand for match in found.matches] == ["-", "+"]
    assert [match.similarity for match in found.matches] == pytest.approx([1, 1], abs=0.01)
    assert found.answers == ("yes",)  # of two classes the log odds of the second
    assert found.strongest[:, 0] == pytest.approx([-0.5, 0.5])
    assert found.total[:, 0] == pytest.approx([1.5, 0.0])
    found.write(tmp_path / "motifs")
    again = list(read_matrices(tmp_path / "motifs" / "motifs.meme"))
    assert [matrix.id for matrix in again] == ["filter_1", "filter_0"]
    assert np.array(again[0].counts) == pytest.approx(found.motifs[0], abs=1e-5)
    table = (tmp_path / "motifs" / "motifs.tsv").read_text().splitlines()
    assert table[0].split("\t")[-2:] == ["strongest yes", "total yes"]
    assert len(table) == 3
    page = (tmp_path / "motifs" / "index.html").read_text()
    assert page.index("filter 1.") < page.index("filter 0.")
    with pytest.raises(ConfigError, match="motifs"):
        found.write(tmp_path / "motifs")


def test_of_three_classes_each_has_its_own_answer_and_they_add_up_to_nothing(tmp_path: Path) -> None:
    found = saved(tmp_path / "three", 3, 2).read_motifs(known(tmp_path))
    assert found.answers == ("no", "yes", "perhaps")
    assert found.strongest.sum(1) == pytest.approx([0, 0], abs=1e-7)


def test_a_model_without_filters_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="without filters"):
        saved(tmp_path / "none", 2, 0).read_motifs()
