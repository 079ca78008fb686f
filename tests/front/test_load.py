"""The front door: a checkpoint of every kind is loaded and asked, and says what the parts under it say."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict

import gattn_tg
from gattn_tg.cli.main import main
from gattn_tg.errors import ConfigError, FormatError, GattnError, MissingExtraError, ShapeError, UnsupportedError
from gattn_tg.explain.attention import distance_bins
from gattn_tg.front.sequences import records_of
from gattn_tg.front.trained import Trained
from gattn_tg.io import Record
from gattn_tg.models import checkpoint
from gattn_tg.models.kinds import KINDS
from gattn_tg.models.readouts.bases import MaskedReadout, NextBaseReadout, SiteReadout
from gattn_tg.models.readouts.readout import Readout
from gattn_tg.models.readouts.sequences import ClassReadout
from gattn_tg.models.readouts.tracks import TrackHead, TrackReadout
from gattn_tg.motif import MotifVocabulary, annotate, causal_ids
from gattn_tg.reference import rope as reference
from gattn_tg.reference.bias import Bias
from gattn_tg.reference.forward import probabilities
from gattn_tg.seq import encode

SIZES: dict[str, Any] = {"width": 32, "n_layers": 1, "n_heads": 2, "mlp_ratio": 1, "dropout": 0.0}
VOCABULARY = MotifVocabulary.default()
HEAD = TrackHead(head="human", tracks=("a", "b"), scale=(1.0, 2.0), soft_clip=1.0, window_bp=96)
MODELS: dict[str, tuple[dict[str, Any], Readout]] = {
    "SequenceClassifier": ({"n_classes": 2, "max_length": 64, **SIZES}, ClassReadout(labels=("no", "yes"))),
    "GenomicGPT": ({"context": 32, **SIZES}, NextBaseReadout(width=32)),
    "MaskedEncoder": ({"k": 3, **SIZES}, MaskedReadout(width=32)),
    "TrackModel": ({"heads": (("human", 2),), "stem_width": 32, "bin_bp": 8, "crop_bp": 32, "composition_bp": (),
                    **SIZES}, TrackReadout(heads=(HEAD,))),
    "PerBaseModel": (SIZES, SiteReadout(window_bp=64, site_bp=2)),
}  # fmt: skip
ONE, TWO = "ACGTATAAAAGNCGCGTTGACATTGCATAACGTTACGGTA", "TTGACATTGCNACGTATAAAAGCCGA"
ALL = list(MODELS)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of every kind with a table that is not zero, and two sequences."""
    folder, rng = tmp_path_factory.mktemp("front"), np.random.default_rng(0)
    (folder / "s.fa").write_text(f">one\n{ONE}\n>two\n{TWO}\n")
    for name, (sizes, readout) in MODELS.items():
        kind = KINDS[name]
        model = kind.model(kind.config.from_dict({**sizes}), seed=1)
        for block in model.blocks:
            block.attention.motif_bias.assign(Tensor(rng.standard_normal(16).astype(np.float32))).realize()
        (folder / name).mkdir()
        (folder / name / "run.json").write_text("{}")
        checkpoint.save(model, folder / name / "best", readout=readout, vocabulary=VOCABULARY)
    return folder


@pytest.fixture(scope="module")
def models(home: Path) -> dict[str, Trained]:
    return {name: gattn_tg.load(home / name) for name in MODELS}


@pytest.mark.parametrize("name", ALL)
def test_a_run_or_its_best_weights_are_loaded(home: Path, models: dict[str, Trained], name: str) -> None:
    model = models[name]
    assert (model.kind, model.folder, model.readout) == (name, home / name / "best", MODELS[name][1])
    assert gattn_tg.load(str(home / name / "best")).folder == model.folder
    assert name in repr(model)
    assert f"{model.n_parameters:,} parameters" in repr(model)


@pytest.mark.parametrize("name", ALL)
def test_predictions_are_those_of_the_command(
    home: Path, models: dict[str, Trained], name: str, tmp_path: Path
) -> None:
    found = models[name].predict(home / "s.fa")
    out = tmp_path / ("x.npz" if name in ("TrackModel", "PerBaseModel") else "x.tsv")
    assert main(["predict", str(home / name), str(home / "s.fa"), "-o", str(out), "--json"]) == 0
    if out.suffix == ".npz":
        found.to_npz(tmp_path / "y.npz")
        one, other = np.load(out), np.load(tmp_path / "y.npz")
        for key in ("intervals", "tracks", "ends", "values"):
            np.testing.assert_array_equal(one[key], other[key])
    else:
        found.to_tsv(tmp_path / "y.tsv")
        assert out.read_text() == (tmp_path / "y.tsv").read_text()
        assert out.read_text().split("\n")[0].split("\t") == found.header
    shown = repr(found)
    assert shown.startswith(type(found).__name__)
    assert len(shown.split("\n")) <= 8


