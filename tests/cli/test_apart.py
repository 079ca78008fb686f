"""No verb writes over what it reads, with --overwrite neither; nothing is lost."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import pytest

from gattn_tg.cli.arguments.parser import parser
from gattn_tg.cli.main import main
from gattn_tg.cli.output import OUTPUTS

TEXT = ">a\nACGT\n"


def verbs() -> dict[str, argparse.ArgumentParser]:
    return dict(next(a for a in parser()._actions if isinstance(a, argparse._SubParsersAction)).choices)


def writing() -> list[tuple[str, str, str]]:
    """Every verb that has an output and an input, every output, every input."""
    return [
        (verb, out.dest, read.dest)
        for verb, sub in verbs().items()
        for out in sub._actions
        for read in sub._actions
        if out.type is read.type is Path and out.dest in OUTPUTS and read.dest not in OUTPUTS
    ]


def call(verb: str, out: str, read: str, written: Path, held: Path, other: Path) -> list[str]:
    """The command line in which one input is `held`, one output is `written`, and all else that is needed `other`."""
    words = [verb, "--overwrite"]
    for action in verbs()[verb]._actions:
        place = {out: written, read: held}.get(action.dest, other)
        if not action.option_strings and (action.required or action.dest == read):
            words.append(str(place) if action.type is Path else str(next(iter(action.choices or ["x"]))))
        elif action.dest in (out, read) or (action.required and action.type is Path):
            words.append(f"{action.option_strings[-1]}={place}")
    return words


def test_most_verbs_are_looked_at() -> None:
    found = {verb for verb, _, _ in writing()}
    assert found >= {"annotate", "extract", "predict", "train", "finetune", "motifs", "preprocess", "generate"}
    everything = {verb for verb, sub in verbs().items() if any(a.dest == "output" for a in sub._actions)}
    assert everything - found <= {"demo", "init"}  # these read no file
    for sub in verbs().values():  # an output by another name would be taken for an input
        writes = {a.dest for a in sub._actions if a.type is Path and "write" in (a.help or "")}
        assert writes <= set(OUTPUTS)


@pytest.mark.parametrize(("verb", "out", "read"), writing())
def test_an_input_is_not_written_over(
    verb: str, out: str, read: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    held, other, link = tmp_path / "in.fa", tmp_path / "other", tmp_path / "link.fa"
    held.write_text(TEXT)
    link.symlink_to(held)
    for written in (held, Path("in.fa"), Path(os.pardir) / tmp_path.name / "in.fa", link):
        assert main(call(verb, out, read, written, held, other)) == 2
        stdout, err = capsys.readouterr()
        assert (stdout, err.count("\n")) == ("", 1)
        assert "expected an output of its own, got the input" in err
    assert held.read_text() == TEXT
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.fa", "link.fa"]


@pytest.mark.parametrize("verb", ["train", "finetune", "preprocess"])
def test_a_folder_with_an_input_in_it_is_not_replaced(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = tmp_path / "run" / "best" / "x.toml"
    held.parent.mkdir(parents=True)
    held.write_text(TEXT)
    out, read, _ = next(((o, r, v) for v, o, r in writing() if v == verb))
    assert main(call(verb, out, read, tmp_path / "run", held, tmp_path / "other")) == 2
    assert "got the folder of the input" in capsys.readouterr().err
    assert held.read_text() == TEXT


def test_the_folder_that_finetune_chooses_itself_may_not_hold_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    best = tmp_path / "runs" / "a" / "best"
    best.mkdir(parents=True)
    (best / "config.json").write_text("{}")
    assert main(["finetune", str(best), "a.toml", "--overwrite"]) == 2
    assert "got the folder of the input" in capsys.readouterr().err
    assert (best / "config.json").read_text() == "{}"


def test_two_outputs_have_two_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "g.fa").write_text(TEXT)
    both = str(tmp_path / "x.bw")
    assert main(["annotate", str(tmp_path / "g.fa"), "-o", both, "--bigwig", both]) == 2
    assert "got it twice" in capsys.readouterr().err
