"""`gattn generate CKPT --prompt ACGT --length 500 -o out.fa`."""

from __future__ import annotations

import argparse
import time

from gattn_tg.cli import device, output
from gattn_tg.errors import counted
from gattn_tg.front.load import load


def run(arguments: argparse.Namespace) -> int:
    """Writes new sequences as FASTA, the prompt at their beginning."""
    output.check("gattn generate", arguments.output, overwrite=arguments.overwrite, as_json=arguments.json)
    seed, start = arguments.seed or 0, time.perf_counter()
    with device.on(arguments.device, arguments.threads):
        found = load(arguments.checkpoint).generate(
            arguments.prompt, n=arguments.n, length=arguments.length, temperature=arguments.temperature,
            top_k=arguments.top_k, seed=seed,
        )  # fmt: skip
    if arguments.output is None:
        for line in found.fasta():
            output.say(line)
        return 0
    found.to_fasta(arguments.output, overwrite=arguments.overwrite)
    seconds, n_bases = time.perf_counter() - start, sum(map(len, found.sequences))
    if arguments.json:
        output.say_json({"output": str(arguments.output), "n": arguments.n, "bases": n_bases, "seed": seed,
                         "seconds": round(seconds, 2)})
    else:
        output.say(f"{counted(arguments.n, 'sequence')}, {counted(n_bases, 'new base')} -> {arguments.output}  "
                   f"({seconds:.1f} s)")
    return 0