def test_sequences_come_as_users_have_them(home: Path, models: dict[str, Trained]) -> None:
    model = models["SequenceClassifier"]
    expected = model.predict([ONE, TWO]).probabilities
    records = list(records_of(home / "s.fa"))
    width = max(len(ONE), len(TWO))
    rows = np.full((2, width), 4, np.uint8)
    rows[0, : len(ONE)] = encode(ONE)
    given: tuple[Any, ...] = (
        str(home / "s.fa"), [ONE.lower(), TWO.encode()], records, iter(records), [encode(ONE), encode(TWO)],
        (encode(x).astype(np.int64) for x in (ONE, TWO)), np.array([ONE, TWO]), np.array([ONE, TWO.encode()], object),
    )  # fmt: skip
    for sequences in given:
        np.testing.assert_array_equal(model.predict(sequences).probabilities, expected)
    for alone in (ONE, records[0], encode(ONE), rows[:1, : len(ONE)]):
        np.testing.assert_allclose(model.predict(alone).probabilities, expected[:1], atol=1e-6)
    assert model.predict(home / "s.fa").names == ("one", "two")
    assert model.predict([ONE, TWO]).names == ("sequence_1", "sequence_2")


def test_what_may_be_a_sequence_or_a_file_is_not_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert [r.sequence for r in records_of("data")] == [b"data"]  # D A T A are IUPAC letters
    Path("data").write_text(">x\nACGT\n")
    with pytest.raises(ConfigError, match="got 'data', which is both here; give Path"):
        list(records_of("data"))
    assert [r.sequence for r in records_of(Path("data"))] == [b"ACGT"]
    assert [r.sequence for r in records_of(["data"])] == [b"data"]


@pytest.mark.parametrize(("given", "error", "text"), [
    ("", FormatError, "sequence_1: expected at least one base, got none"),
    ([], ConfigError, "expected at least one, got none"),
    (["ACGT", ""], FormatError, "sequence_2: expected at least one base"),
    ("no/such.fa", FormatError, "no/such.fa"),
    (["ACGJ"], FormatError, "nucleotide letters"),
    ([7], ConfigError, "sequence_1: expected letters, a Record or an array"),
    (7, ConfigError, "got int"),
    (np.zeros(3), ShapeError, "sequence_1: expected base ids"),
    (np.zeros((1, 2, 3), np.uint8), ShapeError, "sequence_1: expected base ids"),
    (np.array([9], np.uint8), FormatError, "base ids 0..4"),
    ({"a": "ACGT"}, ConfigError, "expected letters, a path, records or arrays of base ids, got dict"),
    ({"ACGT", "ACGA"}, ConfigError, "expected letters, a path, records or arrays of base ids, got set"),
    ([bytearray(b"ACGT")], ConfigError, "sequence_1: expected letters, a Record or an array"),
])  # fmt: skip
def test_what_is_no_sequence_is_refused(given: Any, error: type[GattnError], text: str) -> None:
    with pytest.raises(error, match=text):
        list(records_of(given))


def test_a_wide_result_is_shown_in_lines_of_a_terminal(models: dict[str, Trained]) -> None:
    found = models["SequenceClassifier"].embed(ONE)
    assert len(found.header) > 30
    first, header, *rows = repr(found).split("\n")
    assert first.startswith("Embedding: 1 sequence, 32 channels")
    assert header.split()[:3] == ["name", "start", "x0"]
    assert header.endswith("...")
    assert max(map(len, [header, *rows])) <= 120


def test_a_table_is_not_taken_for_the_letters_of_its_columns() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is absent")
    table = pandas.DataFrame({"dna": ["ACGT", "TTGA"]})  # D N A are IUPAC letters
    with pytest.raises(ConfigError, match="records or arrays of base ids, got DataFrame"):
        list(records_of(table))
    assert [r.sequence for r in records_of(table["dna"])] == [b"ACGT", b"TTGA"]


def test_a_record_holds_letters() -> None:
    with pytest.raises(FormatError, match="record 'a': expected letters as text or bytes, got int; convert it"):
        Record("a", 12)  # type: ignore[arg-type]


