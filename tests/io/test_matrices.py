# ruff: noqa: E501 - error texts stand whole, as users meet them
"""MEME and JASPAR files, and JASPAR by name."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pytest

from gattn_tg.errors import ConfigError, FormatError, MissingExtraError
from gattn_tg.io import MotifMatrix, jaspar_matrices, read_matrices, select

ARNT = MotifMatrix("MA0004.1", "Arnt", ((4, 16, 0, 0), (19, 0, 1, 0), (0, 20, 0, 0)))
JASPAR = ">MA0004.1\tArnt\nA  [ 4 19 0 ]\nC  [16  0 20 ]\nG  [ 0 1 0 ]\nT  [ 0 0 0 ]\n"
MEME = """MEME version 4

ALPHABET= ACGT

MOTIF MA0004.1 Arnt
letter-probability matrix: alength= 4 w= 3 nsites= 20 E= 0
0.2 0.8 0 0
0.95 0 0.05 0
0 1 0 0
URL x
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.txt"


@pytest.mark.parametrize("text", [JASPAR, MEME, ">MA0004.1 Arnt\n4 19 0\n16 0 20\n0 1 0\n0 0 0\n", "# made by hand\n" + JASPAR])
def test_formats_read_alike(path: Path, text: str) -> None:
    path.write_text(text)
    assert read_matrices(path) == [ARNT]


def test_several_motifs_and_missing_sites(path: Path) -> None:
    path.write_text(MEME.replace(" nsites= 20", "") + "MOTIF two\nletter-probability matrix: w= 1\n0.25 0.25 0.25 0.25\n")
    first, second = read_matrices(path)
    assert first.counts[0] == (20, 80, 0, 0)
    assert second == MotifMatrix("two", "two", ((25, 25, 25, 25),))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": at least one motif is required, but came an empty file; was it written fully?"),
        ("hello", ", line 1: 'MEME version' or '>' is required, but came 'hello'; is this a motif file?"),
        ("MEME version 4\n", ": at least one motif is required, but came none; was the file written fully?"),
        (MEME.replace("ACGT", "ACDEFGHIKLMNPQRSTVWY"), ", line 3: alphabet ACGT is required, but came 'ALPHABET= ACDEFGHIKLMNPQRSTVWY'; use motifs of DNA"),
        (MEME.replace("w= 3", "w= 5"), ", line 6: a MOTIF line, alength= 4 and w= rows of four probabilities are required, but came w=5 with 4 lines after; was the file written fully?"),
        (MEME.replace("w= 3", "w= 4"), ", line 10: count, a number, is required, but came 'URL'; correct it"),
        (MEME.replace("0.2 0.8 0 0", "0.2 0.9 0 0"), ", line 7: probabilities that add up to 1 are required, but came 1.100; correct the row"),
        (MEME.replace("0 1 0 0", "0 1 0"), ", line 9: 4 numbers of at least 0 are required, but came '0 1 0'; correct the matrix"),
        (JASPAR.replace("G  [ 0", "G  [ -1"), ", line 4: 3 numbers of at least 0 are required, but came '-1 1 0'; correct the matrix"),
        (JASPAR.replace("G  [", "T  ["), ", line 4: the counts of G are required, but came those of T; order the lines A, C, G, T"),
        (JASPAR.rsplit("T", 1)[0], ", line 1: '>' with an id, then one line each for A, C, G, T, is required, but came '>MA0004.1\\tArnt' and 3 lines; was the file written fully?"),
        (JASPAR.replace("16", "0").replace("4 19", "0 19"), ", line 1: an observation at each position is required, but motif 'MA0004.1' has one without; correct the matrix"),
    ],
)  # fmt: skip
def test_what_is_refused(path: Path, text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(FormatError) as caught:
        read_matrices(path)
    assert str(caught.value) == f"{path}{message}"


def test_selection(shared_data: Path) -> None:
    matrices = read_matrices(shared_data / "motifs" / "JASPAR2024_CORE_vertebrates_nr.jaspar")
    assert len(matrices) == 879
    chosen = select(matrices, ["ctcf", "SP1", "MA0108", "MA0004.1"], "x")
    assert [m.id for m in chosen] == ["MA0139.2", "MA0079.5", "MA0108.3", "MA0004.1"]
    for name, advice in (("CTCG", "did you mean CTCF or CTCFL?"), ("qqqqqqq", "look the name up at jaspar.elixir.no")):
        with pytest.raises(ConfigError) as caught:
            select(matrices, [name], "x.jaspar")
        assert str(caught.value) == f"x.jaspar: a motif '{name}' is required, but came none of this name; {advice}"


def test_meme_and_jaspar_hold_the_same_motifs(shared_data: Path) -> None:
    jaspar, meme = (read_matrices(shared_data / "motifs" / f"JASPAR2024_CORE_vertebrates_nr.{kind}") for kind in ("jaspar", "meme"))
    assert [(m.id, m.name, len(m.counts)) for m in meme] == [(m.id, m.name, len(m.counts)) for m in jaspar]
    for one, two in zip(jaspar, meme, strict=True):
        for a, b in zip(one.counts, two.counts, strict=True):
            assert all(abs(x / sum(a) - y / sum(b)) < 0.02 for x, y in zip(a, b, strict=True)), one.id


def test_jaspar_by_name_is_the_file_of_the_same_release(shared_data: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("pyjaspar", reason="pyjaspar is absent (extra jaspar)")
        found = jaspar_matrices(["CTCF", "SP1", "TBP"])
    in_file = read_matrices(shared_data / "motifs" / "JASPAR2024_CORE_vertebrates_nr.jaspar")
    assert found == select(in_file, ["CTCF", "SP1", "TBP"], "x")


def test_missing_pyjaspar_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyjaspar", None)
    with pytest.raises(MissingExtraError) as caught:
        jaspar_matrices(["CTCF"])
    assert str(caught.value) == (
        "io.jaspar: pyjaspar is required to look motifs up by name, but it is not installed; "
        'pip install "gattn_tg[jaspar]", or read a motif file from jaspar.elixir.no'
    )
