"""`gattn doctor`: what this machine has, what is used, how to get the rest."""

from __future__ import annotations

import argparse
import os
from typing import Any

from gattn_tg.cli.output import say, say_json
from gattn_tg.kernels import devices

MARK = {True: "ok", False: "--"}


def run(arguments: argparse.Namespace) -> int:
    """Prints the report of `kernels.devices` as a table or as JSON; exits 0 also when things are missing."""
    if arguments.device:
        os.environ["DEV"] = devices.choose(arguments.device)  # the report says what this wish leads to
    report: dict[str, Any] = devices.report()
    if arguments.json:
        say_json(report)
    else:
        for line in lines(report):
            say(line)
    return 0


def lines(report: dict[str, Any]) -> list[str]:
    """The report as text, one aligned block per subject."""
    device, cpu = report["device"], report["cpu"]
    versions = "  ".join(f"{k} {v or '-'}" for k, v in report["versions"].items())
    out = [versions, "", f"device    {device['chosen']} would be used" + _why(device)]
    for c in device["candidates"]:
        state = MARK[c["works"]]
        note = " ".join(filter(None, [c["arch"], "" if c["is_gpu"] else "(no GPU)" if c["name"] == "CL" else ""]))
        out.append(f"  {state}  {c['name']:<7} {note if c['works'] else c['reason']}".rstrip())
    compiler = report["compiler"]
    out += ["", "compiler of CPU kernels"]
    if compiler:
        out += [f"  ok  {compiler['origin']:<7} {compiler['version'] or compiler['path']}"]
    else:
        out += [f"  --  none    get one: {report['compiler_help']}"]
    out += ["", f"CPU       {cpu['machine']}, {cpu['cores']} cores, vectors of {cpu['vector_bits']} bits", ""]
    out += ["optional packages"]
    for row in report["extras"]:
        have = row["version"]
        out.append(f"  {MARK[bool(have)]}  {row['package']:<12} {have or 'get it: ' + row['install']}")
    return out


def _why(device: dict[str, Any]) -> str:
    return f" (DEV={device['DEV']})" if device["DEV"] else ""
