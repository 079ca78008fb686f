"""gattn preprocess: the encoded genome is the genome."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from gattn_tg.cli.main import main
from gattn_tg.data import EncodedGenome
from gattn_tg.io import read_fasta
from gattn_tg.motif import annotate
from gattn_tg.seq import encode


def run(*arguments: object) -> int:
    return main(["preprocess", *map(str, arguments)])


def test_bases_and_motifs(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gattn_tg.motif.stream.PIECE_BP", 3000)
    text = "".join(np.random.default_rng(3).choice(list("ACGTn"), 20_000, p=[0.3, 0.2, 0.2, 0.29, 0.01]))
    (tmp_path / "g.fa.gz").write_bytes(gzip.compress(f">b\n{text}\n>a\n{text[::-1]}\n".encode()))
    assert run(tmp_path / "g.fa.gz", "-o", tmp_path / "g", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["sequences"], told["bases"], told["n_motifs"]) == (2, 40_000, 16)
    genome = EncodedGenome(tmp_path / "g")
    assert genome.sizes == {"b": 20_000, "a": 20_000}
    assert (genome.bases[:20_000] == encode(text)).all()
    assert genome.motif_ids is not None
    assert (genome.motif_ids[20_000:] == annotate(text[::-1])).all()
    assert run(tmp_path / "g.fa.gz", "-o", tmp_path / "g", "--overwrite", "--no-motifs", "--processes", 1) == 0
    assert EncodedGenome(tmp_path / "g").motif_ids is None
    assert capsys.readouterr().out.startswith("40,000 bases of 2 sequences -> ")


def test_e_coli(tmp_path: Path, shared_data: Path) -> None:
    path = shared_data / "genomes" / "ecoli536_NC_008253.fa.gz"
    assert run(path, "-o", tmp_path / "g", "--no-motifs", "--json") == 0
    (record,) = read_fasta(path)
    genome = EncodedGenome(tmp_path / "g")
    assert genome.sizes == {record.name: len(record.sequence)}
    assert isinstance(genome.bases.base, np.memmap)
    assert (genome.bases == encode(record.sequence)).all()


def test_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "g.fa").write_text(">a\nACXX\n")
    for arguments, text in (
        ([tmp_path / "g.fa", "-o", tmp_path / "g"], "g.fa, line 2, column 3: expected nucleotide letters"),
        ([tmp_path / "g.fa", "-o", tmp_path], "a new folder, got one that exists"),
        ([tmp_path / "g.fa", "-o", tmp_path / "g", "--no-motifs", "--vocab", "v"], "either --vocab or --no-motifs"),
        ([tmp_path / "g.fa", "-o", tmp_path / "no" / "g"], "got: no such file or directory; check"),
    ):
        assert run(*arguments) == 2
        said, err = capsys.readouterr()
        assert said == ""
        assert text in err
    assert [path.name for path in tmp_path.iterdir()] == ["g.fa"]
