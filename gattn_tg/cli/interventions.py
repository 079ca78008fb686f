"""`gattn explain CKPT BACKGROUNDS --insert CTCF,SP1 -o why/` and `--remove CTCF`"""

from __future__ import annotations

import argparse
import time

from gattn_tg.cli import device, output
from gattn_tg.cli.bar import Bar
from gattn_tg.errors import ConfigError
from gattn_tg.front.load import load
from gattn_tg.front.why.explanations import INDEX, require_new
from gattn_tg.front.why.interventions import EFFECTS, Interventions

VERB = "gattn explain"
# options of explanations base by base
OF_BASES = ("bed", "method", "at", "stretch", "head", "hold_motifs", "steps", "references")
OF_INSERTION = ("positions", "distances", "strands", "sampled", "shuffle")
OF_REMOVAL = ("shuffles",)
OF_BOTH = ("motifs",)


def run(arguments: argparse.Namespace) -> int:
    """Writes a page and a table of what motifs do."""
    if arguments.insert is not None and arguments.remove is not None:
        raise ConfigError(f"{VERB}: expected --insert or --remove, got both; run it twice")
    refuse(arguments, OF_BASES, "neither --insert nor --remove")
    refuse(arguments, OF_REMOVAL if arguments.insert is not None else OF_INSERTION,
           "--remove" if arguments.insert is not None else "--insert")  # fmt: skip
    output.require_writable(VERB, arguments.output)
    require_new(arguments.output, overwrite=arguments.overwrite, mark=EFFECTS)
    began = time.perf_counter()
    bar = Bar("asked for", quiet=arguments.json, items="sequences")
    with device.on(arguments.device, arguments.threads), bar:
        found = asked(arguments, bar)
    found.write(arguments.output, overwrite=arguments.overwrite)
    seconds = time.perf_counter() - began
    if arguments.json:
        output.say_json({"output": str(arguments.output), "n": found.n, "target": found.target, "unit": found.unit,
                         "seconds": round(seconds, 2)})
        return 0
    output.say(f"{found.summary} -> {arguments.output / INDEX}  ({seconds:.1f} s)")
    return 0


def asked(arguments: argparse.Namespace, bar: Bar) -> Interventions:
    """What the library says."""
    model, seed = load(arguments.checkpoint, precision=arguments.precision), arguments.seed or 0
    if arguments.remove is not None:
        return model.ablate(
            arguments.input, arguments.remove, target=arguments.target, shuffles=arguments.shuffles or 8,
            matrices=arguments.motifs, seed=seed, batch_size=arguments.batch_size,
            both_strands=arguments.both_strands, counted=bar.add,
        )  # fmt: skip
    return model.marginalize(
        arguments.input, arguments.insert, target=arguments.target, strands=arguments.strands or "+-",
        positions=arguments.positions, distances=arguments.distances, sampled=arguments.sampled,
        shuffle=arguments.shuffle, matrices=arguments.motifs, seed=seed, batch_size=arguments.batch_size,
        both_strands=arguments.both_strands, counted=bar.add,
    )  # fmt: skip


def refuse(arguments: argparse.Namespace, names: tuple[str, ...], wanted: str) -> None:
    """Refuse options that say nothing here."""
    for name in names:
        if getattr(arguments, name) not in (None, False):
            raise ConfigError(f"{VERB}: --{name.replace('_', '-')}: expected {wanted} with it, got something else; "
                              "leave it out")  # fmt: skip
