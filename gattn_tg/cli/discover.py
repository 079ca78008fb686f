"""`gattn discover CKPT POSITIVES NEGATIVES -o found/`"""

from __future__ import annotations

import argparse
import time

from gattn_tg.cli import device, output
from gattn_tg.cli.bar import Bar
from gattn_tg.escaping import tell
from gattn_tg.front.load import load
from gattn_tg.front.why.discoveries import HELD_OUT, MOTIFS
from gattn_tg.front.why.explanations import INDEX, require_new

VERB = "gattn discover"


def run(arguments: argparse.Namespace) -> int:
    """Writes a page and tables of what tells two groups of sequences apart."""
    output.require_writable(VERB, arguments.output)
    require_new(arguments.output, overwrite=arguments.overwrite, mark=MOTIFS)
    began = time.perf_counter()
    bar = Bar("asked for", quiet=arguments.json, items="sequences")
    with device.on(arguments.device, arguments.threads), bar:
        first, *others = map(load, arguments.checkpoints)
        found = first.discover(
            arguments.positives, arguments.negatives, others=others, target=arguments.target,
            matrices=arguments.motifs, method=arguments.method, backgrounds=arguments.backgrounds,
            shuffles=arguments.shuffles, seed=arguments.seed or 0, batch_size=arguments.batch_size,
            both_strands=arguments.both_strands, counted=bar.add,
        )  # fmt: skip
    found.write(arguments.output, overwrite=arguments.overwrite)
    seconds = time.perf_counter() - began
    if arguments.json:
        output.say_json({"output": str(arguments.output), "found": list(found.names), "motifs": len(found),
                         "method": found.method, "positives": found.n_positive, "negatives": found.n_negative,
                         "seconds": round(seconds, 2)})
        return 0
    tell(f"{VERB}: {HELD_OUT}")
    output.say(f"{found.summary} -> {arguments.output / INDEX}  ({seconds:.1f} s)")
    for name in found.names:
        output.say(f"  {name}")
    return 0
