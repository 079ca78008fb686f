"""Run the tutorials and write the pages that a reader sees: text, code, printed results and pictures, in Markdown.

    python examples/tutorials/weave.py [NAME ...]

A tutorial is a Python file. `# %% [markdown]` begins a cell of text, `# %%` a cell of code. Editors such as VS Code,
Spyder and PyCharm run such a file cell by cell, and `python NAME.py` runs it as a whole.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGES = HERE / "pages"
TUTORIALS = tuple(sorted(path for path in HERE.glob("*.py") if path.read_text(encoding="utf-8").startswith("# %%")))
MARK = re.compile(r"^# %%(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Cell:
    """One cell of a tutorial: text in Markdown, or code."""

    is_text: bool
    source: str


def cells(path: Path) -> list[Cell]:
    """The cells of a tutorial."""
    _, *parts = MARK.split(path.read_text(encoding="utf-8"))
    found = []
    for kind, source in zip(parts[::2], parts[1::2], strict=True):
        is_text = "[markdown]" in kind
        lines = source.strip("\n").splitlines()
        text = "\n".join(line.removeprefix("#").removeprefix(" ") if is_text else line for line in lines)
        found.append(Cell(is_text, text.strip("\n")))
    return found


def run(path: Path) -> Iterator[tuple[Cell, str, list[str]]]:
    """Run a tutorial in the current folder: every cell, what it printed, and the pictures that it made."""
    space: dict[str, object] = {"__name__": "__main__", "__file__": str(path)}
    for cell in cells(path):
        printed, before = io.StringIO(), _pictures()
        if not cell.is_text:
            with redirect_stdout(printed):
                exec(compile(cell.source, str(path), "exec"), space)
        after = _pictures()
        drawn = [name for name in after if after[name] != before.get(name) and name in cell.source]
        yield cell, printed.getvalue(), sorted(drawn)


def page(path: Path) -> str:
    """Run a tutorial in the current folder and return its page."""
    parts = []
    for cell, printed, pictures in run(path):
        parts.append(cell.source if cell.is_text else f"```python\n{cell.source}\n```")
        if printed:
            parts.append(f"```text\n{printed.rstrip()}\n```")
        parts += [f"![{Path(name).stem.replace('_', ' ')}]({name})" for name in pictures]
    origin = f"*This page was written by `python examples/tutorials/weave.py {path.stem}`, which ran the code.*"
    return "\n\n".join([*parts, origin]) + "\n"


def _pictures() -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in Path().glob("*.svg")}


def main() -> None:
    os.environ.setdefault("DEV", "CPU")  # the pages are the same wherever they are made
    sys.path.insert(0, str(HERE))  # as `python NAME.py` does
    wanted = sys.argv[1:] or [path.stem for path in TUTORIALS]
    for path in (HERE / f"{name}.py" for name in wanted):
        with chdir(PAGES):
            text = page(path)
            Path(f"{path.stem}.md").write_text(text, encoding="utf-8")
        print(os.path.relpath(PAGES / f"{path.stem}.md"), flush=True)


if __name__ == "__main__":
    main()
