"""`gattn train CONFIG.toml` and `gattn finetune CKPT CONFIG.toml`."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from gattn_tg.cli import device, mpi
from gattn_tg.cli.output import require_apart, say, say_json
from gattn_tg.errors import ConfigError
from gattn_tg.explain.drawings.answers import outcome_sections
from gattn_tg.explain.drawings.charts import MOTIF_TABLE, motif_bars
from gattn_tg.explain.drawings.curves import Told, curves_page
from gattn_tg.explain.drawings.page import section
from gattn_tg.explain.drawings.svg import MUTED
from gattn_tg.explain.motif_table import motif_frequency
from gattn_tg.front.progress import Progress
from gattn_tg.io.whole import write_text
from gattn_tg.models import checkpoint
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.keep.folder import Mode
from gattn_tg.training.keep.journal import Journal
from gattn_tg.training.loop.communicator import Communicator
from gattn_tg.training.loop.watch import N_COMPILING
from gattn_tg.training.rehearsal import Rehearsal, rehearse
from gattn_tg.training.run import Run, train
from gattn_tg.training.tasks.sequences import SequenceTask

CURVES = "curves.html"
INTERRUPTED = 130


def run(arguments: argparse.Namespace) -> int:
    """Trains, tests and tells where the checkpoint is; 130 after Ctrl-C, with a run that --resume goes on with.

    `gattn finetune` begins with the weights of its checkpoint as far as they fit.
    """
    folder = arguments.output or Path("runs") / arguments.config.stem
    start: Path | None = getattr(arguments, "checkpoint", None)
    verb = f"gattn {arguments.verb}"
    again = f"{verb}{f' {start}' if start else ''} {arguments.config} -o {folder} --resume"
    require_apart(verb, [folder], arguments)
    with mpi.world(arguments.mpi) as world:
        config = TrainConfig.from_toml(arguments.config)
        if arguments.dry_run:
            return rehearsed(arguments, config, world)
        chosen = mode(arguments, verb)
        watcher = Progress(quiet=arguments.json or world.rank > 0)
        kind = arguments.devices.split(":")[0] if arguments.devices else arguments.device
        with device.on(kind, mpi.n_threads(world, arguments.threads)):
            done = train(
                config, folder, mode=chosen, seed=arguments.seed, watcher=watcher, communicator=world,
                device=mpi.devices(world, arguments.devices), from_checkpoint=arguments.from_checkpoint or "",
                start=start,
            )  # fmt: skip
            if world.rank == 0:
                draw(done, config)
    if world.rank > 0:
        return INTERRUPTED if done.fitted.interrupted else 0
    return report(done, arguments.json, again)


def rehearsed(arguments: argparse.Namespace, config: TrainConfig, world: Communicator) -> int:
    """Tells what the run would be; writes nothing.

    Raises:
        ConfigError: several processes, whose steps depend on each other and on what lies between them.
    """
    if world.n_ranks > 1:
        raise ConfigError(f"gattn {arguments.verb}: --dry-run: expected one process, got {world.n_ranks}; leave out "
                          "mpiexec or srun")
    kind = arguments.devices.split(":")[0] if arguments.devices else arguments.device
    with device.on(kind, arguments.threads):
        found = rehearse(config, seed=arguments.seed, device=mpi.devices(world, arguments.devices),
                         start=getattr(arguments, "checkpoint", None))  # fmt: skip
    return foretell(found, arguments.json)


def foretell(found: Rehearsal, as_json: bool) -> int:
    """Tells on standard output what a run would be; nothing was written."""
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


def draw(done: Run, config: TrainConfig) -> None:
    """Writes curves.html of a run."""
    told = Told(
        name=config.path.stem,
        kind=config.kind,
        n_parameters=done.task.model.n_parameters,
        monitor=config.train.monitor or next(iter(done.task.monitors)),
        best_step=done.fitted.best_step,
        seconds=done.fitted.seconds,
        test=done.test or {},
    )
    lines = Journal(done.folder / "metrics.jsonl").lines()
    more = [*motif_sections(done), *(outcome_sections(done.tested) if done.tested else [])]
    if drawn := curves_page(lines, told, more):
        write_text(done.folder / CURVES, drawn)


def motif_sections(done: Run) -> list[str]:
    """The motif table of a model of sequences whose bias has one entry per motif, with how frequent motifs are."""
    task, best = done.task, done.folder / "best"
    if not isinstance(task, SequenceTask) or task.model.config.weighs_motifs or not best.is_dir():
        return []
    names, colours = list(task.vocabulary.names), list(task.vocabulary.colours)
    frequency = motif_frequency(task.train.motif_ids, task.train.lengths, task.model.config.n_motifs)
    model = checkpoint.load(best).model  # on one device, whatever it was trained on
    tables = list(model.motif_table(frequency).values())
    if not tables or tables[0].shape[-1:] != frequency.shape or tables[0].ndim > 1 + model.config.per_head:
        return []
    rows = np.stack([table.mean(0) if table.ndim > 1 else table for table in tables])
    unused = len(frequency) - len(names)
    drawing = motif_bars(rows, names + [""] * unused, colours + [MUTED] * unused, frequency, "centred motif table")
    return [section("The motif table", MOTIF_TABLE, drawing, wide=True)]


def mode(arguments: argparse.Namespace, verb: str) -> Mode:
    """What to do with a folder that holds a run.

    Raises:
        ConfigError: --overwrite came together with --resume or --from.
    """
    resumes = arguments.resume or arguments.from_checkpoint
    if resumes and arguments.overwrite:
        raise ConfigError(f"{verb}: expected one of --resume and --overwrite, but both came; remove one")
    return "resume" if resumes else "overwrite" if arguments.overwrite else "new"


def report(done: Run, as_json: bool, again: str) -> int:
    """Tells what a run came to; the exit code.

    Args:
        done: The run.
        as_json: One object instead of lines.
        again: The command that goes on after Ctrl-C.
    """
    fitted = done.fitted
    best = next((v for v in fitted.validations if v.step == fitted.best_step), None)
    best_epoch = fitted.best_step / fitted.steps_per_epoch
    if as_json:
        say_json(
            {
                "folder": str(done.folder),
                "best": str(done.folder / "best"),
                "best_epoch": int(best_epoch) if best_epoch.is_integer() else round(best_epoch, 3),
                "best_step": fitted.best_step,
                "steps": fitted.step,
                "interrupted": fitted.interrupted,
                "valid": best.to_dict()["metrics"] if best else None,
                "test": {k: None if v != v else v for k, v in done.test.items()} if done.test else None,
                "seconds": round(fitted.seconds, 1),
            }
        )
        return INTERRUPTED if fitted.interrupted else 0
    if fitted.interrupted:
        say(f"interrupted at step {fitted.step}; go on with: {again}")
        return INTERRUPTED
    say(f"best at step {fitted.best_step} of {fitted.step}: {done.folder / 'best'}  ({fitted.seconds:.0f} s)")
    say(f"curves: {done.folder / CURVES}")
    if done.test:
        say("test  " + "  ".join(f"{k} {v:.4f}" for k, v in done.test.items() if k != "n"))
    return 0
