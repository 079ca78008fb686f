"""`gattn motifs CKPT -o found/`: the motifs that a model has learnt."""

from __future__ import annotations

import argparse
import time

from gattn_tg.cli import device, output
from gattn_tg.errors import ConfigError
from gattn_tg.front.load import load
from gattn_tg.front.why.explanations import INDEX, require_new
from gattn_tg.front.why.filters import MATRICES

VERB = "gattn motifs"
OF_VOCABULARIES = ("jaspar", "part", "skip_short", "with_default")
SHOWN = 10  # motifs on the terminal; the files hold all


def run(arguments: argparse.Namespace) -> int:
    """Writes a page, a table and a MEME file of the filters of a model, by what they resemble and what they give."""
    for name in OF_VOCABULARIES:
        if getattr(arguments, name):
            raise ConfigError(f"{VERB}: --{name.replace('_', '-')}: expected no checkpoint with it, got one; leave one "
                              "of the two out")
    if arguments.output is None:
        raise ConfigError(f"{VERB}: expected a folder for the motifs of {arguments.checkpoint}, got none; add "
                          "-o FOLDER")
    output.require_writable(VERB, arguments.output)
    require_new(arguments.output, overwrite=arguments.overwrite, mark=MATRICES)
    began = time.perf_counter()
    with device.on(arguments.device, arguments.threads):
        found = load(arguments.checkpoint).read_motifs(arguments.file)
    found.write(arguments.output, overwrite=arguments.overwrite)
    seconds = time.perf_counter() - began
    if arguments.json:
        output.say_json({"output": str(arguments.output), "motifs": len(found.filters), "seconds": round(seconds, 2)})
        return 0
    output.say(f"{found.summary} -> {arguments.output / INDEX}  ({seconds:.1f} s)")
    for which, name, match in zip(found.filters[:SHOWN], found.names, found.matches, strict=False):
        output.say(f"  filter {which:<4} like {name:<18} similarity {match.similarity:.2f}")
    return 0
