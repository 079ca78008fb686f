"""What is exported of each kind of model: which function, in rows of which size, and what its numbers mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tinygrad import Tensor

from gattn_tg.errors import ConfigError, FormatError, UnsupportedError, an
from gattn_tg.models.captured.strands import require_symmetric
from gattn_tg.models.checkpoint import Checkpoint
from gattn_tg.models.config import TrunkConfig
from gattn_tg.models.imported.config import ImportedConfig
from gattn_tg.models.imported.tokens import places_of
from gattn_tg.models.readouts.bases import NextBaseReadout, SiteReadout
from gattn_tg.models.readouts.sequences import LabelReadout, SequenceReadout, ValueReadout
from gattn_tg.models.readouts.tracks import TrackReadout
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


def form_of(checkpoint: Checkpoint, head: str | None = None) -> Form:
    """The form of a trained model.

    Args:
        checkpoint: the model.
        head: of a model of tracks; None takes all of them.

    Raises:
        UnsupportedError: a model that is not exported, with the reason.
        FormatError: a checkpoint that does not say how it was trained.
        ConfigError: no such head, or several that see windows of other sizes.
    """
    name, readout, vocabulary = checkpoint.kind.name, checkpoint.readout, checkpoint.vocabulary
    if name in WHY_NOT:
        raise UnsupportedError(f"export: expected a model of sequences, of tracks, of bases or of next bases, got a "
                               f"{name}: {WHY_NOT[name]}; ask it in Python")
    if vocabulary.states:
        raise UnsupportedError(f"export: expected a model that letters are enough for, got {an(name)} that reads "
                               "measured states beside them, which are known of reads only; ask it in Python")
    if readout is None:
        raise FormatError(f"export: expected a checkpoint of {an(name)} that says what its answers mean, got one that "
                          "does not; was it written by `gattn train`?")
    if head is not None and not isinstance(readout, TrackReadout):
        raise ConfigError(f"export: expected no head for {an(name)}, got {head!r}; leave it out")
    if isinstance(readout, SequenceReadout):
        return _of_sequences(checkpoint, readout)
    if isinstance(readout, TrackReadout):
        return _of_tracks(checkpoint, readout, head)
    if isinstance(readout, SiteReadout):
        return _of_bases(checkpoint, readout)
    assert isinstance(readout, NextBaseReadout)  # all others are refused above
    return _of_next_bases(checkpoint, readout)


def _of_sequences(checkpoint: Checkpoint, readout: SequenceReadout) -> Form:
    model, config = checkpoint.model, checkpoint.config
    if isinstance(config, ImportedConfig) and config.words == "pairs":
        raise UnsupportedError("export: expected tokens that follow from the bases, got a model whose words of "
                               "byte-pair encoding are cut in Python; ask it there")
    width = config.longest_bp
    if width is None:
        raise UnsupportedError(f"export: expected a model with a longest sequence, got {an(checkpoint.kind.name)} for "
                               "any length; ask it in Python")
    if readout.both_strands:
        require_symmetric(checkpoint.vocabulary)
    about: dict[str, Any] = {"task": readout.task, "labels": list(readout.labels), "shortest": readout.shortest,
                             "both_strands": readout.both_strands}  # fmt: skip
    if config.only_bp is not None:
        about["only"] = config.only_bp  # a linear model on each place: sequences of another length mean something else
    if isinstance(config, ImportedConfig):
        places = [n for n in (config.most_tokens, places_of(config, width)) if n is not None]
        about["tokens"] = {"words": config.words, "bp": config.word_bp, "frame": config.n_frame, "most": min(places)}
    said = "logits of the classes: a softmax makes probabilities of them"
    if isinstance(readout, LabelReadout):
        said = "logits of the labels: a sigmoid makes probabilities of them"
    elif isinstance(readout, ValueReadout):
        about |= {"mean": list(readout.mean), "sd": list(readout.sd), "loss": readout.loss}
        said = ("logarithms of values over their means in training" if readout.loss == "poisson" else
                "values in standard deviations of training above their means")
    return _form(checkpoint, lambda *given: model(*given).float(), width, f"Answers are {said}: "
                 f"{', '.join(readout.labels)}.{_limits(config)}", about)  # fmt: skip


def _limits(config: TrunkConfig) -> str:
    """Which rows a model cannot read, for those who fill them."""
    if config.only_bp is not None:
        return f" Rows have {config.only_bp} bases, no more and no fewer."
    if not isinstance(config, ImportedConfig):
        return ""
    if config.words == "overlapping":
        return f" Rows have at least {config.word_bp} bases, which make one word."
    return f" Every N is a token, and ends a word of {config.word_bp} bases: rows with many of them have no place."


def _of_tracks(checkpoint: Checkpoint, readout: TrackReadout, head: str | None) -> Form:
    model, config = checkpoint.model, checkpoint.config
    heads = readout.heads if head is None else (readout.of(head),)
    if len({one.window_bp for one in heads}) > 1:
        sizes = ", ".join(f"{one.head} {one.window_bp}" for one in heads)
        raise ConfigError(f"export: expected heads that see windows of one size, got {sizes} bases; name one head")
    labels = [name if len(heads) == 1 else f"{one.head}: {name}" for one in heads for name in one.tracks]
    about = {
        "task": "tracks", "labels": labels, "margin": config.crop_bp, "bin": config.bin_bp, "unit": "expected counts",
        "scale": [float(x) for one in heads for x in one.scale],
        "soft_clip": [one.soft_clip for one in heads for _ in one.tracks],
    }  # fmt: skip

    names = [one.head for one in heads]
    answers = f"rates of {', '.join(labels)} in bins of {config.bin_bp} bases, before they are scaled to counts"
    return _form(checkpoint, lambda *given: model.rates(*given, names).float(), heads[0].window_bp,
                 f"Answers are {answers}.", about)  # fmt: skip


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
    vocabulary, model, config = checkpoint.vocabulary, checkpoint.model, checkpoint.config
    rows = max(1, min(MOST_ROWS, AT_ONCE_BP // width))
    motifs = _motifs(vocabulary.names, vocabulary.colours) if config.reads_motifs and not config.weighs_motifs else []
    shared = {"kind": checkpoint.kind.name, "rows": rows, "width": width, "motifs": motifs,
              "complement": list(vocabulary.complement), "parameters": int(model.n_parameters)}  # fmt: skip
    return Form(function, rows, width, bool(model.reads_lengths), answers, {**shared, **about})


def _motifs(names: Sequence[str], colours: Sequence[str]) -> list[list[str]]:
    return [[name, colour] for name, colour in zip(names, colours, strict=True)]
