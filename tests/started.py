"""Another process with the kernel cache of its own folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def environment(place: Path, **variables: str) -> dict[str, str]:
    """Of a process that keeps its kernels under this folder."""
    return {**os.environ, "XDG_CACHE_HOME": str(place), "PYTHONPATH": str(ROOT), "DEV": "CPU", **variables}


def said(code: str, place: Path, **variables: str) -> list[str]:
    """The words that Python code prints there."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment(place, **variables), capture_output=True, text=True, check=True)
    return done.stdout.split()
