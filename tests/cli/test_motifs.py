"""gattn motifs: vocabularies from names and files."""

from __future__ import annotations

import json
import warnings
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


def test_names_in_jaspar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("pyjaspar", reason="pyjaspar is absent (extra jaspar)")
        assert run("--jaspar", "CTCF,SP1,TBP", "-o", tmp_path / "v.toml") == 0
    assert MotifVocabulary.from_toml(tmp_path / "v.toml").names == ("none", "CTCF", "SP1", "TBP")
    assert "JASPAR2024 MA0139.2" in capsys.readouterr().out


def test_mistakes(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, text in (
        ([], "gattn motifs: names or a motif file are required, but came neither"),
        (["--jaspar", "CTCF,,TBP", "--file", file], "names separated by commas are required, but 'CTCF,,TBP' came"),
        (["--file", file, "--jaspar", "ARND"], "a motif 'ARND' is required, but came none of this name; did you"),
        (["--file", file], "the best of all words of 6 bases"),
        (["--file", file, "--json"], "a file for the table is required with --json"),
    ):
        assert run(*arguments) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert text in err
