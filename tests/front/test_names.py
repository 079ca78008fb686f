"""The public names: what `dir(gattn_tg)` shows is there, loads on first use, and changes only on purpose."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gattn_tg
from gattn_tg.front.trained import Trained
from gattn_tg.front.variants import VariantQuestion
from gattn_tg.front.why.discover import Search
from gattn_tg.front.why.explain import Question
from gattn_tg.front.why.intervene import Layouts

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "gattn_tg"
NAMES = {
    "load", "train", "attention", "MotifBias", "Rope", "GenomicAttention", "annotate", "MotifVocabulary", "encode",
    "decode", "Interval", "Record", "SequenceClassifier", "ClassifierConfig", "GenomicGPT", "GPTConfig",
    "MaskedEncoder", "EncoderConfig", "TrackModel", "TrackConfig", "PerBaseModel", "PerBaseConfig", "SiteModel",
    "SiteConfig", "GattnError", "__version__",
}  # fmt: skip
# what a verb may say for itself: arguments, progress, files and the text of results, in so many lines
# lines; predict and along each serve several kinds of input: sequences, places, sites, windows all along a genome
VERBS = {"predict": 118, "along": 150, "evaluate": 110, "generate": 45, "variants": 90, "explain": 80}
ROOMS = {"cli", "front", "errors", "escaping", "io", "score"}  # escaping: a line on standard error


def test_the_public_names_are_these() -> None:
    assert set(dir(gattn_tg)) == NAMES
    for name in NAMES:
        assert getattr(gattn_tg, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        gattn_tg.lod  # noqa: B018


def test_the_names_bring_nothing_along_before_they_are_used() -> None:
    code = "import gattn_tg, sys; dir(gattn_tg); assert not {'numpy', 'tinygrad'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=60)


@pytest.mark.parametrize(("method", "question"), [
    (Trained.explain, Question), (Trained.marginalize, Layouts), (Trained.discover, Search),
    (Trained.variants, VariantQuestion),
])  # fmt: skip
def test_a_question_and_its_method_have_the_same_defaults(method: Callable[..., Any], question: type[Any]) -> None:
    """The method must say them before the module of the question is loaded."""
    said = inspect.signature(method).parameters
    kept = inspect.signature(question).parameters
    shared = said.keys() & kept.keys()
    assert len(shared) > 4
    assert {name: said[name].default for name in shared} == {name: kept[name].default for name in shared}


def test_types_are_shipped() -> None:
    assert (PACKAGE / "py.typed").is_file()


@pytest.mark.parametrize("verb", VERBS)
def test_verbs_are_thin(verb: str) -> None:
    """They call the methods of a loaded model; no network, window or metric is made there."""
    text = (PACKAGE / "cli" / f"{verb}.py").read_text(encoding="utf-8")
    rooms = {node.module.split(".")[1] for node in ast.walk(ast.parse(text))
             if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("gattn_tg.")}
    assert rooms <= ROOMS
    assert len(text.splitlines()) <= VERBS[verb]
