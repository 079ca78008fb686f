"""What a user should know of labelled data before a model learns from it: what is refused, warned of, and said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from gattn_tg.data import LabelledSequences
from gattn_tg.errors import ConfigError
from gattn_tg.io import LabelledTable
from gattn_tg.seq.alphabet import N

MANY_CLASSES = 10  # numbers as labels: so many values with few rows each are measurements, not classes
FEW_ROWS = 5
SHORT = 0.5  # of the shortest training sequence: shorter ones are another kind of data
MUCH_N = 0.1  # share of a sequence
RARE = 0.1  # share of two classes below which one is rare; of more classes accordingly less
SHOWN = 6  # classes that are listed with their sizes


def require_classes(table: LabelledTable) -> None:
    """Refuses labels from which no classes can be learnt.

    Raises:
        ConfigError: One class only, numbers with many values, only sequences of N, or nearly as many classes as rows.
    """
    names, n = table.label_names, len(table)
    if len(names) < 2:
        raise ConfigError(
            f"{table.path}: expected at least two classes to tell them apart, but every label is {names[0]!r}; "
            "add sequences of another class"
        )
    numbers = all(_is_number(name) for name in names)
    fractions = numbers and any(float(name) % 1 for name in names)
    few = len(names) > MANY_CLASSES and n < FEW_ROWS * len(names)
    if (fractions and len(names) > 2) or few:
        what = "numbers that look measured" if numbers else "nearly as many classes as sequences"
        raise ConfigError(
            f"{table.path}: expected classes with several sequences each as labels, got {what}: "
            f"{len(names)} different ones in {n} rows ({', '.join(names[:3])} ...); make classes of them, or name "
            "another column label"
        )
    empty = _without_bases(table.sequences)
    if empty == n:
        raise ConfigError(
            f"{table.path}: expected sequences with known bases, but all {n} are N only; check the file"
        )


def warnings_of(sets: Mapping[str, LabelledSequences | None]) -> list[str]:
    """Sentences about what makes metrics mean less than they seem to, for sets named train, valid and test.

    Copies between sets, sets without a class, labels that contradict each other, rows of N, other lengths.
    """
    found = []
    there = {name: data for name, data in sets.items() if data is not None}
    rows = {name: [row.tobytes() for row in data.bases] for name, data in there.items()}
    train = there["train"]
    for name, data in there.items():
        labels = _labels(data)
        if empty := int((data.bases == N).all(axis=1).sum()):
            found.append(f"{name}: {empty:,} of {len(data):,} sequences are N only")
        contradicting = len({*zip(rows[name], labels.tolist(), strict=True)}) - len({*rows[name]})
        if contradicting > 0:
            found.append(f"{name}: {contradicting:,} sequences also come with another label")
        n_unknown = ((data.bases == N) & _inside(data)).sum(1)
        if unknown := int((n_unknown > MUCH_N * data.lengths).sum()) - empty:
            found.append(f"{name}: {unknown:,} of {len(data):,} sequences are N for more than {MUCH_N:.0%}")
        if name == "train":
            found += _imbalance(data)
            continue
        for other in [key for key in ("train", "valid") if key in there and key != name]:
            known = {*rows[other]}
            if same := sum(row in known for row in rows[name]):
                found.append(
                    f"{name}: {same:,} of {len(data):,} sequences are also in {other}, so its metrics test memory"
                )
        if len(held := sorted({*labels.tolist()})) == 1:
            found.append(
                f"{name}: every label is {data.label_names[held[0]]!r}, so AUC and MCC are not defined"
            )
        longest, least = int(data.lengths.max()), int(train.lengths.min())
        if longest < SHORT * least:
            found.append(
                f"{name}: sequences of at most {longest} bases, but those of train have at least {least}"
            )
    return found


def _inside(data: LabelledSequences) -> np.ndarray:
    """Which places of the rows are bases and not padding."""
    inside: np.ndarray = np.arange(data.bases.shape[1]) < data.lengths[:, None]
    return inside


def _imbalance(data: LabelledSequences) -> list[str]:
    """A sentence where a class is so rare that accuracy says little."""
    counts = np.bincount(_labels(data), minlength=len(data.label_names))
    k = int(counts.argmin())
    if counts[k] >= RARE * len(data) / max(len(counts), 1) * 2:
        return []
    return [f"train: only {counts[k]:,} of {len(data):,} sequences are {data.label_names[k]!r}; a model that never "
            "says so is nearly always right: look at AUC or MCC, not at accuracy"]


def sizes_of(name: str, data: LabelledSequences, origin: str) -> str:
    """One line about a set: rows, classes with their sizes, lengths, where it comes from."""
    counts = Counter(_labels(data).tolist())
    listed = [f"{text} {counts[k]:,}" for k, text in enumerate(data.label_names)]
    more = f", and {len(listed) - SHOWN} more classes" if len(listed) > SHOWN else ""
    low, high = int(data.lengths.min()), int(data.lengths.max())
    lengths = f"{high}" if low == high else f"{low} to {high}"
    return f"{name}: {len(data):,} sequences of {lengths} bases ({', '.join(listed[:SHOWN])}{more}), {origin}"


def _without_bases(sequences: Sequence[bytes]) -> int:
    return sum(not sequence.upper().strip(b"N") for sequence in sequences)


def _labels(data: LabelledSequences) -> np.ndarray:
    if data.labels is None:
        raise ConfigError("train: expected labelled sequences, but the dataset has no labels; add a label column")
    return data.labels


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def of_few_windows(n: int, rows_per_step: int) -> tuple[str, ...]:
    """A remark where one step sees more rows than there are windows to learn from."""
    if rows_per_step <= n:
        return ()
    return (
        f"batch_size: one step has {rows_per_step:,} rows, but there are {n:,} windows to learn from, so it sees some "
        "more than once; lower batch_size for more steps",
    )
