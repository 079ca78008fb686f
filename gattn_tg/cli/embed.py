"""`gattn embed CKPT INPUT -o vectors.npz`."""

from __future__ import annotations

import argparse
import time

from gattn_tg.cli import device, output
from gattn_tg.front.load import load


def run(arguments: argparse.Namespace) -> int:
    """Writes hidden vectors of sequences: of every base or bin, or with --mean one for each sequence."""
    output.check("gattn embed", arguments.output, overwrite=arguments.overwrite, as_json=arguments.json)
    began = time.perf_counter()
    with device.on(arguments.device, arguments.threads):
        vectors = load(arguments.checkpoint).embed(arguments.input, batch_size=arguments.batch_size)
    found = vectors.averages if arguments.mean else vectors
    if arguments.output.suffix == ".npz":
        found.to_npz(arguments.output, overwrite=arguments.overwrite)
    else:
        found.to_tsv(arguments.output, overwrite=arguments.overwrite)
    seconds = round(time.perf_counter() - began, 2)
    if arguments.json:
        output.say_json({"output": str(arguments.output), "n": len(found), "seconds": seconds})
    else:
        output.say(f"{found.summary} -> {arguments.output}  ({seconds:.1f} s)")
    return 0
