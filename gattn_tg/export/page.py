"""One HTML file that runs a model in any browser: it opens from a folder, and its policy forbids every connection."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import Any

from gattn_tg.export.module import WEB, scripts
from gattn_tg.export.payload import payload, script_json
from gattn_tg.export.program import Program

GPU = "gpu.js"
WORKER = ("dna.js", "answers.js", "unpack.js", "model.js", GPU, "worker.js")
PAGE = ("dna.js", "answers.js", "unpack.js", "pool.js", "ask.js", "draw.js", "app.js")
TITLES = {
    "classes": "Classes of your sequences", "labels": "Labels of your sequences", "values": "Values of your sequences",
    "bases": "Along your sequence, base by base", "tracks": "Tracks along your sequence",
    "next": "How likely your sequence is",
}  # fmt: skip


def page(program: Program, *, half: bool, extra: dict[str, Any]) -> str:
    """The whole document: style, script, worker and model are in it.

    Args:
        program: a captured model.
        half: store large weights as float16.
        extra: `sites` and `prior` of a model of splice windows.
    """
    held = payload(program, half=half, extra=extra)
    worker = [name for name in WORKER if name != GPU or "gpu" in held]
    about = held["about"]
    title = "Splice sites in your sequence" if "sites" in about else TITLES[about["task"]]
    style, script = (WEB / "page.css").read_text(encoding="utf-8"), scripts(PAGE)
    policy = (f"default-src 'none'; script-src {_hash(script)} 'wasm-unsafe-eval' blob:; worker-src blob:; "
              f"style-src {_hash(style)}; connect-src 'none'; form-action 'none'; base-uri 'none'")
    lead = (f"{about['kind']} of {about['parameters']:,} parameters, made with gattn_tg {about['version']}. It runs "
            "on this computer: nothing is uploaded. Research use, not diagnosis.")
    return (WEB / "page.html").read_text(encoding="utf-8").format(
        policy=escape(policy, quote=False), title=escape(title), lead=escape(lead), style=style, script=script,
        worker=scripts(worker), payload=script_json(held))  # fmt: skip


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
