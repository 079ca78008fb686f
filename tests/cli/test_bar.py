"""The bar counts bases on a terminal and is silent elsewhere."""

from __future__ import annotations

import io
import sys

import pytest

from gattn_tg.cli.bar import Bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


PARTS = [(1_500_000, "a"), (500_000, "b")]


def test_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert list(Bar("annotated", total=4_000_000).over(PARTS)) == ["a", "b"]
    clear = "\r\x1b[K"
    assert terminal.getvalue() == f"{clear}annotated 1.5 Mb (38%){clear}annotated 2.0 Mb (50%){clear}"


def test_silent_elsewhere(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(Bar("annotated").over(PARTS)) == ["a", "b"]
    assert capsys.readouterr() == ("", "")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert list(Bar("annotated", quiet=True).over(PARTS)) == ["a", "b"]
    assert terminal.getvalue() == ""
