"""`gattn init KIND [--task TASK] > my.toml`."""

from __future__ import annotations

import argparse

from gattn_tg.cli import output
from gattn_tg.training.template import template


def run(arguments: argparse.Namespace) -> int:
    """Writes a commented configuration that can be trained as it is."""
    output.check("gattn init", arguments.output, overwrite=arguments.overwrite, as_json=arguments.json)
    text = template(arguments.kind, arguments.preset, arguments.task)
    with output.table(arguments.output) as file:
        file.write(text)
    if arguments.json:
        output.say_json({"output": str(arguments.output), "kind": arguments.kind})
    return 0
