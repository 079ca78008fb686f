"""Every option of every verb that takes a number, with numbers that it cannot take: one line and exit code 2."""

from __future__ import annotations

import argparse

import pytest

from gattn_tg.cli.arguments.parser import parser
from gattn_tg.cli.main import main

ODD = (
    "-1", "1.5", "abc", "", "nan", "inf", "1e9", "9" * 20, "9" * 5000, "0x10", "1_0", "\u0663", "\uff18", "0.\u0661",
    "1/\u0663",
)  # fmt: skip
NUMBERS = ("whole.<locals>.read", "temperature", "chance", "share", "widths", "part")
FLOATS = {"--temperature": {"1.5"}}  # that are right


def options() -> list[tuple[str, str]]:
    verbs = next(a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    return [
        (verb, action.option_strings[0])
        for verb, sub in verbs.choices.items()
        for action in sub._actions
        if action.option_strings and getattr(action.type, "__qualname__", "") in NUMBERS
    ]


def test_no_option_reads_a_number_without_a_range() -> None:
    verbs = next(a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    free = [(v, a.option_strings) for v, sub in verbs.choices.items() for a in sub._actions if a.type in (int, float)]
    assert not free
    assert len(options()) > 30


@pytest.mark.parametrize(("verb", "option"), options())
def test_numbers_out_of_range_are_one_line(verb: str, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    for odd in ODD:
        if odd in FLOATS.get(option, ()):
            continue
        assert main([verb, f"{option}={odd}"]) == 2, odd[:20]
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert f"argument {option}" in err
        assert len(err) < 400
