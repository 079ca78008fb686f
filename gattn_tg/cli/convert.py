"""`gattn convert CKPT --to hf -o FOLDER`."""

from __future__ import annotations

import argparse

from gattn_tg.cli import device, output
from gattn_tg.front.converting import convert_model


def run(arguments: argparse.Namespace) -> int:
    """Writes an imported encoder in the form of transformers, and tells what was left out."""
    with device.on("CPU", arguments.threads):
        found = convert_model(arguments.checkpoint, arguments.output, overwrite=arguments.overwrite)
    if arguments.json:
        output.say_json({"output": str(arguments.output), "architecture": found.architecture,
                         "unused": list(found.unused)})  # fmt: skip
        return 0
    if found.unused:
        output.say(f"left out, as {found.architecture} has no place for them: {', '.join(found.unused)}")
    output.say(f"{found.architecture} -> {arguments.output}")
    return 0
