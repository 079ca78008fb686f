"""From a trained model and variants to what they do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gattn_tg.front.asked_model import AskedModel
from gattn_tg.io import Genome
from gattn_tg.models.captured.forward import rows_of
from gattn_tg.models.checkpoint import CONFIG
from gattn_tg.models.readouts.sequences import SequenceReadout
from gattn_tg.score.in_turns import from_first
from gattn_tg.score.variants.answers import answers_of
from gattn_tg.score.variants.asked import Asked, Variants
from gattn_tg.score.variants.background import Background
from gattn_tg.score.variants.effects import Effects
from gattn_tg.score.variants.files import digest, told_of
from gattn_tg.score.variants.options import Options
from gattn_tg.score.variants.table import VariantEffects


@dataclass(frozen=True, kw_only=True)
class VariantQuestion:
    """How two alleles are compared; the fields are the arguments of `Trained.variants`."""

    window: int | None = None
    both_strands: bool | None = None
    shifts: Sequence[int] = (0,)
    rename: Mapping[str, str] | str | None = None
    head: str | None = None
    tracks: Sequence[str] | None = None
    batch_size: int = 128


def variant_effects(
    model: AskedModel, genome: str | Path, variants: Variants, question: VariantQuestion, *,
    background: str | Path | None = None, skip_mismatched: str | Path | None = None, overwrite: bool = False,
) -> VariantEffects:  # fmt: skip
    """What variants do; see `Trained.variants`."""
    opened = Genome(genome)
    asked = Asked(variants, opened, rename=question.rename)
    n, n_mismatched = from_first(lambda: asked.checked(skip_mismatched, overwrite=overwrite), model.over)
    rows = rows_of(question.batch_size, 1 << (2 * n - 1).bit_length())  # few variants need no full batch
    both, readout = question.both_strands, model.checkpoint.readout
    if both is None:
        both = isinstance(readout, SequenceReadout) and readout.both_strands
    options = Options(batch_size=rows, both_strands=both, window=question.window, head=question.head,
                      tracks=question.tracks)  # fmt: skip
    answers = model.held(("variants", options.key), lambda: answers_of(model.checkpoint, options))
    compared = None
    if background is not None:
        compared = Background(variant_effects(model, genome, background, question).differences())
    effects = Effects(answers, model.vocabulary, opened, question.shifts, compared, model.over)
    settings = {
        "model": digest(model.folder / CONFIG), "genome": told_of(genome),
        "variants": told_of(asked.path or variants), "background": told_of(background),
        "rename": question.rename, "shifts": list(question.shifts), "options": options.told,
    }  # fmt: skip
    return VariantEffects(asked, effects, n, n_mismatched, settings, model.each_here)
