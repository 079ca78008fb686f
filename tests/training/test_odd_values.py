"""Every key of every table of a configuration, with values that nobody expects: one line, or a model of sane numbers.

Nothing is trained and no memory is taken: tables are read, and models are made as outlines.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest

from gattn_tg import strict
from gattn_tg.errors import ConfigError, GattnError
from gattn_tg.models.kinds import KINDS
from gattn_tg.nn.initial import outline
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.settings import TrainSettings
from gattn_tg.training.tasks.registry import TASKS, task_class

ODD = (math.inf, -math.inf, math.nan, -1, 0, -0.5, 10**30, -(10**30), 10**400, 2**63, strict.LARGEST, 1e39, "x", "", [],
       [[]], [[10**30]], [10**30], [math.nan], True, {})  # fmt: skip
REFUSED = (math.inf, -math.inf, math.nan, 10**400, 2**63, 1e39)  # where a number is wanted
NEEDED: dict[str, Any] = {  # keys without a default
    "genomes": ["g.fa"], "genome": "g.fa", "windows": "w.bed", "targets": ["t.npz"], "labels": "l.tsv",
    "label_column": "m", "train": "t.csv", "n_classes": 2, "heads": [["human", 1]], "label_columns": ["a"],
}  # fmt: skip
MODELS = {kind.config: kind.model for kind in KINDS.values()}
TABLES = [TrainSettings, *dict.fromkeys(task.data_table for task in TASKS.values()), *MODELS]
WHERE = "run.toml: [table]"


def required(table: Any) -> dict[str, Any]:
    missing = dataclasses.MISSING
    fields = [f for f in dataclasses.fields(table) if f.default is missing and f.default_factory is missing]
    either = {"label_column": "m"} if "count_column" in {f.name for f in dataclasses.fields(table)} else {}
    return {**{f.name: NEEDED[f.name] for f in fields}, **either}


def numbers(value: object) -> list[float]:
    if isinstance(value, tuple):
        return [x for part in value for x in numbers(part)]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []


def same(one: object, other: object) -> bool:
    return type(one) is type(other) and (one == other or one != one)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_odd_values_are_one_line_or_sane(table: Any) -> None:
    good = required(table)
    strict.read(table, good, WHERE)
    said: list[str] = []
    for field in dataclasses.fields(table):
        for odd in ODD:
            try:
                made = strict.read(table, {**good, field.name: odd}, WHERE)
                if table in MODELS:
                    with outline():
                        MODELS[table](made)
            except GattnError as error:
                said.append(str(error))
                continue
            assert all(abs(x) <= 3.4e38 for f in dataclasses.fields(table) for x in numbers(getattr(made, f.name)))
            wanted = isinstance(getattr(made, field.name), int | float)
            seed = field.name.endswith("seed") and odd == 2**63
            assert seed or not (wanted and any(same(odd, x) for x in REFUSED if x != 2**63)), (field.name, odd)
    assert len(said) > 10 * len(dataclasses.fields(table))
    assert not [text for text in said if "\n" in text or not 20 < len(text) < 400]


@pytest.mark.parametrize("name", ["seed", "split_seed"])
def test_seeds_are_from_nought_to_63_bits(name: str) -> None:
    table = TrainSettings if name == "seed" else task_class("SequenceClassifier").data_table
    good = required(table)
    assert getattr(strict.read(table, {**good, name: 2**63 - 1}, WHERE), name) == 2**63 - 1
    for odd in (-1, 2**63):
        with pytest.raises(ConfigError, match=f"{name}: expected an integer from 0 to 9223372036854775807"):
            strict.read(table, {**good, name: odd}, WHERE)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("learning_rate = inf", "learning_rate: expected a finite number up to 3.4e+38, got inf; change it"),
        ("learning_rate = nan", "learning_rate: expected a finite number up to 3.4e+38, got nan; change it"),
        ("learning_rate = 1" + "0" * 400, "learning_rate: expected a finite number up to 3.4e+38, got inf;"),
        ("epochs = 1" + "0" * 30, "epochs: expected an integer from -2147483647 to 2147483647, got 1000000"),
        ("batch_size = 1" + "0" * 999, "got an integer of more than 30 digits; change it"),
        ("batch_size = 1" + "0" * 9999, "TOML, but Exceeds the limit"),
    ],
)
def test_numbers_of_a_file_have_bounds(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(f"[data]\ntrain = 'a.csv'\n[train]\n{line}\n")
    with pytest.raises(ConfigError) as raised:
        TrainConfig.from_toml(path)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