@pytest.mark.parametrize("batch_size", [0, -1, 1.5, "4"])
@pytest.mark.parametrize("name", ALL)
def test_batches_of_no_rows_are_refused_and_do_not_give_no_answers(
    models: dict[str, Trained], name: str, batch_size: Any
) -> None:
    for method in (models[name].predict, models[name].embed):
        with pytest.raises(ConfigError, match=r"^batch_size: expected a whole number of at least 1, got"):
            method(ONE, batch_size=batch_size)


@pytest.mark.parametrize("name", ["TrackModel", "PerBaseModel"])
def test_two_sequences_of_one_name_have_no_places(models: dict[str, Trained], name: str) -> None:
    with pytest.raises(ConfigError, match="expected a name of its own for every sequence, got 'a' again; rename one"):
        models[name].predict([Record("a", ONE), Record("a", TWO)])


@pytest.mark.parametrize("options", [
    {"temperature": float("nan")}, {"temperature": -1.0}, {"temperature": "1"}, {"length": 0}, {"length": 2.5},
    {"top_k": 5}, {"top_k": 2.5}, {"seed": -1}, {"seed": 1.5}, {"n": 0},
])  # fmt: skip
def test_options_of_generation_out_of_their_range_are_refused(
    models: dict[str, Trained], options: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match=r"^generate: expected at least one prompt, length >= 1, temperature >= 0"):
        models["GenomicGPT"].generate("ACG", **{"length": 3, **options})


@pytest.mark.parametrize("prompt", [
    np.array([0.0, 1.0]), np.array([-1]), np.array([5]), np.array([[0, 1]]), np.array(["ACG"]), None, Path("x.fa"),
])  # fmt: skip
def test_prompts_that_are_no_base_ids_are_refused(models: dict[str, Trained], prompt: Any) -> None:
    with pytest.raises(ShapeError, match=r"^generate: expected prompts of base ids 0\.\.4, one axis each, got"):
        models["GenomicGPT"].generate(prompt, length=3)


