"""What is exported of each kind of model: which function, in rows of which size, and what its numbers mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tinygrad import Tensor

from gattn_tg.errors import FormatError, UnsupportedError
from gattn_tg.models.checkpoint import Checkpoint
from gattn_tg.models.imported.trunk import ImportedTrunk
from gattn_tg.models.readouts import (
    LabelReadout,
    NextBaseReadout,
    SequenceReadout,
    SiteReadout,
    TrackReadout,
    ValueReadout,
)
from gattn_tg.models.strands import require_symmetric
from gattn_tg.seq.alphabet import N

AT_ONCE_BP = 4096  # bases of a call, about: enough for the kernels, and little for a phone
MOST_ROWS = 64
LONGEST_BP = 1 << 19  # of a window: what a page with a few layers has memory for
WHY_NOT = {
    "MaskedEncoder": "it names hidden bases, of which every sequence has another number",
    "ImportedEncoder": "it names hidden bases, of which every sequence has another number",
    "SiteModel": "it reads rows of neighbouring sites with what surrounds them in a genome, which Python prepares",
}


@dataclass(frozen=True)
class Form:
    """What is captured of a model, and what a page must know of it.

    Args:
        function: base ids and motif ids (r, n), lengths (r,), to numbers (r, ...).
        rows: sequences of a call.
        width: bases of each.
        reads_lengths: whether lengths are looked at.
        answers: what the numbers mean, in a sentence.
        about: the same for a page, JSON values.
    """

    function: Callable[..., Tensor]
    rows: int
    width: int
    reads_lengths: bool
    answers: str
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def inputs(self) -> list[np.ndarray]:
        """Arrays of the shapes of the arguments."""
        shape = (self.rows, self.width)
        ids = [np.full(shape, N, np.uint8), np.zeros(shape, np.uint8)]
        return [*ids, np.full(self.rows, self.width, np.int32)] if self.reads_lengths else ids


def form_of(checkpoint: Checkpoint) -> Form:
    """The form of a trained model.

    Raises:
        UnsupportedError: a model that is not exported, with the reason.
        FormatError: a checkpoint that does not say how it was trained.
    """
    name, readout, vocabulary = checkpoint.kind.name, checkpoint.readout, checkpoint.vocabulary
    if name in WHY_NOT:
        raise UnsupportedError(f"export: expected a model of sequences, of tracks, of bases or of next bases, got a "
                               f"{name}: {WHY_NOT[name]}; ask it in Python")
    if vocabulary.states:
        raise UnsupportedError(f"export: expected a model that letters are enough for, got a {name} that reads "
                               "measured states beside them, which are known of reads only; ask it in Python")
    if readout is None:
        raise FormatError(f"export: expected a checkpoint of a {name} that says what its answers mean, got one that "
                          "does not; was it written by `gattn train`?")
    if isinstance(readout, SequenceReadout):
        return _of_sequences(checkpoint, readout)
    if isinstance(readout, TrackReadout):
        return _of_tracks(checkpoint, readout)
    if isinstance(readout, SiteReadout):
        return _of_bases(checkpoint, readout)
    assert isinstance(readout, NextBaseReadout)  # all others are refused above
    return _of_next_bases(checkpoint, readout)


def _of_sequences(checkpoint: Checkpoint, readout: SequenceReadout) -> Form:
    model, config = checkpoint.model, checkpoint.config
    if isinstance(model, ImportedTrunk) and config.words == "pairs":
        raise UnsupportedError("export: expected tokens that follow from the bases, got a model whose words of "
                               "byte-pair encoding are cut in Python; ask it there")
    width = config.longest_bp
    if width is None:
        raise UnsupportedError(f"export: expected a model with a longest sequence, got a {checkpoint.kind.name} for "
                               "any length; ask it in Python")
    if readout.both_strands:
        require_symmetric(checkpoint.vocabulary)
    about: dict[str, Any] = {"task": readout.task, "labels": list(readout.labels), "shortest": readout.shortest,
                             "both_strands": readout.both_strands}  # fmt: skip
    if config.only_bp is not None:
        about["only"] = config.only_bp  # a linear model on each place: sequences of another length mean something else
    said = "logits of the classes: a softmax makes probabilities of them"
    if isinstance(readout, LabelReadout):
        said = "logits of the labels: a sigmoid makes probabilities of them"
    elif isinstance(readout, ValueReadout):
        about |= {"mean": list(readout.mean), "sd": list(readout.sd), "loss": readout.loss}
        said = ("logarithms of values over their means in training" if readout.loss == "poisson" else
                "values in standard deviations of training above their means")
    return _form(checkpoint, lambda *given: model(*given).float(), width, f"Answers are {said}: "
                 f"{', '.join(readout.labels)}.", about)  # fmt: skip


def _of_tracks(checkpoint: Checkpoint, readout: TrackReadout) -> Form:
    model, config, head = checkpoint.model, checkpoint.config, readout.heads[0]
    about = {"task": "tracks", "labels": list(head.tracks), "margin": config.crop_bp, "bin": config.token_bp,
             "scale": list(head.scale), "soft_clip": head.soft_clip, "unit": "expected counts"}  # fmt: skip
    named = f" of the head {head.head}" if len(readout.heads) > 1 else ""
    return _form(checkpoint, lambda *given: model(*given, head.head).float(), head.window_bp,
                 f"Answers are rates of the tracks{named} in bins of {config.token_bp} bases, before they are scaled "
                 "to counts.", about)  # fmt: skip


def _of_bases(checkpoint: Checkpoint, readout: SiteReadout) -> Form:
    model, n = checkpoint.model, int(checkpoint.config.n_labels)
    labels = ["probability"] if n == 1 else [f"label_{i}" for i in range(n)]
    about = {"task": "bases", "labels": labels, "margin": readout.window_bp // 4, "bin": 1, "unit": "probability"}
    return _form(checkpoint, lambda *given: model(*given).float(), readout.window_bp,
                 "Answers are logits of every base: a sigmoid makes probabilities of them.", about)


def _of_next_bases(checkpoint: Checkpoint, readout: NextBaseReadout) -> Form:
    model = checkpoint.model
    return _form(checkpoint, lambda *given: model(*given).float(), max(readout.width, 2) + 1,
                 "Answers are logits of A C G T behind every base; a row begins with one 4, for the start.",
                 {"task": "next", "labels": list("ACGT")})


def _form(
    checkpoint: Checkpoint, function: Callable[..., Tensor], width: int, answers: str, about: dict[str, Any]
) -> Form:
    if not 0 < width <= LONGEST_BP:
        raise UnsupportedError(f"export: expected windows of 1 to {LONGEST_BP:,} bases, got {width:,}; ask the model "
                               "in Python")
    vocabulary, model = checkpoint.vocabulary, checkpoint.model
    rows = max(1, min(MOST_ROWS, AT_ONCE_BP // width))
    motifs = _motifs(vocabulary.names, vocabulary.colours) if checkpoint.config.reads_motifs else []
    shared = {"kind": checkpoint.kind.name, "rows": rows, "width": width, "motifs": motifs,
              "complement": list(vocabulary.complement), "parameters": int(model.n_parameters)}  # fmt: skip
    return Form(function, rows, width, bool(model.reads_lengths), answers, {**shared, **about})


def _motifs(names: Sequence[str], colours: Sequence[str]) -> list[list[str]]:
    return [[name, colour] for name, colour in zip(names, colours, strict=True)]
