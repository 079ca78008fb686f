"""What messages advise exists: options of the verb, and verbs of the program."""

from __future__ import annotations

import argparse
import ast
import re
from pathlib import Path

import pytest

import gattn_tg
from gattn_tg.cli.arguments.parser import parser
from gattn_tg.cli.main import main
from gattn_tg.errors import an

PACKAGE = Path(gattn_tg.__file__).parent
OPTION = re.compile(r"(?<![\w,-])--[a-z][a-z0-9-]*")  # not -Wl,--strip-all, which is for a linker
VERB = re.compile(r"\bgattn ([a-z]+)")
OTHERS = {
    "machine": {"--target", "--version"},  # of compilers
}


def verbs() -> dict[str, argparse.ArgumentParser]:
    """Every verb with its parser."""
    (action,) = (a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


def texts(path: Path) -> list[tuple[int, str]]:
    """Every text of a file that is no docstring, parts of f-strings included, with its line."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bodies = [n.body for n in ast.walk(tree) if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef)]
    documents = {id(body[0].value) for body in bodies if body and isinstance(body[0], ast.Expr)}
    documents |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents
    ]


FILES = sorted(PACKAGE.rglob("*.py"))


def test_options_in_messages_exist() -> None:
    """A verb's own file names options of this verb only, or of one that the text names; other files those of any."""
    options = {name: set(verb._option_string_actions) for name, verb in verbs().items()}
    every = set(parser()._option_string_actions).union(*options.values())
    found, wrong = 0, []
    for path in FILES:
        room = path.relative_to(PACKAGE).parts
        own = options.get(path.stem, every) if room[0] == "cli" else every
        for line, text in texts(path):
            named = [options[verb] for verb in VERB.findall(text) if verb in options]
            known = own.union(*named) | OTHERS.get(room[0], set())
            for option in OPTION.findall(text):
                found += 1
                if option not in known:
                    wrong.append(f"{path.relative_to(PACKAGE)}, line {line}: {option} in {text!r}")
    assert found > 50
    assert not wrong, "\n".join(wrong)


def test_verbs_in_messages_exist() -> None:
    known = {*verbs(), "help", "demo"}
    wrong = [
        f"{path.relative_to(PACKAGE)}, line {line}: {text!r}"
        for path in FILES
        for line, text in texts(path)
        for verb in re.findall(r"`gattn ([a-z]+)|^gattn ([a-z]+):", text)
        if "".join(verb) not in known
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("verb", sorted(verbs()))
def test_errors_of_every_verb_name_the_program_once(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--seed", "x"]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"gattn: {verb}: ")
    assert told.count("\n") == 1


def test_names_have_their_article() -> None:
    """Names of kinds of models begin with any letter, so no message writes "a" before one."""
    assert [an(name) for name in ("SequenceClassifier", "ImportedTracks", "id")] == [
        "a SequenceClassifier", "an ImportedTracks", "an id",
    ]  # fmt: skip
    fixed = re.compile(r"\b[aA]n? \{[^}]*(?:\bkind|kind\.name|__name__)\}")
    others = ("cli/demo", "explain/interventions/named")  # kinds of sites, and of motifs
    names = {path: path.relative_to(PACKAGE).as_posix() for path in FILES}
    wrong = [f"{name}: {found}" for path, name in names.items() if not name.startswith(others)
             for found in fixed.findall(path.read_text("utf-8"))]  # fmt: skip
    assert not wrong, "\n".join(wrong)
