"""What a user should know of labelled data before a model learns from it: what is refused, warned of, and said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gattn_tg.data import LabelledSequences
from gattn_tg.data.facts import RowFacts
from gattn_tg.errors import ConfigError, counted
from gattn_tg.types import Float, Int

MANY_CLASSES = 10  # numbers as labels: so many values with few rows each are measurements, not classes
FEW_ROWS = 5
SHORT = 0.5  # of the shortest training sequence: shorter ones are another kind of data
SHOWN = 6  # classes or columns that are listed
MUCH_N = 0.1  # share of a sequence
RARE = 0.1  # share of two classes, or of a label, below which it is rare; of more classes accordingly less


def require_classes(data: LabelledSequences, where: str) -> None:
    """Refuses labels from which no classes can be learnt.

    Raises:
        ConfigError: One class only, numbers with many values, only sequences of N, or nearly as many classes as rows.
    """
    names, n = data.label_names, len(data)
    if len(names) < 2:
        raise ConfigError(
            f"{where}: expected at least two classes to tell them apart, but every label is {names[0]!r}; "
            "add sequences of another class"
        )
    numbers = all(_is_number(name) for name in names)
    fractions = numbers and any(float(name) % 1 for name in names)
    few = len(names) > MANY_CLASSES and n < FEW_ROWS * len(names)
    if (fractions and len(names) > 2) or few:
        what = "numbers that look measured" if numbers else "nearly as many classes as sequences"
        raise ConfigError(
            f"{where}: expected classes with several sequences each as labels, got {what}: "
            f"{len(names)} different ones in {n} rows ({', '.join(names[:3])} ...); make classes of them, or name "
            "another column label"
        )
    _require_bases(data, where)


def require_labels(data: LabelledSequences, where: str) -> None:
    """Refuses columns of 0 and 1 from which nothing can be learnt.

    Raises:
        ConfigError: A column without a 0 or without a 1, or only sequences of N.
    """
    left = "label_columns, or add sequences"
    _require_two(data, where, "0 and 1 in column {} to tell them apart", "only {:.0f}", left)


def require_values(data: LabelledSequences, where: str) -> None:
    """Refuses columns of numbers from which nothing can be learnt.

    Raises:
        ConfigError: A column of one value, or only sequences of N.
    """
    _require_two(data, where, "different values in column {} to learn from", "{:g} everywhere", "label_columns")


def _require_two(data: LabelledSequences, where: str, expected: str, only: str, left: str) -> None:
    """Refuses columns with fewer than two different known values, with the words of a task."""
    for name, known in _known(data):
        if len(np.unique(known)) < 2:
            got = only.format(known[0]) if known.size else "no known cell"
            raise ConfigError(
                f"{where}: expected {expected.format(repr(name))}, got {got}; leave it out of {left}"
            )
    _require_bases(data, where)


def of_classes(sets: Mapping[str, LabelledSequences], *, weighted: bool) -> list[str]:
    """Sentences about what makes metrics of classes mean less than they seem to, for sets named train, valid and test.

    Copies between sets, sets without a class, labels that contradict each other, rare classes, rows of N, other
    lengths.
    """
    found = []
    for name, data in sets.items():
        labels = labels_of(data)
        if contradicting := _contradicting(_facts(data).content, labels):
            found.append(f"{name}: {counted(contradicting, 'sequence')} with another label elsewhere")
        if name != "train" and len(held := np.unique(labels)) == 1:
            found.append(f"{name}: every label is {data.label_names[held[0]]!r}, so AUC and MCC are not defined")
    return _ordered(sets, found if weighted else [*found, *_imbalance(sets["train"])])


def _imbalance(data: LabelledSequences) -> list[str]:
    """A sentence where a class is so rare that accuracy says little."""
    counts = np.bincount(labels_of(data), minlength=len(data.label_names))
    k = int(counts.argmin())
    if counts[k] >= RARE * len(data) / max(len(counts), 1) * 2:
        return []
    return [f"train: only {counts[k]:,} of {len(data):,} sequences are {data.label_names[k]!r}; a model that never "
            'says so is nearly always right: look at AUC or MCC, not at accuracy, or set class_weights = "balanced"']


def of_labels(sets: Mapping[str, LabelledSequences], *, weighted: bool) -> list[str]:
    """The same about labels: such as hold for no sequence of a set, for few, or are not known."""
    found = _unknown(sets)
    for name, data in sets.items():
        values = values_of(data)
        counts = list(zip(data.label_names, np.nansum(values, 0), (~np.isnan(values)).sum(0), strict=True))
        if never := [text for text, n, known in counts if known and not n]:
            found.append(f"{name}: no sequence has {_listed(never)}, so AUPRC and AUC are not defined for it")
        if always := [text for text, n, known in counts if known and n == known]:
            found.append(f"{name}: every sequence has {_listed(always)}, so AUC is not defined for it")
        rare = [f"{text} {n:,.0f}" for text, n, known in counts if 0 < n < RARE * known]
        if rare and not weighted and name == "train":
            found.append(
                f"train: labels that hold for few of {len(data):,} sequences: {_listed(rare)}; see auprc, and "
                'class_weights = "balanced" lets their 0 and 1 count alike'
            )
    return _ordered(sets, found)


def of_values(sets: Mapping[str, LabelledSequences]) -> list[str]:
    """The same about values: such as are missing, or all equal in a set."""
    found = _unknown(sets)
    for name, data in sets.items():
        columns = zip(data.label_names, values_of(data).T, strict=True)
        if same := [text for text, column in columns if len(np.unique(column[~np.isnan(column)])) == 1]:
            found.append(f"{name}: one value only in {_listed(same)}, so correlations are not defined for it")
    return _ordered(sets, found)


def labels_of(data: LabelledSequences) -> Int[np.ndarray, "N"]:
    """The class of each sequence.

    Raises:
        ConfigError: It has none.
    """
    if data.labels is None:
        raise ConfigError("train: expected labelled sequences, but the dataset has no labels; add a label column")
    return data.labels


def values_of(data: LabelledSequences) -> Float[np.ndarray, "N k"]:
    """The numbers of a set, nan where one is not known.

    Raises:
        ConfigError: It has none.
    """
    if data.values is None:
        raise ConfigError("label_columns: expected sequences with numbers, got none; name the columns")
    return data.values


def require_spread(train: LabelledSequences) -> None:
    """Refuses a training set of which the values of a column are all equal: there is no scale to learn them on.

    Raises:
        ConfigError: Names the column.
    """
    for name, column in zip(train.label_names, values_of(train).T, strict=True):
        known = column[~np.isnan(column)]
        if not known.size or known.std() == 0:
            raise ConfigError(
                f"label_columns: expected different values of {name!r} among the {len(train):,} sequences of train, "
                f"got {len(np.unique(known))}; give more data, or leave it out"
            )


def sizes_of(name: str, data: LabelledSequences, described: Sequence[str], origin: str) -> str:
    """One line about a set: rows, what it holds, lengths, where it comes from."""
    low, high = int(data.lengths.min()), int(data.lengths.max())
    lengths = f"{high}" if low == high else f"{low} to {high}"
    return f"{name}: {len(data):,} sequences of {lengths} bases ({_listed(described)}), {origin}"


def class_sizes(data: LabelledSequences) -> dict[str, int]:
    """Each class and its sequences."""
    counts = np.bincount(labels_of(data), minlength=len(data.label_names))
    return dict(zip(data.label_names, counts.tolist(), strict=True))


def label_sizes(data: LabelledSequences) -> dict[str, int]:
    """Each label and the sequences that have it."""
    return {text: int(n) for text, n in zip(data.label_names, np.nansum(values_of(data), 0), strict=True)}


def value_ranges(data: LabelledSequences) -> list[str]:
    """Each column, its least and its largest value."""
    columns = zip(data.label_names, values_of(data).T, strict=True)
    return [f"{text} {np.nanmin(column):.4g} to {np.nanmax(column):.4g}" if not np.isnan(column).all() else
            f"{text} unknown" for text, column in columns]  # fmt: skip


def _of_sequences(name: str, sets: Mapping[str, LabelledSequences]) -> list[str]:
    """Rows of N, copies in an earlier set, other lengths."""
    found, data, train = [], sets[name], sets["train"]
    facts = _facts(data)
    if empty := int((facts.unknown == data.lengths).sum()):
        found.append(f"{name}: {empty:,} of {len(data):,} sequences are N only")
    if unknown := int((facts.unknown > MUCH_N * data.lengths).sum()) - empty:
        found.append(f"{name}: {unknown:,} of {len(data):,} sequences are N for more than {MUCH_N:.0%}")
    if name == "train":
        return found
    for other in [key for key in ("train", "valid") if key in sets and key != name]:
        same = np.isin(facts.content, _facts(sets[other]).content)
        if same.any():
            found.append(f"{name}: {same.sum():,} of {len(data):,} sequences are also in {other}, so its metrics test "
                         "memory")
        if turned := int((np.isin(facts.sequence, _facts(sets[other]).sequence) & ~same).sum()):
            found.append(f"{name}: {turned:,} of {len(data):,} sequences are also in {other}, on the other strand or "
                         "with other measured states")
    longest, least = int(data.lengths.max()), int(train.lengths.min())
    if longest < SHORT * least:
        found.append(f"{name}: sequences of at most {longest} bases, but those of train have at least {least}")
    return found


def _ordered(sets: Mapping[str, LabelledSequences], found: Sequence[str]) -> list[str]:
    """What was found in the answers beside what is found in the sequences, set by set."""
    return [text for name in sets
            for text in [*_of_sequences(name, sets), *(text for text in found if text.startswith(f"{name}: "))]
            ]  # fmt: skip


def _unknown(sets: Mapping[str, LabelledSequences]) -> list[str]:
    """Rows of which nothing is known: they teach nothing."""
    found = []
    for name, data in sets.items():
        if n := int(np.isnan(values_of(data)).all(1).sum()):
            found.append(f"{name}: nothing is known of {n:,} of {len(data):,} sequences, so they do not count")
    return found


def _known(data: LabelledSequences) -> list[tuple[str, np.ndarray]]:
    """Each column and its known cells."""
    return [(name, column[~np.isnan(column)]) for name, column in zip(data.label_names, values_of(data).T, strict=True)]


def _require_bases(data: LabelledSequences, where: str) -> None:
    if (_facts(data).unknown == data.lengths).all():
        raise ConfigError(
            f"{where}: expected sequences with known bases, but all {len(data)} are N only; check the file"
        )


def _facts(data: LabelledSequences) -> RowFacts:
    """What is known of each row without its bases."""
    found = data.with_facts().facts
    assert found is not None
    return found


def _contradicting(content: Int[np.ndarray, "N"], labels: Int[np.ndarray, "N"]) -> int:
    """How many more pairs of a sequence and a label there are than sequences."""
    order = np.lexsort((labels, content))
    content, labels = content[order], labels[order]
    same = content[1:] == content[:-1]
    return int((same & (labels[1:] != labels[:-1])).sum())


def _listed(texts: Sequence[str]) -> str:
    more = f", and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return f"{', '.join(texts[:SHOWN])}{more}"


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
