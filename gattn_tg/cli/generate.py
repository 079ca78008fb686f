"""`gattn generate CKPT --prompt ACGT --length 500 -o out.fa`."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

from gattn_tg.cli import device, output
from gattn_tg.io.replacing import replacing
from gattn_tg.models import checkpoint
from gattn_tg.models.generate import Generator
from gattn_tg.seq import decode, encode

LINE_BP = 60


def run(arguments: argparse.Namespace) -> int:
    """Writes new sequences as FASTA, the prompt at their beginning."""
    output.check("gattn generate", arguments.output, overwrite=arguments.overwrite, as_json=arguments.json)
    prompt, seed = encode(arguments.prompt), arguments.seed or 0
    start = time.perf_counter()
    with device.on(arguments.device, arguments.threads):
        loaded = checkpoint.load(arguments.checkpoint, kind="GenomicGPT")
        generator = Generator(loaded.model, loaded.vocabulary)
        written = generator(
            [prompt] * arguments.n, arguments.length, temperature=arguments.temperature, top_k=arguments.top_k,
            seed=seed,
        )  # fmt: skip
    told = f"length={arguments.length} temperature={arguments.temperature:g} top_k={arguments.top_k} seed={seed}"

    def lines() -> Iterator[str]:
        for i, row in enumerate(written, start=1):
            yield f">generated_{i} {told}"
            letters = decode(prompt) + decode(row)
            yield from (letters[at : at + LINE_BP] for at in range(0, len(letters), LINE_BP))

    if arguments.output is None:
        for line in lines():
            output.say(line)
        return 0
    with replacing(arguments.output, overwrite=arguments.overwrite) as file:
        file.writelines(line + "\n" for line in lines())
    seconds, n_bases = time.perf_counter() - start, int(written.size)
    if arguments.json:
        output.say_json({"output": str(arguments.output), "n": arguments.n, "bases": n_bases, "seed": seed,
                         "seconds": round(seconds, 2)})
    else:
        output.say(f"{arguments.n:,} sequences, {n_bases:,} new bases -> {arguments.output}  ({seconds:.1f} s)")
    return 0
