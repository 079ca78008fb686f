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
        found = import_model(arguments.folder, arguments.output, window_bp=arguments.window,
                             overwrite=arguments.overwrite)
    seconds = round(time.perf_counter() - began, 2)
    if arguments.json:
        output.say_json({"output": str(arguments.output), "family": found.family, "licence": found.licence,
                         **found.facts, "unused": list(found.unused), "seconds": seconds})
        return 0
    output.say(f"{found.family}: {found.said}")
    if found.unused:
        output.say(f"left out, as {found.why_unused}: {', '.join(found.unused)}")
    output.say(found.licence)
    output.say(f"-> {arguments.output}  ({seconds:.1f} s)")
    return 0
