"""Models of other projects, imported and asked: everything comes back per base, and is what the original computes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from foreign import FORMS, LAYERS, PLACES
from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict

import gattn_tg
from gattn_tg.cli.main import main
from gattn_tg.front.importing import import_model
from gattn_tg.front.trained import Trained
from gattn_tg.io import Record
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
    assert f"x: expected at most {PLACES} bases, which the model was made for, got 80" in capsys.readouterr().err
    assert not (tmp_path / "x.npz").exists()
