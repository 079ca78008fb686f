"""Models of other projects, imported and asked: everything comes back per base, and is what the original computes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from foreign import FORMS, LAYERS, PLACES
from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict

import gattn_tg
from gattn_tg.cli.main import main
from gattn_tg.errors import UnsupportedError
from gattn_tg.front.importing import import_model
from gattn_tg.front.trained import Trained
from gattn_tg.io import Record
from gattn_tg.models import checkpoint
from gattn_tg.models.encoder import EncoderConfig, MaskedEncoder
from gattn_tg.models.imported.classifier import ImportedClassifier
from gattn_tg.models.imported.config import ImportedClassifierConfig
from gattn_tg.models.imported.encoder import ImportedEncoder
from gattn_tg.models.imported.reading import imported
from gattn_tg.models.imported.writing import written
from gattn_tg.models.readouts.bases import MaskedReadout
from gattn_tg.models.readouts.sequences import ClassReadout
from gattn_tg.training.keep.state import restore, snapshot

RNG = np.random.default_rng(4)
ONE = "".join(RNG.choice(list("ACGT"), 31)) + "TATAAAAGCG"
TWO = ONE[:20] + "N" + ONE[21:26]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("imports")
    for name, form in FORMS.items():
        form.write(folder / f"{name}_files")
        import_model(folder / f"{name}_files", folder / name)
    (folder / "s.fa").write_text(f">one\n{ONE}\n>two\n{TWO}\n")
    return folder


@pytest.fixture(scope="module")
def models(home: Path) -> dict[str, Trained]:
    return {name: gattn_tg.load(home / name) for name in FORMS}


@pytest.mark.parametrize("name", ["nt2", "mosaic"])
def test_vectors_of_bases_are_those_of_the_words_of_the_original(models: dict[str, Trained], name: str) -> None:
    form = FORMS[name]
    rows = [ONE, TWO, ONE[:9]]
    for row, found in zip(rows, models[name].embed(rows).vectors, strict=True):
        true, _ = form.outputs(form.words(row))
        assert found.shape == (len(row), 32)
        assert np.abs(found - true[form.of_bases(row)]).max() < 3e-6 * np.abs(true).max()


def test_embed_writes_vectors_of_bases_or_means(home: Path, models: dict[str, Trained], tmp_path: Path) -> None:
    true = models["bert"].embed(home / "s.fa")
    assert main(["embed", str(home / "bert"), str(home / "s.fa"), "-o", str(tmp_path / "x.npz")]) == 0
    with np.load(tmp_path / "x.npz") as kept:
        assert kept["names"].tolist() == ["one", "two"]
        assert kept["ends"].tolist() == [0, len(ONE), len(ONE) + len(TWO)]
        assert np.array_equal(kept["vectors"], np.concatenate(true.vectors))
    assert main(["embed", str(home / "bert"), str(home / "s.fa"), "-o", str(tmp_path / "x.tsv"), "--mean"]) == 0
    lines = (tmp_path / "x.tsv").read_text().splitlines()
    assert [line.split("\t")[:2] for line in lines[1:]] == [["one", "0"], ["two", "0"]]
    assert np.allclose([float(x) for x in lines[2].split("\t")[2:]], true.means[1], atol=1e-5)


def test_attention_comes_back_per_base_and_the_rest_of_it_is_what_other_tokens_get(models: dict[str, Trained]) -> None:
    found = models["mosaic"].motif_attention(TWO)
    assert found.received.shape == (LAYERS, 2, len(TWO))
    assert np.allclose(found.share.sum(-1), 1, atol=1e-5)
    rest = 1 - found.received.sum(-1)
    assert (rest > 0).all()
    assert (rest < 0.5).all()


def test_hidden_bases_are_named(models: dict[str, Trained]) -> None:
    found = models["bert"].predict([ONE, TWO])
    assert (found.names, found.positions.tolist()) == (("sequence_2",), [20])
    assert np.allclose(found.probabilities.sum(1), 1, atol=1e-6)


def test_a_motif_table_of_zero_changes_no_bit(models: dict[str, Trained]) -> None:
    """The hidden vectors of an import that has a table, which is zero, are those of the import."""
    original = models["bert"].model
    inputs = models["bert"].asked.inputs([Record("1", ONE), Record("2", TWO), Record("3", TWO)], 64)
    config = type(original.config).from_dict({**json.loads(original.config.to_json()), "motif": "key"})
    with_table = type(original)(config, seed=5)
    mine, weights = get_state_dict(with_table), snapshot(get_state_dict(original))
    Tensor.realize(*mine.values())
    restore({name: mine[name] for name in weights}, weights)
    assert mine.keys() - weights.keys() == {f"blocks.{i}.attention.motif_bias" for i in range(LAYERS)}
    plain, found = (model.hidden(*map(Tensor, inputs)).numpy() for model in (original, with_table))
    assert np.array_equal(found[0], plain[0])
    assert np.array_equal(found[1, : len(TWO)], plain[1, : len(TWO)])


def test_a_head_and_updates_of_low_rank_are_learnt_on_an_import(home: Path, tmp_path: Path) -> None:
    """Sizes and words come from the checkpoint; the answers are learnt; all other weights stay; the run is loaded and
    evaluated."""
    rng = np.random.default_rng(0)
    rows = ["".join(rng.choice(list("ACGT"), 40)) for _ in range(48)]
    rows = [row[:18] + "TATAAA" + row[24:] if i % 2 else row for i, row in enumerate(rows)]
    (tmp_path / "t.csv").write_text("sequence,label\n" + "".join(f"{row},{i % 2}\n" for i, row in enumerate(rows)))
    config = tmp_path / "c.toml"
    config.write_text(
        '[data]\ntrain = "t.csv"\nvalid_fraction = 0.25\n[model]\nkind = "ImportedClassifier"\nmotif = "key"\n'
        'pool = "first"\n[train]\nepochs = 2\nbatch_size = 12\nlearning_rate = 1e-2\nlora_rank = 2\n'
        'warmup_steps = 1\nmotif_rate = 1.0\n'
    )
    run = tmp_path / "run"
    assert main(["finetune", str(home / "bert"), str(config), "-o", str(run)]) == 0
    model = gattn_tg.load(run)
    assert (model.config.width, model.config.n_layers, model.config.motif) == (32, LAYERS, "key")
    before, after = get_state_dict(gattn_tg.load(home / "bert").model), get_state_dict(model.model)
    for name in before.keys() & after.keys():
        change = after[name].numpy().astype(float) - before[name].numpy()
        is_map = name.startswith("blocks.") and change.ndim == 2
        assert (np.linalg.svd(change, compute_uv=False)[[0, 2]] > 1e-5).tolist() == [True, False] if is_map else (
            not change.any()), name
    assert any(np.abs(x).max() > 0 for x in model.motif_table().tables.values())
    assert model.evaluate().outcomes["valid"].truth.shape == (12,)
    of_import = gattn_tg.load(home / "bert").checkpoint.extra
    assert of_import["licence"]
    for learnt in (model.checkpoint, checkpoint.load(next((run / "checkpoints").iterdir()))):
        assert {key: learnt.extra[key] for key in of_import} == of_import, "licence, name and tokens go on"
    again = tmp_path / "again"
    assert main(["finetune", str(run / "best"), str(config), "-o", str(again), "--seed", "5"]) == 0
    assert gattn_tg.load(again).checkpoint.extra["licence"] == of_import["licence"]


def test_import_tells_the_form_and_the_licence_and_replaces_nothing(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "nt")
    assert main(["import", str(home / "nt1_files"), "-o", out, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["longest_bp"], told["layers"]) == (3 * (PLACES - 3), LAYERS)
    assert "non-commercial" in told["licence"]
    assert main(["import", str(home / "nt1_files"), "-o", out]) == 2
    assert "expected a new folder, got one that exists" in capsys.readouterr().err
    (home / "bert_files" / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    assert main(["import", str(home / "bert_files"), "-o", out, "--overwrite"]) == 0
    assert "as their README says: apache-2.0" in capsys.readouterr().out
    assert gattn_tg.load(out).checkpoint.extra["licence"].endswith("apache-2.0")


def test_longer_sequences_than_there_are_positions_for_are_refused(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "long.fa").write_text(f">x\n{'ACGT' * 20}\n")
    assert main(["embed", str(home / "bert"), str(tmp_path / "long.fa"), "-o", str(tmp_path / "x.npz")]) == 2
    assert f"expected sequences of at most {PLACES} bases, got a longer one, 'x'" in capsys.readouterr().err
    assert not (tmp_path / "x.npz").exists()


@pytest.mark.parametrize("name", ["bert", "nt1"])
def test_convert_writes_what_import_reads(
    home: Path, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All weights are the same again; nothing is replaced that is not asked for."""
    folder = tmp_path / "hf"
    call = ["convert", str(home / name), "--to", "hf", "-o", str(folder)]
    assert main([*call, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["architecture"] == {"bert": "BertForMaskedLM", "nt1": "EsmForMaskedLM"}[name]
    assert told["unused"] == []
    before, after = get_state_dict(gattn_tg.load(home / name).model), get_state_dict(imported(folder).model)
    assert before.keys() == after.keys()
    for key, x in before.items():
        assert np.array_equal(x.numpy(), after[key].numpy()), key
    assert (folder / "vocab.txt").read_text().split() == FORMS[name].vocabulary
    assert main(call) == 2
    assert "expected a new folder, got one that exists" in capsys.readouterr().err
    assert main([*call, "--overwrite"]) == 0
    (folder / "mine.txt").write_text("kept")
    assert main([*call, "--overwrite"]) == 2
    assert (folder / "mine.txt").read_text() == "kept"


def test_what_transformers_has_no_class_for_is_not_converted(
    home: Path, models: dict[str, Trained], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(checkpoint_of: Path) -> str:
        assert main(["convert", str(checkpoint_of), "--to", "hf", "-o", str(tmp_path / "hf")]) == 2
        assert not (tmp_path / "hf").exists()
        return capsys.readouterr().err

    assert "got one with words of byte-pair encoding, for which it has no class" in told(home / "mosaic")
    assert "got one with a gate (silu), for which it has no class" in told(home / "nt2")
    config = {**json.loads(models["bert"].config.to_json()), "motif": "key", "n_classes": 2, "max_length": 64}
    model = ImportedClassifier(ImportedClassifierConfig.from_dict(config))
    folder = checkpoint.save(model, tmp_path / "classes", readout=ClassReadout(labels=("a", "b")))
    assert main(["convert", str(folder), "--to", "hf", "-o", str(tmp_path / "encoder")]) == 0
    tables = [f"blocks.{i}.attention.motif_bias" for i in range(LAYERS)]
    assert capsys.readouterr().out.splitlines() == [
        f"left out, as BertModel has no place for them: {', '.join([*tables, 'head.bias', 'head.weight'])}",
        f"BertModel -> {tmp_path / 'encoder'}"]
    model.blocks[1].attention.motif_bias.assign(Tensor.ones(16)).realize()
    checkpoint.save(model, folder, readout=ClassReadout(labels=("a", "b")))
    assert "tables that are zero, or none, got numbers in blocks.1.attention.motif_bias; without" in told(folder)
    odd = dataclasses.replace(models["nt1"].config, first_position=0)
    with pytest.raises(UnsupportedError, match=r"expected first_position from 1 to .* got 0; it has no class for that"):
        written(ImportedEncoder(odd), {})
    config = EncoderConfig(width=8, n_layers=1, n_heads=2)
    folder = checkpoint.save(MaskedEncoder(config), tmp_path / "own", readout=MaskedReadout(width=8))
    assert "got a MaskedEncoder, for which transformers has no class" in told(folder)
