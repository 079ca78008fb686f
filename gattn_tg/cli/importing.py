"""`gattn import FOLDER -o CKPT`."""

from __future__ import annotations

import argparse
import time

from gattn_tg.cli import device, output
from gattn_tg.front.importing import import_model


def run(arguments: argparse.Namespace) -> int:
    """Writes a model of another project as a checkpoint, and tells its licence."""
    began = time.perf_counter()
    with device.on("CPU", arguments.threads):
        found = import_model(arguments.folder, arguments.output, overwrite=arguments.overwrite)
    c, n, seconds = found.model.config, found.model.n_parameters, round(time.perf_counter() - began, 2)
    if arguments.json:
        output.say_json({
            "output": str(arguments.output), "family": found.family, "licence": found.licence, "parameters": n,
            "layers": c.n_layers, "width": c.width, "longest_bp": c.longest_bp, "unused": list(found.unused),
            "seconds": seconds,
        })  # fmt: skip
        return 0
    reach = "any length" if c.longest_bp is None else f"at most {c.longest_bp:,} bases"
    output.say(f"{found.family}: {n:,} parameters, {c.n_layers} layers of width {c.width}, {c.words} words of "
               f"{c.word_bp} bases, {reach}")  # fmt: skip
    if found.unused:
        output.say(f"left out, as they fill in no words: {', '.join(found.unused)}")
    output.say(found.licence)
    output.say(f"-> {arguments.output}  ({seconds:.1f} s)")
    return 0
