"""A kind of model is one file and one line: what a toy model needs to be trained, kept, loaded and asked."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from gattn_tg.front.load import TRAINED
from gattn_tg.models.kinds import KINDS
from gattn_tg.training.tasks.registry import TASKS

PACKAGE = Path(__file__).resolve().parents[2] / "gattn_tg"


def test_every_kind_of_answers_has_a_task_and_a_loaded_model() -> None:
    answers = {readout for kind in KINDS.values() for readout in (kind.readout, *kind.others)}
    assert set(TASKS) == set(TRAINED) == answers


def test_every_kind_is_at_home_under_its_name() -> None:
    assert [kind.name for kind in KINDS.values()] == list(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_names_of_kinds_stand_in_the_file_of_the_model_only(name: str) -> None:
    """No other file of the package compares the name of a kind or asks for its class."""
    allowed = {"config.py", "checkpoint.py"}  # the default of old files and of TOML without a kind
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            compared = isinstance(node, ast.Compare) and any(
                isinstance(x, ast.Constant) and x.value == name for x in [node.left, *node.comparators])
            asked = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "isinstance" and any(
                isinstance(x, ast.Name) and x.id == name for x in ast.walk(node))
            if (compared or asked) and path.name not in allowed:
                wrong.append(f"{path.relative_to(PACKAGE)}:{node.lineno}")
    assert wrong == []
