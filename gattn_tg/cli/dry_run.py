"""`gattn train CONFIG.toml --dry-run`: what a run would be, before it is made."""

from __future__ import annotations

from gattn_tg.cli.output import say, say_json
from gattn_tg.training.loop.watch import N_COMPILING
from gattn_tg.training.rehearsal import Rehearsal


def report(found: Rehearsal, as_json: bool) -> int:
    """Tells it on standard output; nothing was written."""
    if as_json:
        say_json(found.to_dict())
        return 0
    for note in found.notes:
        say(note)
    noted = {note.partition(":")[0] for note in found.notes}
    for part, counts in found.counts.items():
        if part not in noted:
            say(f"{part}: {', '.join(f'{n:,} {what}' for what, n in counts.items())}")
    for warning in found.warnings:
        say(f"warning: {warning}")
    say(f"{found.n_parameters:,} parameters, {found.n_steps:,} steps, {found.steps_per_epoch:,} of them an epoch")
    say(f"epoch       {duration(found.epoch_s)}  (a step takes {1000 * found.step_s:,.1f} ms)")
    say(f"validation  {duration(found.validation_s)}  ({found.n_validations:,} times)")
    say(f"run         {duration(found.run_s)} at most, and {duration(found.read_s)} for reading the data")
    if found.peak_bytes is not None:
        say(f"memory      {found.peak_bytes / 2**20:,.0f} MiB of main memory at most")
    say(
        f"measured here, now: {found.n_timed} steps after {N_COMPILING} that compiled kernels "
        f"({duration(found.compiled_s)}, which are kept), a validation and a checkpoint, all forgotten; the test is "
        "reckoned from the validation"
    )
    return 0


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
