"""Damaged files raise our errors and nothing else; `python tests/fuzz.py 10000` runs many more."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz import READERS, attack

TAKES_ALL = {"metrics.jsonl"}  # what is no line of a run is left out there
NEEDS = {"Genome": "pyfaidx", "index of a Genome": "pyfaidx", "BigWig": "pybigtools"}


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_raise_our_errors(name: str, tmp_path: Path) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason=f"{NEEDS[name]} is absent (extra genomics)")
    outcome = attack(name, 120, tmp_path, seed=1)
    assert outcome.total() == 120
    assert outcome["read"] < 120 or name in TAKES_ALL