def test_a_prompt_may_be_bytes(models: dict[str, Trained]) -> None:
    found = [models["GenomicGPT"].generate(prompt, length=3) for prompt in ("ACG", b"ACG", encode("ACG"))]
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("name", ALL)
def test_embeddings_have_a_vector_for_every_token(models: dict[str, Trained], name: str) -> None:
    model = models[name]
    found = model.embed([ONE, TWO])
    bp = model.config.token_bp
    assert [x.shape for x in found.vectors] == [(-(-len(x) // bp), 32) for x in (ONE, TWO)]
    np.testing.assert_allclose(found.vectors[0].mean(-1), 0, atol=1e-5)  # the last norm
    assert found.means.shape == (2, 32)


def test_a_causal_model_embeds_what_it_predicts_from(models: dict[str, Trained]) -> None:
    """The head of the vector of base i gives what the model says of base i + 1."""
    model = models["GenomicGPT"]
    vectors = model.embed(ONE).vectors[0]
    logits = model.model.to_bases(Tensor(vectors)).numpy()
    log2_p = (logits - np.log(np.exp(logits).sum(1, keepdims=True))) / np.log(2)
    np.testing.assert_allclose(log2_p[:-1], model.predict(ONE).log2_probabilities[0][1:], atol=1e-4)


@pytest.mark.parametrize("name", ["SequenceClassifier", "GenomicGPT", "TrackModel"])
def test_motif_attention_is_that_of_the_reference(models: dict[str, Trained], name: str) -> None:
    """Shares, received attention and distances from the whole map in float64, computed from q and k of the model."""
    model = models[name]
    found = model.motif_attention(ONE)
    skip, causal = int(model.model.is_causal), model.model.is_causal
    ids = np.concatenate([np.full(skip, 4, np.uint8), encode(ONE)])[None]
    motifs = (causal_ids if causal else annotate)(ids, VOCABULARY)
    x, tokens = model.model.tokens(Tensor(ids), Tensor(motifs), Tensor(np.array([ids.shape[1]], np.int32)))
    layer = model.model.blocks[0].attention
    q, k, _ = layer.heads(model.model.blocks[0].attention_norm(x))
    n, at = q.shape[2], tokens.numpy()[0]
    bias = Bias.key(layer.motif_bias.numpy(), at[None], at[None])
    whole, _ = probabilities(q.numpy(), k.numpy(), bias, reference.Rope(), is_causal=layer.config.is_causal,
                             window_size=layer.config.window_size)
    p = whole[0, :, skip:]
    for motif in range(VOCABULARY.n_motifs):
        np.testing.assert_allclose(found.share[0, :, motif], p[:, :, at == motif].sum(2).mean(1), atol=1e-5)
    np.testing.assert_allclose(found.received[0], p.mean(1)[:, skip:], atol=1e-5)
    far = np.abs(np.arange(skip, n)[:, None] - np.arange(n))
    edges = [*distance_bins(n), n]
    for i, (low, high) in enumerate(itertools.pairwise(edges)):
        inside = (far >= low) & (far < high)
        np.testing.assert_allclose(found.distances[0, :, i], (p * inside).sum(2).mean(1), atol=1e-5)
    assert found.motifs == VOCABULARY.names
    np.testing.assert_allclose(found.frequency.sum(), 1)
    assert len(list(found.rows())) == 2 * VOCABULARY.n_motifs


def test_motif_tables_are_centred(models: dict[str, Trained]) -> None:
    found = models["SequenceClassifier"].motif_table()
    assert list(found.tables) == ["blocks.0"]
    np.testing.assert_allclose(found.tables["blocks.0"].mean(), 0, atol=1e-6)
    rows = list(found.rows())
    assert [row[3] for row in rows] == list(VOCABULARY.names)


def test_places_of_a_genome(home: Path, models: dict[str, Trained], tmp_path: Path) -> None:
    model = models["TrackModel"]
    whole = model.along(home / "s.fa")
    assert [str(i) for i in whole.intervals] == ["one:0-40", "two:0-26"]
    some = model.along(str(home / "s.fa"), "one:0-32", tracks=["b"])
    np.testing.assert_allclose(some.values[0], whole.values[0][:4, 1:], rtol=1e-6)
    assert some.header == ["chrom", "start", "end", "b"]
    assert next(iter(some.rows()))[:3] == ["one", 0, 8]
    pytest.importorskip("pybigtools", reason="pybigtools is absent (extra genomics)")
    some.to_bigwig(tmp_path / "b.bw")
    whole.to_bigwig(tmp_path / "all")
    assert sorted(p.name for p in (tmp_path / "all").iterdir()) == ["a.bw", "b.bw"]
    with pytest.raises(ConfigError, match="one track for one BigWig file"):
        whole.to_bigwig(tmp_path / "c.bw")
    with pytest.raises(GattnError, match="expected a new folder"):
        whole.to_bigwig(tmp_path / "all")


def test_a_large_genome_is_read_around_its_places(
    home: Path, models: dict[str, Trained], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyfaidx", reason="pyfaidx is absent (extra genomics)")
    (tmp_path / "g.fa").write_bytes((home / "s.fa").read_bytes())
    expected = models["TrackModel"].along(tmp_path / "g.fa", ["one:8-24", "two:0-8"])
    monkeypatch.setattr("gattn_tg.score.along.IN_MEMORY_BYTES", 1)
    found = models["TrackModel"].along(tmp_path / "g.fa", ["one:8-24", "two:0-8"])
    assert found.intervals == expected.intervals
    assert dict(found.sizes) == dict(expected.sizes) == {"one": 40, "two": 26}
    for one, other in zip(found.values, expected.values, strict=True):
        np.testing.assert_array_equal(one, other)


def test_new_sequences(home: Path, models: dict[str, Trained], capsys: pytest.CaptureFixture[str]) -> None:
    found = models["GenomicGPT"].generate("ACG", n=2, length=5, seed=3)
    assert found.prompts == ("ACG", "ACG")
    assert [len(x) for x in found.sequences] == [5, 5]
    command = ["generate", str(home / "GenomicGPT"), "--prompt", "ACG", "--n", "2", "--length", "5", "--seed", "3"]
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines() == list(found.fasta())


def test_hidden_bases_are_named(models: dict[str, Trained]) -> None:
    found = models["MaskedEncoder"].predict([ONE, "ACGT", TWO])
    assert found.names == ("sequence_1", "sequence_3")
    assert found.positions.tolist() == [ONE.index("N"), TWO.index("N")]
    np.testing.assert_allclose(found.probabilities.sum(1), 1, atol=1e-6)


def test_surprise_of_each_base(models: dict[str, Trained]) -> None:
    found = models["GenomicGPT"].predict([ONE, TWO])
    bits, log2_p = found.bits[0], found.log2_probabilities[0]
    np.testing.assert_allclose(np.exp2(log2_p).sum(1), 1, atol=1e-5)
    assert np.isnan(bits[ONE.index("N")])
    assert bits[0] == -log2_p[0, 0]
    np.testing.assert_allclose(found.bits_per_base[0], np.nanmean(bits), rtol=1e-6)


@pytest.mark.parametrize(("name", "method", "arguments"), [
    ("SequenceClassifier", "generate", ()),
    ("GenomicGPT", "along", ("g.fa",)), ("MaskedEncoder", "generate", ()), ("TrackModel", "generate", ()),
])  # fmt: skip
def test_what_a_kind_cannot_do_is_refused_with_the_reason(
    models: dict[str, Trained], name: str, method: str, arguments: tuple[Any, ...]
) -> None:
    with pytest.raises(UnsupportedError, match=f"^{method}: a {name} cannot: "):
        getattr(models[name], method)(*arguments)


def test_filters_and_words_are_kept_and_filters_have_no_motif_ids(tmp_path: Path) -> None:
    sizes = {**MODELS["SequenceClassifier"][0], "kmers": 2, "kmer_gaps": 1, "filters": 3, "filter_width": 5}
    made = KINDS["SequenceClassifier"].model(KINDS["SequenceClassifier"].config.from_dict(sizes), seed=1)
    made.kmers.weight.assign(Tensor(np.random.default_rng(0).random(made.kmers.weight.shape, np.float32))).realize()
    checkpoint.save(made, tmp_path / "c", readout=ClassReadout(labels=("no", "yes")), vocabulary=VOCABULARY)
    model = gattn_tg.load(tmp_path / "c")
    for name, x in get_state_dict(made).items():
        np.testing.assert_array_equal(get_state_dict(model.model)[name].numpy(), x.numpy(), err_msg=name)
    with pytest.raises(UnsupportedError, match=r"^motif_table: a SequenceClassifier cannot: its motifs"):
        model.motif_table()
    with pytest.raises(UnsupportedError, match=r"^motif_attention: a SequenceClassifier cannot: its motifs"):
        model.motif_attention(ONE)


def test_more_than_the_model_can_read_is_refused(models: dict[str, Trained]) -> None:
    model = models["SequenceClassifier"]
    for method in (model.predict, model.embed, model.motif_attention):
        with pytest.raises(FormatError, match=r"64"):
            method("A" * 65)
    with pytest.raises(ConfigError, match="motif_attention: expected one sequence, got 2"):
        model.motif_attention([ONE, TWO])


def test_evaluation_of_a_table(
    home: Path, models: dict[str, Trained], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.csv").write_text(f"sequence,label\n{ONE},no\n{TWO},yes\n")
    found = models["SequenceClassifier"].evaluate(tmp_path / "t.csv")
    assert found.confusion is not None
    assert found.confusion.sum() == 2
    assert main(["evaluate", str(home / "SequenceClassifier"), str(tmp_path / "t.csv"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["labels"] == ["no", "yes"]
    assert {key: told[key] for key in found.metrics["data"] or {}} == found.metrics["data"]


def test_folders_without_a_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="got no such folder"):
        gattn_tg.load(tmp_path / "none")
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(FormatError, match="expected a run with best/, got one without"):
        gattn_tg.load(tmp_path)


def test_data_frames_need_pandas(models: dict[str, Trained], monkeypatch: pytest.MonkeyPatch) -> None:
    found = models["SequenceClassifier"].motif_table()
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(MissingExtraError, match="expected pandas, got a Python without it; pip install pandas"):
        found.to_dataframe()
    monkeypatch.undo()
    pandas = pytest.importorskip("pandas", reason="pandas is absent")
    frame = found.to_dataframe()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == found.header


def test_bfloat16_answers_as_float32_does_to_three_digits(home: Path, tmp_path: Path) -> None:
    """In Python and on the command line, for answers and for contributions of bases."""
    folder = str(home / "SequenceClassifier")
    wide, narrow = (gattn_tg.load(folder, "CPU", precision) for precision in ("float32", "bfloat16"))
    answers = [model.predict([ONE, TWO]).probabilities for model in (wide, narrow)]
    assert 0 < np.abs(answers[1] - answers[0]).max() < 1e-2
    found = [model.explain([TWO], method="gradient").attributions[0].contributions for model in (wide, narrow)]
    assert np.abs(found[1] - found[0]).max() <= 5e-2 * np.abs(found[0]).max()
    command = ["predict", folder, str(home / "s.fa"), "-o", str(tmp_path / "a.tsv"), "--precision", "bfloat16"]
    assert main([*command, "--device", "CPU"]) == 0
    told = np.array([line.split("\t")[-1] for line in (tmp_path / "a.tsv").read_text().splitlines()[1:]], float)
    np.testing.assert_allclose(told, answers[1][:, -1], atol=1e-5)
    with pytest.raises(ConfigError, match="load precision: expected one of float32, bfloat16, got 'half'"):
        gattn_tg.load(folder, precision="half")  # type: ignore[arg-type]
