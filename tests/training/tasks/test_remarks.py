"""Tables as users hand them in (tests/cases/train): each trains or is refused for what it is."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from gattn_tg.errors import ConfigError, DivergedError, FormatError, GattnError
from gattn_tg.seq import decode, reverse_complement
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.run import train
from gattn_tg.training.tasks import remarks
from gattn_tg.training.tasks.classify import Classify

CASES = Path(__file__).resolve().parent.parent.parent / "cases" / "train"
REFUSED = {
    "Ns": "all 40 are N only",
    "dupes": "groups that fit",
    "intfloat": "labels 0, 1, got 0.0, 1.0",
    "newclass": "labels a, b, c, got d",
    "one": "every label is 'neg'",
    "single": "every label is 'a'",
    "two": "at least one sequence for valid",
}
WARNED = {
    "ok": [],
    "validone": ["valid: every label is 'neg', so AUC and MCC are not defined"],
    "validone_auc": ["valid: every label is 'neg', so AUC and MCC are not defined"],
    "nanmon": ["valid: every label is 'neg', so AUC and MCC are not defined"],
    "nanmon2": ["valid: every label is 'neg', so AUC and MCC are not defined"],
    "three": [],
    "hugelr": [],
    "small": [],
    "short1": None,  # sequences of 1 to 3 bases: some come with both labels
    "spaces": [],
    "uneq": [],
}


def task(path: Path) -> Classify:
    return Classify.from_config(TrainConfig.from_toml(path))


def test_every_case_file_has_its_right_value() -> None:
    assert {path.stem for path in CASES.glob("*.toml")} == {*REFUSED, *WARNED}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_data_from_which_nothing_can_be_learnt_are_refused(name: str) -> None:
    with pytest.raises(GattnError) as told:
        task(CASES / f"{name}.toml")
    assert REFUSED[name] in str(told.value)


@pytest.mark.parametrize("name", sorted(WARNED))
def test_data_that_can_be_learnt_from_are_taken_and_warned_of(name: str) -> None:
    made = task(CASES / f"{name}.toml")
    if WARNED[name] is None:
        assert any("with another label elsewhere" in text for text in made.warnings)
    else:
        assert list(made.warnings) == WARNED[name]


def test_what_was_chosen_is_said() -> None:
    assert task(CASES / "ok.toml").notes == (
        "train: 64 sequences of 40 bases (neg 32, pos 32), from ok.csv",
        "valid: 16 sequences of 40 bases (neg 8, pos 8), from ok_valid.csv",
    )
    carved = task(CASES / "spaces.toml").notes
    assert carved[1] == (
        "valid: 4 sequences of 40 bases (fermé  été 2, open chromatin 2), "
        "10% of spaces.csv (valid_fraction, split_seed 0)"
    )


def test_a_batch_larger_than_the_data_is_capped() -> None:
    made = task(CASES / "small.toml")
    assert (made.batch_size, made.steps_per_epoch) == (6, 1)
    assert made.notes[-1] == "batch_size: 6, since there are no 512 sequences"
    batch = made.batch(0, 0, 0, 1)
    assert batch["bases"].shape == (6, 40)
    assert batch["valid"].all()


def written(folder: Path, rows: list[tuple[str, object]], more: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "a.csv").write_text("sequence,label\n" + "".join(f"{s},{label}\n" for s, label in rows))
    (folder / "a.toml").write_text(f'[data]\ntrain = "a.csv"\n{more}[model]\nwidth = 8\nn_heads = 1\nn_layers = 1\n')
    return folder / "a.toml"


def words(n: int, length: int = 12) -> list[str]:
    return ["".join("ACGT"[i >> 2 * k & 3] for k in range(length)) for i in range(n)]


@pytest.mark.parametrize(
    ("labels", "is_refused"),
    [
        ([i * 0.37 for i in range(40)], True),  # measured values
        (list(range(40)), True),
        ([f"name{i}" for i in range(40)], True),  # identifiers
        ([i % 3 / 2 for i in range(40)], True),  # 0.0, 0.5, 1.0: a score
        ([float(i % 2) for i in range(40)], False),
        ([i % 4 for i in range(40)], False),
        (["-1" if i % 2 else "1" for i in range(40)], False),
        ([f"family{i % 8}" for i in range(40)], False),
    ],
)
def test_measured_values_are_no_classes(labels: list[object], is_refused: bool, tmp_path: Path) -> None:
    path = written(tmp_path, list(zip(words(40), labels, strict=True)), "valid_fraction = 0.2\n")
    if is_refused:
        with pytest.raises(ConfigError, match="classes with several sequences each"):
            task(path)
    else:
        assert len(task(path).train.label_names) == len({*map(str, labels)})


def test_copies_on_the_other_strand_are_warned_of_and_stay_in_one_part(tmp_path: Path) -> None:
    some = words(20)
    rows = [(word, i % 2) for i, word in enumerate(some)]
    turned = [(reverse_complement(word), label) for word, label in rows]
    (tmp_path / "turned.csv").write_text("sequence,label\n" + "".join(f"{s},{label}\n" for s, label in turned))
    made = task(written(tmp_path, rows, 'valid = "turned.csv"\n'))
    n = sum(reverse_complement(word) != word for word in some)
    assert [text for text in made.warnings if "other strand" in text] == [
        f"valid: {n} of 20 sequences are also in train, on the other strand or with other measured states"]
    carved = task(written(tmp_path, rows + turned, "valid_fraction = 0.3\n"))
    forms = [{min(word, reverse_complement(word)) for word in (decode(row) for row in part.bases)}
             for part in (carved.train, carved.valid)]  # fmt: skip
    assert not forms[0] & forms[1]
    assert len(forms[1]) == 6


def test_sets_that_are_the_same_are_warned_of(tmp_path: Path) -> None:
    rows = [(word, i % 2) for i, word in enumerate(words(20))]
    made = task(written(tmp_path, rows, 'valid = "a.csv"\ntest = "a.csv"\n'))
    assert [text.split(",")[0] for text in made.warnings] == [
        "valid: 20 of 20 sequences are also in train",
        "test: 20 of 20 sequences are also in train",
        "test: 20 of 20 sequences are also in valid",
    ]


def test_lengths_far_from_training_and_rows_of_n_are_warned_of(tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text("sequence,label\nACG,0\nACC,1\n")
    rows = [("NNNNNNNNNNNN", 0), *((word, i % 2) for i, word in enumerate(words(20)))]
    made = task(written(tmp_path, rows, 'valid = "v.csv"\n'))
    assert list(made.warnings) == [
        "train: 1 of 21 sequences are N only",
        "valid: sequences of at most 3 bases, but those of train have at least 12",
    ]
    (tmp_path / "v.csv").write_text("sequence,label\nACGTACGTACGTA,0\nACC,1\n")
    with pytest.raises(FormatError, match="at most 12 bases, got 13"):
        task(tmp_path / "a.toml")


def test_a_step_of_more_rows_than_there_are_windows_is_warned_of() -> None:
    assert remarks.of_few_windows(12, 12) == ()
    (told,) = remarks.of_few_windows(12, 64)
    assert told.startswith("batch_size: one step has 64 rows, but there are 12 windows to learn from")


def test_a_rate_beyond_all_reason_ends_in_one_line_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(DivergedError) as raised:
        train(TrainConfig.from_toml(CASES / "hugelr.toml"), tmp_path / "run")
    assert "\n" not in str(raised.value)
    assert re.search(r"lower learning_rate \(now 1e\+30\)|train with a lower learning_rate", str(raised.value))


def test_a_monitor_that_is_never_defined_lets_the_loss_decide(tmp_path: Path) -> None:
    done = train(TrainConfig.from_toml(CASES / "nanmon.toml"), tmp_path / "run")
    losses = [v.metrics["loss"] for v in done.fitted.validations]
    assert all(math.isnan(v.metrics["auc"]) for v in done.fitted.validations)
    assert done.fitted.validations[losses.index(min(losses))].step == done.fitted.best_step
