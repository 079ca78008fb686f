"""`gattn doctor`: what this machine has, what is used, how to get the rest."""

from __future__ import annotations

import argparse
from typing import Any

from gattn_tg.cli.output import say, say_json
from gattn_tg.machine import devices

MARK = {True: "ok", False: "--"}
PLAN_COLUMNS = ("stage", "d", "gflops", "from")
FOR_DEVELOPERS = ("dev", "docs", "originals", "test", "torch")  # extras that no verb asks for
LONGEST_ARCH = 40  # OpenCL names every extension as its architecture


def run(arguments: argparse.Namespace) -> int:
    """Prints the report of `machine.devices` as a table or as JSON; exits 0 also when things are missing."""
    report: dict[str, Any] = devices.report(arguments.device)
    if arguments.json:
        say_json(report)
    else:
        for line in lines(report):
            say(line)
    return 0


def lines(report: dict[str, Any]) -> list[str]:
    """The report as text, one aligned block per subject; `ok` is there and works, `--` is not, with the reason."""
    device, cpu, compiler = report["device"], report["cpu"], report["compiler"]
    versions = (f"{name} {version or '(not installed)'}" for name, version in report["versions"].items())
    out = ["  ".join(versions), "", "devices"]
    used = device["chosen"].split("+")[-1].split(":")[0]
    for c in device["candidates"]:
        words = [c["reason"]] if not c["works"] else [c["arch"] if len(c["arch"]) <= LONGEST_ARCH else ""]
        if c["works"] and c["name"] == "CL" and not c["is_gpu"]:
            words.append("no GPU behind it: the CPU again, slower")
        if c["name"] == used:
            words.append(f"<- used{', as DEV says' if device['DEV'] else ''}")
        out.append(f"  {MARK[c['works']]}  {c['name']:<8} {'  '.join(filter(None, words))}".rstrip())
    out += ["", f"CPU: {cpu['machine']}, {cpu['cores']} cores, vectors of {cpu['vector_bits']} bits ({cpu['vectors']})"]
    out.append(pairs(cpu["pairs"]))
    if compiler:
        out.append(f"  ok  compiler {compiler['version'] or compiler['path']} ({compiler['origin']})")
    else:
        out.append(f"  --  compiler none; get one: {report['compiler_help']}")
    return [*out, "", *plan(report["plan"]), "", *cache(report["cache"]), "", *packages(report["extras"])]


def packages(report: list[dict[str, Any]]) -> list[str]:
    """Every optional package once; those that only people who change the code need, on one line."""
    if not report:
        return ["optional packages",
                "  unknown: gattn_tg runs from its source folder and is not installed; pip install -e ."]
    out, seen = ["optional packages"], set()
    for row in report:
        name, have = row["package"], row["version"]
        if row["extra"] not in FOR_DEVELOPERS and name not in seen:
            seen.add(name)
            out.append(f"  {MARK[bool(have)]}  {name:<16} {have or row['install']}")
    others = {row["package"]: bool(row["version"]) for row in report if row["package"] not in seen}
    if absent := sorted(name for name, is_there in others.items() if not is_there):
        out.append(f"      for changing the code, absent: {', '.join(absent)}; see CONTRIBUTING.md")
    return out


def pairs(report: dict[str, Any]) -> str:
    """The instructions for pairs of bfloat16, and which of them kernels use."""
    names, used = report["available"], report["used"]
    if not names:
        return "  --  products of bfloat16: no instructions for them; computed in float32"
    others = [name for name in names if name != used]
    # not used: they are slower here, or GATTN_PAIRS says so
    words = [used or "computed in float32", *([f"({', '.join(others)})"] if others else [])]
    return f"  {MARK[used is not None]}  products of bfloat16: {' '.join(words)}"


def cache(report: dict[str, Any]) -> list[str]:
    """Where kernels are kept, or why they are not."""
    if not report["refusal"]:
        size = f"{report['entries']:,} entries, {report['bytes'] / 2**20:.1f} MiB"
        return [f"kernels are kept in {report['folder']} ({size})"]
    advice = (
        "" if report["refusal"].startswith("GATTN_CACHE") else "; set XDG_CACHE_HOME to a folder that can be written"
    )
    return [
        "kernels are kept nowhere, and lowered and compiled anew in every process",
        f"  --  {report['refusal']}{advice}",
    ]


def plan(report: dict[str, Any]) -> list[str]:
    """The sizes that kernels are built with, and where they come from."""
    if report["error"]:
        return ["sizes of kernels", f"  --  {report['error']}"]
    there = "" if report["user_file_exists"] else "; not there, `gattn bench --tune` writes it"
    out = [f"sizes of kernels (user: {report['user_file']}{there})"]
    for row in report["rows"]:
        sizes = " ".join(f"{name} {size}" for name, size in row.items() if name not in PLAN_COLUMNS)
        speed = f"{row['gflops']:.0f} GFLOP/s measured" if row["gflops"] else ""
        words = [f"d {row['d']}" if row["d"] else "", f"{sizes:<20}", f"{row['from']:<8}", speed]
        out.append(f"      {row['stage']:<9} {words[0]:<6} {'  '.join(words[1:])}".rstrip())
    return out
