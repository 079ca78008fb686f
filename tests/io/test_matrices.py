# ruff: noqa: E501 - error texts stand whole, as users meet them
"""MEME and JASPAR files, and JASPAR by name."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pytest

from gattn_tg.data.genomes import bundled
from gattn_tg.data.genomes.jaspar import matrices_by_name
from gattn_tg.errors import ConfigError, FormatError, MissingExtraError
from gattn_tg.io import MotifMatrix, jaspar_matrices, read_matrices, select

ARNT = MotifMatrix("MA0004.1", "Arnt", ((4, 16, 0, 0), (19, 0, 1, 0), (0, 20, 0, 0)))
CASES = Path(__file__).parent.parent / "cases"
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


@pytest.mark.parametrize("text", [JASPAR, ">MA0004.1 Arnt\n4 19 0\n16 0 20\n0 1 0\n0 0 0\n", "# made by hand\n" + JASPAR])
def test_formats_read_alike(path: Path, text: str) -> None:
    path.write_text(text)
    assert read_matrices(path) == [ARNT]


@pytest.mark.parametrize("sites", ["", " nsites= 0", " nsites= 1", " nsites= 2", " nsites= 20.5", " nsites= 1000"])
@pytest.mark.parametrize("width", ["", " w= 3"])
def test_probabilities_of_meme_are_kept_as_they_are(path: Path, sites: str, width: str) -> None:
    path.write_text(MEME.replace(" w= 3 nsites= 20", width + sites) + "\nMOTIF two\nletter-probability matrix:\n0.25 0.25 0.25 0.25\n")
    first, second = read_matrices(path)
    assert first == MotifMatrix("MA0004.1", "Arnt", ((0.2, 0.8, 0, 0), (0.95, 0, 0.05, 0), (0, 1, 0, 0)))
    assert second == MotifMatrix("two", "two", ((0.25, 0.25, 0.25, 0.25),))


KEPT = {
    "meme": [f"p_{n}.meme" for n in ("0", "1", "2", "5", "20", "1000", "None")],
    "seven": [f"{n}.meme" for n in ("crlf", "full", "hash", "logodds", "nosites", "nospace", "now", "rna", "sites0", "sites1", "sites2", "sitesf")],
}
EIGHT = ((0.7, 0.1, 0.1, 0.1), (0.1, 0.6, 0.2, 0.1), (0.05, 0.05, 0.85, 0.05), (0.2, 0.1, 0.1, 0.6), (0.55, 0.15, 0.15, 0.15), (0.1, 0.1, 0.7, 0.1), (0.6, 0.2, 0.1, 0.1), (0.1, 0.1, 0.1, 0.7))  # fmt: skip
SEVEN = ((0.6, 0.2, 0.1, 0.1), (0.1, 0.7, 0.1, 0.1), (0.3, 0.3, 0.3, 0.1), (0.05, 0.05, 0.85, 0.05), (0.25, 0.25, 0.25, 0.25), (0.1, 0.1, 0.1, 0.7), (0.7, 0.1, 0.1, 0.1))  # fmt: skip
AGL3 = ((0, 94, 1, 2), (3, 75, 0, 19), (79, 4, 3, 11))
HEADS = {
    "crlf.jaspar": AGL3, "pipe.jaspar": AGL3, "tight.jaspar": AGL3, "new.jaspar": AGL3, "raw.pfm": AGL3,
    "words.jaspar": AGL3[:2],
    "prob1.jaspar": ((0.7, 0.1, 0.1, 0.1), (0.1, 0.6, 0.2, 0.1), (0.05, 0.05, 0.85, 0.05), (0.3, 0.3, 0.3, 0.1)),
    "prob2.jaspar": ((0.7, 0.1, 0.1, 0.1), (0.1, 0.6, 0.2, 0.1), (0.05, 0.05, 0.85, 0.05), (0.2, 0.1, 0.1, 0.6)),
    "sc2.jaspar": ((1.4, 0.2, 0.2, 0.2), (0.2, 1.2, 0.4, 0.2), (0.1, 0.1, 1.7, 0.1), (0.4, 0.2, 0.2, 1.2)),
    "homer5.motif": ((0.97, 0.01, 0.01, 0.01), (0.01, 0.01, 0.01, 0.97), (0.02, 0.02, 0.94, 0.02), (0.01, 0.96, 0.02, 0.01), (0.9, 0.04, 0.03, 0.03)),
    "homer4.motif": ((0.02, 0.94, 0.02, 0.02), (0.97, 0.01, 0.01, 0.01), (0.01, 0.97, 0.01, 0.01), (0.04, 0.02, 0.92, 0.02)),
    "hocomoco4.pcm": ((40.5, 18.6, 56.4, 38.9), (10.9, 11.9, 22.9, 108.7), (21.3, 43.8, 11.7, 77.6), (0, 0, 146, 8.4)),
    **dict.fromkeys(KEPT["meme"], EIGHT), **dict.fromkeys(KEPT["seven"], SEVEN),
}  # fmt: skip
REFUSED = {
    "dangling.meme": ", line 17: expected a letter-probability matrix for motif '2', got none; add it or remove the MOTIF line",
    "ragged.jaspar": ", line 4: expected 3 numbers of at least 0, got '0 3'; correct the matrix",
    "zerocol.jaspar": ", line 1: expected an observation at each position, but motif 'MA1' has one without; correct the matrix",
}
FILES = sorted(path for folder in ("meme", "jaspar") for path in (CASES / folder).iterdir())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_case_is_read_for_what_it_is_or_refused(path: Path) -> None:
    if path.name in REFUSED:
        with pytest.raises(FormatError) as caught:
            read_matrices(path)
        assert str(caught.value) == f"{path}{REFUSED[path.name]}"
        return
    counts = read_matrices(path)[0].counts
    assert counts[: len(HEADS[path.name])] == HEADS[path.name]


def test_names_of_motifs() -> None:
    assert {path.name: read_matrices(path)[0][:2] for path in FILES if path.name not in REFUSED and path.suffix != ".meme"} == {
        **dict.fromkeys(("crlf.jaspar", "new.jaspar", "pipe.jaspar", "raw.pfm", "tight.jaspar", "words.jaspar"), ("MA0001.1", "AGL3")),
        **dict.fromkeys(("prob1.jaspar", "prob2.jaspar"), ("M1", "probs")), "sc2.jaspar": ("M1", "scaled"),
        "homer5.motif": ("ATGCA", "X(bZIP)/cell"), "homer4.motif": ("CACG", "Arnt(bHLH)/hand"),
        "hocomoco4.pcm": ("AHR_HUMAN.H11MO.0.B", "AHR_HUMAN.H11MO.0.B"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": expected at least one motif, got an empty file; was it written fully?"),
        ("hello", ", line 1: expected 'MEME version' or '>', got 'hello'; is this a motif file?"),
        ("MEME version 4\n", ": expected at least one motif, got none; was the file written fully?"),
        (MEME.replace("ACGT", "ACDEFGHIKLMNPQRSTVWY"), ", line 3: expected alphabet ACGT, got 'ALPHABET= ACDEFGHIKLMNPQRSTVWY'; use motifs of DNA"),
        (MEME.replace("w= 3", "w= 5"), ", line 6: expected a MOTIF line, alength= 4 and w= rows of four probabilities, got w=5 with 4 lines after; was the file written fully?"),
        (MEME.replace("w= 3", "w= 4"), ", line 10: expected count, a number, got 'URL'; correct it"),
        (MEME.replace("0.2 0.8 0 0", "0.2 0.9 0 0"), ", line 7: expected probabilities that add up to 1, got 1.100; correct the row"),
        (MEME.replace("0 1 0 0", "0 1 0"), ", line 9: expected 4 numbers of at least 0, got '0 1 0'; correct the matrix"),
        (JASPAR.replace("G  [ 0", "G  [ -1"), ", line 4: expected 3 numbers of at least 0, got '-1 1 0'; correct the matrix, or take the file of counts or probabilities instead of weights"),
        (MEME.replace("w= 3", "w= 2"), ", line 6: expected w= 2 rows, got more; correct w= or the rows"),
        (MEME.replace("w= 3 ", "").replace("0 1 0 0", "0 1 x 0"), ", line 9: expected count, a number, got 'x'; correct it"),
        (">a\n1 2 3 4\n2 1 4 3\n3 4 1 2\n4 3 2 1\n", ", line 1: expected lines that begin with their letter A, C, G, T, got four lines of four numbers, which may be letters or positions; write the letters"),
        (">ACGT\ta\t6.0\n0.5 0.5 0.5 0.5\n", ", line 2: expected probabilities that add up to 1, got 2.000; correct the row"),
        (">a\nA 0.5 0.2\nC 0.1 0.1\nG 0.1 0.1\nT 0.1 0.1\n", ", line 1: expected probabilities that add up to 1 at each position of motif 'a', got 0.800; correct the matrix"),
        ("ID  M00001\nPO A C G T\n", ", line 1: expected 'MEME version' or '>', got a TRANSFAC file; convert it to MEME or JASPAR first"),
        ("Pos\tA\tC\tG\tT\n1\t1\t0\t0\t0\n", ", line 1: expected 'MEME version' or '>', got a table of CIS-BP; convert it to MEME or JASPAR first"),
        (JASPAR.replace("G  [", "T  ["), ", line 4: expected the counts of G, got those of T; order the lines A, C, G, T"),
        (JASPAR.rsplit("T", 1)[0], ", line 1: expected '>' with an id, then one line each for A, C, G, T, got '>MA0004.1\\tArnt' and 3 lines; was the file written fully?"),
        (JASPAR.replace("16", "0").replace("4 19", "0 19"), ", line 1: expected an observation at each position, but motif 'MA0004.1' has one without; correct the matrix"),
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
    assert [m.name for m in select(matrices, ["TAL1", "tcf3", "RXRB"], "x")] == ["TAL1::TCF3", "TCF3", "RXRB"]
    for name, advice in (("CTCG", "did you mean CTCF or CTCFL?"), ("qqqqqqq", "look the name up at jaspar.elixir.no")):
        with pytest.raises(ConfigError) as caught:
            select(matrices, [name], "x.jaspar")
        assert str(caught.value) == f"x.jaspar: expected a motif '{name}', got none of this name; {advice}"


def test_meme_and_jaspar_hold_the_same_motifs(shared_data: Path) -> None:
    jaspar, meme = (read_matrices(shared_data / "motifs" / f"JASPAR2024_CORE_vertebrates_nr.{kind}") for kind in ("jaspar", "meme"))
    assert [(m.id, m.name, len(m.counts)) for m in meme] == [(m.id, m.name, len(m.counts)) for m in jaspar]
    for one, two in zip(jaspar, meme, strict=True):
        for a, b in zip(one.counts, two.counts, strict=True):
            assert all(abs(x / sum(a) - y / sum(b)) < 0.02 for x, y in zip(a, b, strict=True)), one.id


def test_the_bundled_matrices_are_those_of_pyjaspar() -> None:
    whole = read_matrices(bundled.bundled(bundled.JASPAR))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("pyjaspar", reason="pyjaspar is absent (extra jaspar)")
        assert jaspar_matrices([motif.id for motif in whole]) == whole
    assert matrices_by_name(["CTCF", "sp1"]) == select(whole, ["CTCF", "SP1"], "x")


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
        "io.jaspar: expected pyjaspar to look motifs up by name, but it is not installed; "
        'pip install "gattn_tg[jaspar]", or read a motif file from jaspar.elixir.no'
    )
