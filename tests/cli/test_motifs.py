"""gattn motifs: vocabularies from names and files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from gattn_tg.cli.main import main
from gattn_tg.motif import MotifVocabulary

MATRICES = """>MA0004.1 Arnt
4 19 0 0 0 0
16 0 20 0 0 0
0 1 0 20 0 20
0 0 0 0 20 0
>MA0006.1 Ahr::Arnt
3 0 0 0 0 0
8 0 23 0 0 0
2 23 0 23 0 24
11 1 1 1 24 0
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "m.jaspar").write_text(MATRICES)
    return tmp_path / "m.jaspar"


def run(*arguments: object) -> int:
    return main(["motifs", *map(str, arguments)])


def test_whole_file_to_standard_output(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--file", file, "--pvalue", "1e-3") == 0
    vocabulary = MotifVocabulary.from_toml(capsys.readouterr().out)
    assert vocabulary.names == ("none", "Arnt", "Ahr_Arnt")
    assert vocabulary.classes[0].source == "m.jaspar MA0004.1"


def test_some_of_a_file_with_the_default(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "v.toml"
    assert run("--file", file, "--jaspar", "ahr::arnt", "--pvalue", "1e-3", "--with-default", "-o", out, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["n_motifs"] == 17
    assert told["matrices"][0]["name"] == "Ahr_Arnt"
    assert MotifVocabulary.from_toml(out).names[16] == "Ahr_Arnt"
    assert run("--file", file, "--pvalue", "1e-3", "-o", out, "--overwrite") == 0
    line = " ".join(capsys.readouterr().out.splitlines()[1].split())
    assert line == "Arnt m.jaspar MA0004.1 6 bp from 5.387 bits"


def test_names_in_jaspar_need_no_extra(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyjaspar", None)
    assert run("--jaspar", "CTCF,SP1,TBP", "-o", tmp_path / "v.toml") == 0
    assert MotifVocabulary.from_toml(tmp_path / "v.toml").names == ("none", "CTCF", "SP1", "TBP")
    assert "JASPAR2024 MA0139.2" in capsys.readouterr().out
    assert run("--jaspar", "CTFC") == 2
    assert "JASPAR2024 vertebrates: expected a motif 'CTFC', got none of this name" in capsys.readouterr().err
    assert run("--jaspar", "CTCF", "--release", "JASPAR2020") == 2
    assert 'pip install "gattn_tg[jaspar]"' in capsys.readouterr().err


def test_motifs_too_short_for_the_pvalue_are_named_and_can_be_left_out(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = ">MA9 wide\nA 9 0 0 0 9 9 9 9\nC 0 9 0 0 0 0 0 0\nG 0 0 9 0 0 0 0 0\nT 0 0 0 9 0 0 0 0\n"
    file.write_text(file.read_text() + wide)
    assert run("--file", file) == 2
    assert capsys.readouterr().err == (
        "gattn: motifs: expected motifs whose best word is rarer than --pvalue 0.0001, got Arnt (MA0004.1, 6 bp), "
        "Ahr::Arnt (MA0006.1, 6 bp); add --skip-short to leave them out, or raise --pvalue\n"
    )
    assert run("--file", file, "--skip-short", "--json", "-o", tmp_path / "v.toml") == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["skipped"] == ["MA0004.1", "MA0006.1"]
    assert err.startswith("left out, too short for a p-value of 0.0001: Arnt (MA0004.1, 6 bp), Ahr::Arnt")
    assert MotifVocabulary.from_toml(tmp_path / "v.toml").names == ("none", "wide")


def test_a_file_of_more_motifs_than_ids_is_written_in_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "".join(f">M{k} f{k}\nA {k} 1\nC 1 {k}\nG 1 1\nT 1 1\n" for k in range(2, 302))
    (tmp_path / "many.jaspar").write_text(text)
    assert run("--file", tmp_path / "many.jaspar", "--pvalue", "0.2") == 2
    assert capsys.readouterr().err.endswith(
        "expected at most 255 motifs, because ids are bytes, got 300; choose some with --jaspar NAMES, or write "
        "2 vocabularies with --part 1/2 to --part 2/2\n"
    )
    names: list[str] = []
    for k in (1, 2):
        assert run("--file", tmp_path / "many.jaspar", "--pvalue", "0.2", "--part", f"{k}/2") == 0
        names += MotifVocabulary.from_toml(capsys.readouterr().out).names[1:]
    assert names == [f"f{k}" for k in range(2, 302)]
    assert run("--file", tmp_path / "many.jaspar", "--part", "3/2") == 2
    assert "expected K/N with K from 1 to N" in capsys.readouterr().err


def test_a_factor_is_found_in_its_dimer_and_said_so(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--file", file, "--jaspar", "ahr", "--pvalue", "1e-3") == 0
    out, err = capsys.readouterr()
    assert MotifVocabulary.from_toml(out).names == ("none", "Ahr_Arnt")
    assert err == "ahr is taken from Ahr::Arnt (MA0006.1)\n"


def test_probabilities_reach_the_vocabulary_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases = Path(__file__).parent.parent / "cases" / "meme"
    for name in ("p_0.meme", "p_1.meme", "p_None.meme"):
        assert run("--file", cases / name, "--pvalue", "1e-3", "-o", tmp_path / "v.toml", "--overwrite") == 0
        assert "8 bp  from 6.978 bits" in capsys.readouterr().out
        assert "counts = [[0.7, 0.1, 0.1, 0.1]," in (tmp_path / "v.toml").read_text()


def test_mistakes(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, text in (
        ([], "gattn: motifs: expected names or a motif file, got neither"),
        (["--jaspar", "CTCF,,TBP", "--file", file], "names separated by commas, got 'CTCF,,TBP'"),
        (["--file", file, "--jaspar", "ARND"], "a motif 'ARND', got none of this name; did you"),
        (["--file", file], "got Arnt (MA0004.1, 6 bp), Ahr::Arnt (MA0006.1, 6 bp); add --skip-short"),
        (["--file", file, "--json"], "a file for the table with --json"),
    ):
        assert run(*arguments) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert text in err
