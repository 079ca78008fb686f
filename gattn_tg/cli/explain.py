"""`gattn explain CKPT INPUT -o why/`"""

from __future__ import annotations

import argparse
import time

from gattn_tg.cli import device, interventions, output
from gattn_tg.cli.bar import Bar
from gattn_tg.front.load import load
from gattn_tg.front.why.explain import REFERENCES, STEPS
from gattn_tg.front.why.explanations import INDEX, require_new
from gattn_tg.io import check_bigwig

VERB = "gattn explain"


def run(arguments: argparse.Namespace) -> int:
    """Writes a page, tables and arrays of what the bases of sequences give to what a model says of them."""
    if arguments.insert is not None or arguments.remove is not None:
        return interventions.run(arguments)
    interventions.refuse(arguments, (*interventions.OF_INSERTION, *interventions.OF_BOTH), "--insert")
    interventions.refuse(arguments, interventions.OF_REMOVAL, "--remove")
    output.require_writable(VERB, arguments.output)
    require_new(arguments.output, overwrite=arguments.overwrite)
    if arguments.bed is not None:
        check_bigwig(arguments.output / "contributions.bw")
    began = time.perf_counter()
    bar = Bar("explained", quiet=arguments.json, items="sequences")
    with device.on(arguments.device, arguments.threads), bar:
        found = load(arguments.checkpoint, precision=arguments.precision).explain(
            arguments.input, arguments.bed, method=arguments.method, target=arguments.target, at=arguments.at,
            stretch=arguments.stretch, head=arguments.head, hold_motifs=arguments.hold_motifs,
            steps=arguments.steps or STEPS, references=arguments.references or REFERENCES, seed=arguments.seed or 0,
            batch_size=arguments.batch_size, both_strands=arguments.both_strands, counted=bar.add,
        )  # fmt: skip
    found.write(arguments.output, overwrite=arguments.overwrite)
    seconds = time.perf_counter() - began
    if arguments.json:
        output.say_json({"output": str(arguments.output), "n": len(found), "method": found.method,
                         "unit": found.unit, "seconds": round(seconds, 2)})
        return 0
    output.say(f"{found.summary} -> {arguments.output / INDEX}  ({seconds:.1f} s)")
    return 0
