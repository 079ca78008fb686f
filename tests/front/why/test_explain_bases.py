# ruff: noqa: E501 - error texts stand whole, as users meet them
"""Why a language model predicts a base, and why a model along the genome gives counts: beside answers asked one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinygrad import Tensor

import gattn_tg
from gattn_tg.cli.main import main
from gattn_tg.errors import ConfigError, CoordinateError, FormatError, UnsupportedError
from gattn_tg.explain.attribution.along import TrackTarget
from gattn_tg.explain.attribution.gradients import Gradients
from gattn_tg.explain.drawings.stretches import letters_drawn, strongest
from gattn_tg.front.trained import Trained
from gattn_tg.io import BigWig
from gattn_tg.models import checkpoint
from gattn_tg.models.bases import PerBaseConfig, PerBaseModel
from gattn_tg.models.encoder import EncoderConfig, MaskedEncoder
from gattn_tg.models.gpt import GenomicGPT, GPTConfig
from gattn_tg.models.readouts.bases import MaskedReadout, NextBaseReadout, SiteReadout
from gattn_tg.models.readouts.tracks import TrackReadout
from gattn_tg.models.tracks import TrackConfig, TrackModel
from gattn_tg.motif import MotifVocabulary, annotate
from gattn_tg.seq import encode

VOCABULARY = MotifVocabulary.default()
SIZES: dict[str, Any] = {"width": 32, "n_layers": 1, "n_heads": 2, "mlp_ratio": 1, "dropout": 0.0}
SEQUENCE = "ACGTATAAAAGGCGCGTTGACATTGCATAACG"
WINDOW, CROP, BIN = 96, 32, 8
GENOME = "TTGACGTATAAAAGCAACGGGCGGTACATTGC" * 5
SMALL: dict[str, Any] = {"attention": False, "batch_size": 16}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("why"), np.random.default_rng(0)

    def save(name: str, model: Any, readout: Any, head: Any) -> None:
        head.weight.assign(Tensor((0.3 * rng.standard_normal(head.weight.shape)).astype(np.float32))).realize()
        table = model.blocks[0].attention.motif_bias
        table.assign(Tensor(rng.standard_normal(table.shape).astype(np.float32))).realize()
        checkpoint.save(model, folder / name, readout=readout, vocabulary=VOCABULARY)

    for name, words in (("gpt", ()), ("words", (2,))):
        gpt = GenomicGPT(GPTConfig(**SIZES, words=words, motif="key", context=16))
        save(name, gpt, NextBaseReadout(width=32), gpt.to_bases)
    encoder = MaskedEncoder(EncoderConfig(**{**SIZES, "k": 2, "stem_kernel": 3}))
    save("encoder", encoder, MaskedReadout(width=32), encoder.to_words)
    tracks = TrackModel(TrackConfig(heads=(("human", 2),), stem_width=32, bin_bp=BIN, crop_bp=CROP,
                                    composition_bp=(8, 24), **SIZES), seed=1)  # fmt: skip
    about = {"head": "human", "tracks": ["a+", "a-"], "assays": ["x", "x"], "pairs": [1, 0], "scale": [2.0, 3.0],
             "soft_clip": 1.0, "window_bp": WINDOW}  # fmt: skip
    save("tracks", tracks, TrackReadout.from_about(about), tracks.heads["human"])
    sites = PerBaseModel(PerBaseConfig(**SIZES), seed=1)
    save("sites", sites, SiteReadout(window_bp=WINDOW, site_bp=2), sites.head)
    (folder / "g.fa").write_text(f">chr1\n{GENOME}\n")
    return folder


def mutants(sequence: str, places: range) -> list[tuple[int, int, str]]:
    return [(i, b, sequence[:i] + "ACGT"[b] + sequence[i + 1 :]) for i in places for b in range(4)]


def odds(p: np.ndarray, base: int) -> float:
    return float(np.log(p[base] / (p.sum() - p[base])))


def test_earlier_bases_that_a_prediction_rests_on(home: Path) -> None:
    """Every mutant asked by `predict`: the log odds of the base that is there, given only those before it."""
    model, at = gattn_tg.load(home / "words"), 20
    found = model.explain(SEQUENCE, at=at, **SMALL)
    assert found.targets == (f"{SEQUENCE[at]} at 20",)
    one = found.attributions[0]
    assert len(one.contributions) == at
    changed = mutants(SEQUENCE, range(at))
    log2_p = model.predict([row for *_, row in changed], batch_size=16).log2_probabilities
    base = "ACGT".index(SEQUENCE[at])
    wanted = np.array([odds(np.exp2(x[at].astype(np.float64)), base) for x in log2_p]).reshape(at, 4)
    np.testing.assert_allclose(one.hypothetical, wanted - wanted.mean(1, keepdims=True), atol=2e-5)
    assert np.abs(wanted - one.answer).max() > 1e-2
    last = model.explain(SEQUENCE, target="T", stretch=(0, 2), **SMALL)
    assert last.targets == (f"T at {len(SEQUENCE) - 1}",)


def test_gradients_of_a_language_model_add_up_where_it_reads_no_words(home: Path) -> None:
    found = gattn_tg.load(home / "gpt").explain(SEQUENCE, method="integrated", at=20, **SMALL).attributions[0]
    assert found.residual < 0.01
    assert np.abs(found.by_motif).max() > 0
    with pytest.raises(UnsupportedError, match="words of 2 bases: expected ids of bases, got weights over them"):
        gattn_tg.load(home / "words").explain(SEQUENCE, method="gradient", **SMALL)


def test_all_other_bases_that_a_hidden_one_rests_on(home: Path) -> None:
    model, at = gattn_tg.load(home / "encoder"), 9
    one = model.explain(SEQUENCE, at=at, **SMALL).attributions[0]
    hidden = SEQUENCE[:at] + "N" + SEQUENCE[at + 1 :]
    base = "ACGT".index(SEQUENCE[at])
    changed = [x for x in mutants(hidden, range(len(SEQUENCE))) if x[0] != at]
    p = model.predict([row for *_, row in changed]).probabilities
    wanted = np.array([odds(x.astype(np.float64), base) for x in p]).reshape(-1, 4)
    others = np.arange(len(SEQUENCE)) != at
    np.testing.assert_allclose(one.hypothetical[others], wanted - wanted.mean(1, keepdims=True), atol=2e-5)
    assert one.contributions[at] == 0
    assert not one.hypothetical[at].any()  # a base put there would be no hidden one
    assert model.explain(SEQUENCE, stretch=(0, 2), **SMALL).targets[0].endswith(" at 16")


def counts(model: Any, rows: list[str]) -> np.ndarray:
    """Counts of both tracks in all bins of padded windows."""
    wide = np.stack([np.pad(encode(row), (0, WINDOW - len(row)), constant_values=4) for row in rows])
    rates = model(Tensor(wide), Tensor(annotate(wide, VOCABULARY))).numpy().astype(np.float64)
    found: np.ndarray = np.where(rates > 1, (rates + 1) ** 2 / 4, rates) * [2.0, 3.0]
    return found


def test_bases_that_counts_of_bins_rest_on(home: Path) -> None:
    """Mutants asked one by one; gradients beside finite differences; and gradients along a way add up."""
    model, row, at = gattn_tg.load(home / "tracks"), GENOME[:90], (40, 56)
    found = model.explain(row, method="mutagenesis", target="a-", at=at, stretch=(44, 50), **SMALL)
    one = found.attributions[0]
    assert (found.unit, found.targets) == ("counts", ("a-, bases 40 to 56",))
    bins = slice(1, 3)
    changed = mutants(row, range(44, 50))
    answer, *sums = counts(model.model, [row, *(x for *_, x in changed)])[:, bins, 1].sum(1)
    wanted = np.array(sums).reshape(-1, 4)
    np.testing.assert_allclose(one.hypothetical[44:50], wanted - wanted.mean(1, keepdims=True), atol=2e-5)
    np.testing.assert_allclose(one.answer, answer, rtol=1e-5)
    assert not one.contributions[:44].any()
    assert not one.contributions[50:].any()

    whole = model.explain(row, **SMALL)  # all tracks and bins
    assert (whole.method, whole.targets) == ("gradient", ("sum of 2 tracks",))
    ask: Gradients = model.asked.held(("gradients", (TrackTarget, None, 16)), lambda: None)
    bases = np.pad(encode(row), (0, WINDOW - len(row)), constant_values=4)
    start, all_of_it = ask.of(bases[None], annotate(bases, VOCABULARY)[None]), np.ones((1, 8))
    told, step = [np.array([len(row)])], 0.02
    slopes = ask(start, told, all_of_it)[1].bases[0]
    strong = np.stack(np.unravel_index(np.argsort(-np.abs(slopes[:, :4]).ravel())[:8], (WINDOW, 4)), axis=1)
    moved = np.repeat(start.bases, 16, axis=0)
    for k, (i, b) in enumerate(strong):
        moved[2 * k, i, b] += step
        moved[2 * k + 1, i, b] -= step
    ends = ask(start._replace(bases=moved, motifs=np.repeat(start.motifs, 16, 0)), [np.repeat(told[0], 16)],
               np.repeat(all_of_it, 16, 0))[0].astype(np.float64).reshape(8, 2)  # fmt: skip
    np.testing.assert_allclose((ends[:, 0] - ends[:, 1]) / (2 * step), slopes[strong[:, 0], strong[:, 1]], rtol=0.02)
    np.testing.assert_allclose(whole.attributions[0].hypothetical,
                               slopes[:90, :4] - slopes[:90, :4].mean(1, keepdims=True), atol=1e-5)  # fmt: skip
    along = model.explain(row, method="expected", at=at, steps=128, references=2, **SMALL).attributions[0]
    assert along.residual < 0.01


def test_a_place_of_a_genome_is_explained_by_the_window_around_it(home: Path, tmp_path: Path) -> None:
    """Also at the start of a contig, where the window reaches over it; files hold what lies inside."""
    pytest.importorskip("pybigtools")
    model = gattn_tg.load(home / "tracks")
    found = model.explain(home / "g.fa", "chr1:8-24", **SMALL)
    window = "N" * 32 + GENOME[:64]
    alone = model.explain(window, at=(40, 56), **SMALL)
    assert found.targets == alone.targets
    np.testing.assert_allclose(found.attributions[0].contributions, alone.attributions[0].contributions, atol=1e-6)
    found.write(tmp_path / "why")
    with BigWig(tmp_path / "why" / "contributions.bw") as file:
        values = file.values(gattn_tg.Interval("chr1", 0, 64))
    np.testing.assert_allclose(values, found.attributions[0].contributions[32:], rtol=1e-3, atol=1e-6)
    with pytest.raises(CoordinateError, match="expected for BigWig intervals that do not overlap"):
        model.explain(home / "g.fa", ["chr1:8-24", "chr1:40-56"], **SMALL)


def test_sites_are_explained_base_by_base(home: Path) -> None:
    model = gattn_tg.load(home / "sites")
    found = model.explain(GENOME[:WINDOW], at=50, method="mutagenesis", stretch=(50, 51), **SMALL)
    bases = encode(GENOME[:WINDOW])[None]
    logits = model.model(Tensor(bases), Tensor(annotate(bases, VOCABULARY))).numpy()
    np.testing.assert_allclose(found.attributions[0].answer, logits[0, 50, 0], atol=1e-5)
    assert found.targets == ("probability, bases 50 to 51",)


def test_the_command_explains_tracks(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "s.fa").write_text(f">s\n{GENOME[:WINDOW]}\n")
    command = ["explain", str(home / "tracks"), str(tmp_path / "s.fa"), "-o", str(tmp_path / "why"), "--target", "a+"]
    assert main([*command, "--at", "40-56", "--batch-size", "16"]) == 0
    assert "1 sequence by gradient, in counts" in capsys.readouterr().out
    assert "a+, bases 40 to 56" in (tmp_path / "why" / "index.html").read_text()
    assert main([*command, "--at", "x"]) == 2
    assert "expected a base or START-END, counted from 0, got 'x'" in capsys.readouterr().err


def test_what_has_no_answer_is_said(home: Path) -> None:
    models: dict[str, Trained] = {name: gattn_tg.load(home / name) for name in ("gpt", "encoder", "tracks")}
    for error, message, name, sequence, options in (
        (FormatError, "sequence_1: expected a base in front of the one that is predicted, got none", "gpt", "A", {}),
        (FormatError, "sequence_1: expected a known base where one is asked for, got N", "encoder", "ACNGT", {}),
        (ConfigError, "explain: expected a base of sequence_1, which has 4, got 9", "gpt", "ACGT", {"at": 9}),
        (ConfigError, "explain: expected one base for a language model, got 0 to 2", "gpt", "ACGT", {"at": (0, 2)}),
        (ConfigError, "explain: expected as target one of A, C, G, T, got 'U'", "gpt", "ACGT", {"target": "U"}),
        (ConfigError, "explain: expected as target one of a+, a-, got 'b'", "tracks", "ACGT", {"target": "b"}),
        (ConfigError, "explain: expected no head for a GenomicGPT, got 'human'", "gpt", "ACGT", {"head": "human"}),
        (ConfigError, "explain: expected bases of sequence_1, which has 4, got 9", "tracks", "ACGT", {"at": (0, 9)}),
        (FormatError, "sequence_1: expected bases that get a value, got 0 to 4; the 32 at both ends", "tracks", "ACGT", {}),
    ):  # fmt: skip
        with pytest.raises(error) as caught:
            models[name].explain([sequence], **options)
        assert message in str(caught.value)


def test_letters_of_a_long_sequence_are_drawn_where_it_gives_most() -> None:
    contributions = np.zeros(2000)
    contributions[[150, 1200, 1850]] = 1.0, -3.0, 2.0
    assert [start <= at < end for (start, end), at in zip(strongest(contributions), (150, 1200, 1850), strict=True)] == [True] * 3
    drawn, _ = letters_drawn("A" * 2000, contributions, [], "why", "nats")
    assert drawn.count("<svg") == 4
    assert "A at 1201: -3 nats" in drawn
