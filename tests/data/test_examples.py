"""The examples in the docstrings of the NumPy rooms."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import gattn_tg

PACKAGE = Path(gattn_tg.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for room in ("seq", "motif", "io", "data", "metrics")
    for path in (PACKAGE / room).rglob("*.py")
    if ">>>" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name: str) -> None:
    result = doctest.testmod(import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
