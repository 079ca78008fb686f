"""The motifs that a model reads: named by what they resemble, ordered by what they give; table, page and file agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tinygrad import Tensor

import gattn_tg
from gattn_tg.cli.main import main
from gattn_tg.errors import ConfigError, UnsupportedError
from gattn_tg.io import read_matrices
from gattn_tg.models import checkpoint
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.models.gpt import GenomicGPT, GPTConfig
from gattn_tg.models.readouts.sequences import ClassReadout
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


@pytest.mark.parametrize("merges", [False, True])
def test_pairs_are_named_with_strands_and_distance_and_of_merged_strands_once(tmp_path: Path, merges: bool) -> None:
    shape = ClassifierConfig(n_classes=2, filters=3, filter_width=9, motif_pairs=2, pair_reach_bp=8,
                             merge_strands=merges, **SIZES)  # fmt: skip
    model = SequenceClassifier(shape)
    assert model.filters is not None
    assert model.pairs is not None
    model.filters.start_from([(log_odds(COUNTS["one"]), 0.0), (log_odds(COUNTS["two"]), 0.0)])
    weight = np.zeros((5, 4, 4, 2), np.float32)  # distances 1, 2, 3, 4-5, 6-7; one +, two +, one -, two -
    weight[3, 0, 3], weight[3, 1, 2], weight[4, 1, 1] = (0, 5), (0, 1), (3, 0)
    model.pairs.weight.replace(Tensor(weight.reshape(-1, 2)))
    checkpoint.save(model, tmp_path / "m", readout=ClassReadout(labels=("no", "yes")),
                    vocabulary=MotifVocabulary.default())  # fmt: skip
    found = gattn_tg.load(tmp_path / "m").read_motifs(known(tmp_path))
    assert found.pairs is not None
    scale = 80**-0.5
    one_two, two_one = ("one", "+", "two", "-", 4, 5), ("two", "+", "one", "-", 4, 5)
    two_two = ("two", "+", "two", "+", 6, 7)
    rows = {tuple(row[:6]): row[7] for row in found.pairs.rows()}
    assert found.pairs.filters[0] == (0, 1)
    # one + before two - is, on the other strand, two + before one -
    wanted = {one_two: 6, two_two: -3} if merges else {one_two: 5, two_two: -3, two_one: 1}
    assert rows == pytest.approx({key: value * scale for key, value in wanted.items()})
    assert [tuple(row[:6]) for row in found.pairs.rows()] == list(wanted)
    found.write(tmp_path / "out")
    assert (tmp_path / "out" / "pairs.tsv").read_text().splitlines()[1].split("\t")[:6] == [*map(str, one_two)]
    assert "one +</td>" in (tmp_path / "out" / "index.html").read_text()


def test_a_model_without_filters_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="it has no filters; train one with `matrices`"):
        saved(tmp_path / "none", 2, 0).read_motifs()


def test_the_command_fills_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = saved(tmp_path / "two", 2, 2)
    out, asked = tmp_path / "found", ["motifs", str(tmp_path / "two"), "--file", str(known(tmp_path))]
    assert main([*asked, "-o", str(out)]) == 0
    assert "2 motifs ->" in (told := capsys.readouterr().out)
    assert told.splitlines()[1].split()[:5] == ["filter", "1", "like", "two", "similarity"]
    assert sorted(path.name for path in out.iterdir()) == ["index.html", "motifs.meme", "motifs.tsv"]
    model.read_motifs(known(tmp_path)).to_tsv(tmp_path / "same.tsv")
    assert (out / "motifs.tsv").read_text() == (tmp_path / "same.tsv").read_text()


@pytest.mark.parametrize(("more", "text"), [
    (["-o", "{}/found"], "{}/found: expected a new folder, got one that exists"),
    ([], "motifs: expected a folder for the motifs of {}/two, got none; add -o FOLDER"),
    (["--jaspar", "CTCF", "-o", "{}/new"], "--jaspar: expected no checkpoint with it, got one; leave one of the two"),
    (["--file", "{}/none.meme", "-o", "{}/new"], "none.meme"),
])
def test_what_the_command_cannot_do_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], text: str
) -> None:
    saved(tmp_path / "two", 2, 2)
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / "mine.txt").write_text("kept")
    assert main(["motifs", str(tmp_path / "two"), *(x.format(tmp_path) for x in more)]) == 2
    assert text.format(tmp_path) in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
    assert (tmp_path / "found" / "mine.txt").read_text() == "kept"


def test_kinds_that_have_no_filters_refuse_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = GenomicGPT(GPTConfig(width=16, n_layers=1, n_heads=2, mlp_ratio=1))
    checkpoint.save(model, tmp_path / "gpt", vocabulary=MotifVocabulary.default())
    assert main(["motifs", str(tmp_path / "gpt"), "-o", str(tmp_path / "new")]) == 2
    assert "read_motifs: a GenomicGPT cannot: " in capsys.readouterr().err
