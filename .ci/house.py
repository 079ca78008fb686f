"""Write the tree of gattn_tg/README.md from the first lines of the modules' docstrings.

    python .ci/house.py [--check]

The tree stands between `<!-- tree -->` and `<!-- end -->`. With --check nothing is written, and the exit code is 1 when
the tree is not what the modules say.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "gattn_tg"
PAGE = PACKAGE / "README.md"
BLOCK = re.compile(r"(<!-- tree -->\n```text\n).*?(```\n<!-- end -->)", re.DOTALL)
ORDER = ("cli", "front", "training", "score", "explain", "export", "models", "nn", "data", "ops", "io", "motif",
         "metrics", "seq", "reference", "kernels", "machine")  # rooms from the top of the stack to the bottom
COLUMN = 30


def said(path: Path) -> str:
    """The first line of a module's docstring, without its full stop."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.splitlines()[0].removesuffix(".") if text else ""


def lines(folder: Path, depth: int = 0) -> list[str]:
    """One line for the folder, one for each of its modules, and those of its rooms."""
    indent = "  " * depth
    found = [f"{indent}{folder.name + '/':<{COLUMN - len(indent)}}{said(folder / '__init__.py')}"]
    for module in sorted(folder.glob("*.py")):
        if module.stem != "__init__":
            found.append(f"{indent}  {module.stem:<{COLUMN - len(indent) - 2}}{said(module)}")
    rooms = [path.parent for path in folder.glob("*/__init__.py")]
    for room in sorted(rooms, key=lambda r: (ORDER.index(r.name) if r.name in ORDER else -1, r.name)):
        found += lines(room, depth + 1)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the tree is out of date")
    check = parser.parse_args().check
    old = PAGE.read_text(encoding="utf-8")
    new = BLOCK.sub(lambda m: m[1] + "\n".join(line.rstrip() for line in lines(PACKAGE)) + "\n" + m[2], old)
    if not check:
        PAGE.write_text(new, encoding="utf-8")
    return int(check and new != old)


if __name__ == "__main__":
    sys.exit(main())
