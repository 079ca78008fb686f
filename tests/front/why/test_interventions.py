"""Motifs put in and taken out: a model that counts a word by construction, JASPAR's names, the folder, and refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from front.why.small import classifier

import gattn_tg
from gattn_tg.cli.main import main
from gattn_tg.errors import ConfigError
from gattn_tg.explain.interventions.changed import Rows, places
from gattn_tg.explain.interventions.insertion import Put, effect, effect_of_pair, inserted
from gattn_tg.explain.interventions.named import all_named, named, words
from gattn_tg.explain.interventions.removal import removed
from gattn_tg.front.trained import Trained
from gattn_tg.models import checkpoint
from gattn_tg.models.readouts.sequences import ClassReadout
from gattn_tg.motif import MotifVocabulary
from gattn_tg.seq import decode, encode

VOCABULARY = MotifVocabulary.default()
RNG = np.random.default_rng(3)
LETTERS = [decode(RNG.integers(0, 4, 32)) for _ in range(6)]
ROWS = Rows.of([encode(text) for text in LETTERS], 32)
MEME = """MEME version 4

ALPHABET= ACGT

MOTIF MA1.1 sure
letter-probability matrix: alength= 4 w= 6
1 0 0 0
0 1 0 0
0 0 1 0
0 0 0 1
1 0 0 0
0 1 0 0
"""


def counted(word: str, pairs: float = 0.0):
    """A model by construction: sites of a word on the given strand, and `pairs` for every two of them."""

    def ask(rows: Rows) -> np.ndarray:
        n = np.array([decode(row).count(word) for row in rows.bases], float)
        return n + pairs * n * (n - 1) / 2

    return ask


def at(start: int, word: str, turned: bool = False) -> Put:
    return Put([encode(word)] * 6, np.full(6, start), np.full(6, turned))


def test_effects_are_those_of_a_model_that_counts_words() -> None:
    """One motif, turned around, two together; N keeps the base of the background."""
    clean = ROWS._replace(bases=np.zeros_like(ROWS.bases))  # no word is there by chance
    ask = counted("TGACC", pairs=0.5)
    without = ask(clean)
    assert [part.tolist() for part in effect(ask, clean, without, at(3, "TGACC"))] == [[1.0] * 6] * 2
    assert effect(ask, clean, without, at(3, "TGACC", turned=True))[0].tolist() == [0.0] * 6
    of_letters = effect(lambda rows: (rows.bases == 2).sum(1).astype(float), clean, without, at(3, "TGACC"))
    assert [part.tolist() for part in of_letters] == [[1.0] * 6, [0.0] * 6]  # nothing beyond the letters
    together, beyond = effect_of_pair(ask, clean, without, at(3, "TGACC"), at(20, "TGACC"))
    assert (together.tolist(), beyond.tolist()) == ([2.5] * 6, [0.5] * 6)
    kept = inserted(ROWS, at(4, "CNNTG"))
    assert [decode(row)[4:9] for row in kept.bases] == [f"C{text[5:7]}TG" for text in LETTERS]
    assert [decode(row)[:4] + decode(row)[9:] for row in kept.bases] == [text[:4] + text[9:] for text in LETTERS]


def test_removal_takes_away_what_a_word_gives() -> None:
    """Sites give way to other bases of the same sequence; random places say what any change does."""
    (motif,) = named(["TGACCTGA"], VOCABULARY)
    rows = inserted(ROWS, at(9, "TGACCTGA"))
    rows.bases[0] = 0  # has no site
    ask = counted("TGACCTGA")
    found = removed(ask, rows, ask(rows), motif, [rows.shuffled(k) for k in range(4)])
    assert found.rows.tolist() == [1, 2, 3, 4, 5]
    assert found.n_sites == 5
    assert found.effect.tolist() == [-1.0] * 5
    assert found.control.mean() > found.effect.mean()
    assert removed(ask, rows.taken(np.array([0])), np.zeros(1), motif, [rows]).rows.size == 0
    assert (places(motif, rows.bases).starts == 9).all()


def test_names_mean_the_vocabulary_then_words_then_matrices(tmp_path: Path) -> None:
    (tmp_path / "m.meme").write_text(MEME)
    several = named(["tata_box-", "GGATCC", "sure"], VOCABULARY, tmp_path / "m.meme")
    assert [decode(words(one, 1)[0]) for one in several] == ["TTTTTATA", "GGATCC", "ACGTAC"]
    assert decode(words(named(["e_box"], VOCABULARY)[0], 1)[0]) == "CANNTG"
    drawn = {decode(word) for word in words(named(["tata_box"], VOCABULARY)[0], 60, seed=1)}
    assert len(drawn) > 4
    assert all(word.startswith("TATA") for word in drawn)
    everything = [motif.name for motif in all_named(VOCABULARY, tmp_path / "m.meme")]
    assert everything == [name for name in VOCABULARY.names if not name.endswith("-") and name not in (
        "none", "cpg_island", "at_rich")]  # the matrix is too short for a p-value of 1e-4
    for asked, message in (
        (["at_rich"], "motifs: expected a motif that has words, got 'at_rich', which is a at_rich; leave it out"),
        (["cpg", "cpg"], "motifs: expected different names, got cpg, cpg; name each once"),
        (["nobody"], "expected a motif 'nobody', got none of this name"),
    ):
        with pytest.raises(ConfigError) as caught:
            named(asked, VOCABULARY, tmp_path / "m.meme")
        assert message in str(caught.value)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("motifs")
    model = classifier()
    checkpoint.save(model, folder / "classes", readout=ClassReadout(labels=("no", "<i>yes")), vocabulary=VOCABULARY)
    (folder / "b.fa").write_text("".join(f">{i}\n{text}\n" for i, text in enumerate(LETTERS)))
    return folder


@pytest.fixture(scope="module")
def model(home: Path) -> Trained:
    return gattn_tg.load(home / "classes")


def test_the_effect_is_the_difference_of_two_predictions(model: Trained) -> None:
    """Log odds with the motif minus log odds without, of sequences changed by hand and annotated anew."""
    found = model.marginalize(LETTERS, "tata_box", strands="+", positions=[5], batch_size=16)
    changed = [text[:5] + "TATAAAAA" + text[13:] for text in LETTERS]
    p, q = (model.predict(texts, batch_size=16).probabilities[:, 1].astype(float) for texts in (changed, LETTERS))
    wanted = np.log(p / (1 - p)) - np.log(q / (1 - q))
    (one,) = found.found
    np.testing.assert_allclose(one.effect.mean, wanted.mean(), atol=2e-5)
    assert wanted.min() < one.effect.low < one.effect.mean < one.effect.high < wanted.max()
    assert (found.target, found.unit, one.n) == ("<i>yes", "nats of log odds", 6)


def test_the_command_fills_a_folder(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "pair"
    command = ["explain", str(home / "classes"), str(home / "b.fa"), "--batch-size", "16"]
    assert main([*command, "--insert", "tata_box,gc_box", "--distances", "0:8:4", "-o", str(out)]) == 0
    assert "6 backgrounds, 12 ways to put motifs in, effects on <i>yes in nats" in capsys.readouterr().out
    assert sorted(p.name for p in out.iterdir()) == ["effects.tsv", "index.html"]
    rows = [line.split("\t") for line in (out / "effects.tsv").read_text().splitlines()]
    assert [row[:4] for row in rows[1:3]] == [["tata_box(+)|gc_box(+)", "middle", "0", "6"],
                                              ["tata_box(+)|gc_box(+)", "middle", "4", "6"]]  # fmt: skip
    page = (out / "index.html").read_text()
    assert page.count("<svg") == 2  # together, and beyond the sum
    assert "<i>yes" not in page
    assert main([*command, "--remove", "e_box,cpg", "-o", str(tmp_path / "less")]) == 0
    table = (tmp_path / "less" / "effects.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in table] == ["motif", "e_box", "cpg"]
    capsys.readouterr()
    for more, message in (
        (["--insert", "cpg", "--remove", "cpg"], "expected --insert or --remove, got both"),
        (["--insert", "cpg", "--method", "gradient"], "--method: expected neither --insert nor --remove with it"),
        (["--insert", "cpg", "--shuffles", "3"], "--shuffles: expected --remove with it"),
        (["--positions", "3"], "--positions: expected --insert with it"),
        (["--insert", "cpg", "--distances", "3"], "expected two motifs for distances, got 1; name two"),
        (["--insert", "cpg", "--positions", "5:1:1"], "expected numbers of bases, as 0,20,40 or 0:100:20, got"),
        (["--insert", "cpg", "--positions", "31"], "expected backgrounds of at least 33 bases for cpg(+), got one of"),
        (["--insert", "cpg", "--target", "x"], "expected as target one of no, <i>yes, got 'x'"),
    ):
        assert main([*command, *more, "-o", str(tmp_path / "none")]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    assert main([*command, "--insert", "cpg", "-o", str(out)]) == 2
    assert "expected a new folder, got one that exists" in capsys.readouterr().err
