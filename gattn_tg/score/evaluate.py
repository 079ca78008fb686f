"""What a model says of the labelled sequences of a table, beside what the table says."""

from __future__ import annotations

from pathlib import Path

from gattn_tg.data import encode_labelled
from gattn_tg.errors import ConfigError
from gattn_tg.io import LabelledTable, read_labelled
from gattn_tg.io.numbers import NumberColumns
from gattn_tg.metrics.outcome import Outcome
from gattn_tg.models.captured.forward import sequence_answers
from gattn_tg.models.captured.strands import Run, over_strands
from gattn_tg.models.checkpoint import Checkpoint
from gattn_tg.models.readouts.sequences import ClassReadout, SequenceReadout, ValueReadout


def outcome(
    checkpoint: Checkpoint, path: Path | str, *, batch_size: int = 128, both_strands: bool = False,
    run: Run | None = None,
) -> Outcome:  # fmt: skip
    """Predicts a CSV/TSV that has the columns of the training data; `both_strands` and `run` as for `answers`.

    Raises:
        FormatError: The file is malformed, or has a sequence too long for the model.
        ConfigError: The file has a class the model does not know, the vocabulary is not strand-symmetric, or the model
            does not answer about whole sequences.
    """
    readout = checkpoint.readout
    if not isinstance(readout, SequenceReadout):
        raise ConfigError("evaluate: expected a model of classes, labels or values for a table, got another; name a "
                          "configuration")  # fmt: skip
    dataset = encode_labelled(
        read_for(readout, path), checkpoint.vocabulary, checkpoint.config.max_length, readout.labels
    )
    run = run or sequence_answers(checkpoint.model, readout, batch_size)
    answers = (over_strands(run, checkpoint.vocabulary) if both_strands else run)(*dataset.inputs)
    truth = dataset.labels if isinstance(readout, ClassReadout) else dataset.values
    assert truth is not None  # the table was read with what the readout names
    return Outcome(readout, truth, answers)


def read_for(readout: SequenceReadout, path: Path | str) -> LabelledTable:
    """A table with what a model answers.

    Raises:
        FormatError: It is malformed, or lacks a column.
    """
    states = readout.state_column or None
    if isinstance(readout, ClassReadout):
        return read_labelled(path, sequence=readout.sequence_column, label=readout.label_column, states=states)
    if isinstance(readout, ValueReadout):
        numbers = NumberColumns(readout.labels, "count" if readout.loss == "poisson" else "number")
    else:
        numbers = NumberColumns(readout.labels, "yes_no")
    return read_labelled(path, sequence=readout.sequence_column, numbers=numbers, states=states)
