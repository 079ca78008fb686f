"""`gattn export CKPT -o page.html`"""

from __future__ import annotations

import argparse

from gattn_tg.cli import device, output
from gattn_tg.front.converting import export_model


def run(arguments: argparse.Namespace) -> int:
    """Writes a model as files that run without Python, and tells their sizes."""
    output.check("gattn export", arguments.output, overwrite=arguments.overwrite, as_json=arguments.json)
    with device.on("CPU", arguments.threads):
        written = export_model(arguments.checkpoint, arguments.output, half=arguments.half, gpu=arguments.gpu,
                               head=arguments.head, overwrite=arguments.overwrite)  # fmt: skip
    sizes = {str(path): path.stat().st_size for path in written}
    if arguments.json:
        output.say_json({"output": str(arguments.output), "bytes": sizes})
        return 0
    for name, size in sizes.items():
        output.say(f"{name}  {size / 1000:,.0f} kB")
    return 0
