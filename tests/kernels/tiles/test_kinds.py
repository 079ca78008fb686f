"""The kinds of bias: one table that everything else asks."""

from __future__ import annotations

import ast
from pathlib import Path

import gattn_tg
from gattn_tg import MotifBias
from gattn_tg.kernels.tiles.kinds import KINDS, NONE
from gattn_tg.ops.attention.lazy import FORMULAS
from gattn_tg.reference.bias import PER_KEY_KINDS, PER_PAIR_KINDS, TIED_KINDS

PACKAGE = Path(gattn_tg.__file__).parent


def named(node):
    """The names of kinds that an expression compares with: constants, alone or in a tuple, list or set."""
    nodes = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]
    return {x.value for x in nodes if isinstance(x, ast.Constant) and isinstance(x.value, str)} & set(KINDS)


def compared(source):
    """Lines that compare something with the name of a kind, or choose by such names in `match` or in a dictionary."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and any(named(x) for x in (node.left, *node.comparators)):
            yield node.lineno
        elif isinstance(node, ast.MatchValue) and named(node.value):
            yield node.value.lineno
        elif isinstance(node, ast.Dict) and len({n for key in node.keys if key for n in named(key)}) > 1:
            yield node.lineno


def test_nobody_compares_the_name_of_a_kind():
    """What differs between kinds is a field or a method of the kind; only `lazy` and the bias of weights over
    ids have a formula for each."""
    allowed = {"reference", "ops/attention/lazy.py", "nn/soft_motifs.py"}
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        home = path.relative_to(PACKAGE).as_posix()
        if home.split("/")[0] not in allowed and home not in allowed:
            found += [f"{home}:{line}" for line in compared(path.read_text(encoding="utf-8"))]
    assert not found


def test_the_search_finds_comparisons():
    for source in ('x == "pair"', 'x in ("key", "none")', '{"key": 1, "pair": 2}[x]', 'match x:\n  case "same": pass'):
        assert list(compared(source)), source
    assert not list(compared('Case("pair", kind="pair")'))


def test_every_kind_has_a_formula_a_constructor_and_a_definition():
    assert list(FORMULAS) == list(KINDS)
    assert all(callable(getattr(MotifBias, name)) for name in KINDS)
    assert {*PER_KEY_KINDS, *PER_PAIR_KINDS} == set(KINDS)


def test_kinds_and_reference_agree_on_tables():
    assert {name for name, kind in KINDS.items() if kind.is_square} == set(PER_PAIR_KINDS)
    assert {name for name, kind in KINDS.items() if kind.is_by_id} == set(TIED_KINDS)


def test_a_kind_is_by_row_or_by_element_and_reads_its_table_last():
    for name, kind in KINDS.items():
        assert kind.name == name
        assert kind.is_by_row != kind.is_by_element
        assert kind.operands[-1] == "table"
        assert kind.as_last is None or kind.as_last in KINDS
    assert not NONE.is_by_row
    assert not NONE.is_by_element
    assert not NONE.operands
