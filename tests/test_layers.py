"""The rooms of the package and the arrows between them: every import is parsed, every other arrow fails."""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import gattn_tg
from gattn_tg.cli import main
from gattn_tg.cli.arguments.parser import parser

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "gattn_tg"

# a room may import the rooms of later ranks, and the partners named in BESIDE
RANKS = [
    {"cli"}, {"front"}, {"training", "score", "explain", "export"}, {"models"}, {"nn", "data"}, {"ops", "io", "motif"},
    {"kernels", "seq", "reference", "metrics"}, {"machine"}, {"strict"},
    {"errors", "escaping", "later", "types", "version"},
]
# inside a room that has rooms of its own: a folder or a file of the room may import those of later ranks; what is not
# named stands in the last rank, and files of one rank may import each other, folders may not
INNER: dict[str, list[set[str]]] = {
    "kernels": [{"loops", "simt", "mma", "dense"}, {"pairs"}, {"tiles"}],
    "ops": [{"attention"}, set()],
    "training": [{"run", "rehearsal", "evaluate", "template"}, {"loop", "tasks"}, {"keep"}, {"task"}, {"config"},
                 set()],
    "data": [{"__init__"}, {"sites", "marks", "pieces", "peak_choices", "placed"}, {"genomes", "tables"}, set()],
    "explain": [set(), {"drawings"}],
    "io": [{"__init__"}, {"motifs"}, set()],
}
# implementations of one operation, which never import each other
IMPLEMENTATIONS = {"ops/attention": {"loops", "simt", "mma", "lazy"}}
NUMPY_ROOMS = ("seq", "motif", "io", "data", "reference", "metrics")
DRAWERS = {"utils", "helpers", "common", "misc"}
# modules that no door of the product leads to, and why they are there
NOT_REACHED = {
    "gattn_tg.reference": "the float64 definition that tests and benches compare with",
    "gattn_tg.ops.attention.cases": "small calls of attention that tests and benches share",
}
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = {".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p for p in FILES}


def room(parts: tuple[str, ...]) -> str:
    return parts[0].removesuffix(".py") if parts else "__init__"


def imports(path: Path) -> list[tuple[str, ast.stmt]]:
    """Every module a file imports, with the statement; `from a import b` counts as a.b too."""
    return imports_of(ast.parse(path.read_text(encoding="utf-8")), path)


def imports_of(tree: ast.Module, path: Path) -> list[tuple[str, ast.stmt]]:
    found: list[tuple[str, ast.stmt]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.append((node.module or "", node))
            found += [(f"{node.module}.{alias.name}", node) for alias in node.names]
    return found


def rank(name: str) -> int:
    return next(i for i, rooms in enumerate(RANKS) if name in rooms)


def test_arrows_between_rooms_go_one_way() -> None:
    wrong = []
    for path in FILES:
        home = room(path.relative_to(PACKAGE).parts)
        if home in ("__init__", "__main__"):
            continue
        for module, _ in imports(path):
            parts = module.split(".")
            if parts[0] != "gattn_tg" or len(parts) < 2 or parts[1] == home:
                continue
            target = parts[1]
            if rank(target) <= rank(home):
                wrong.append(f"{path.relative_to(ROOT)}: {home} -> {target}")
    assert not wrong, "\n".join(wrong)


def inner_rank(home: str, name: str) -> int:
    return next((i for i, names in enumerate(INNER[home]) if name in names), len(INNER[home]) - 1)


def test_arrows_inside_rooms_go_one_way() -> None:
    wrong = []
    for path in FILES:
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[0] not in INNER or len(parts) < 2:
            continue
        for module, _ in imports(path):
            target = module.split(".")[1:]
            if len(target) < 2 or target[0] != parts[0] or target[1] == parts[1]:
                continue
            home, there = inner_rank(parts[0], parts[1]), inner_rank(parts[0], target[1])
            folders = (PACKAGE / parts[0] / parts[1]).is_dir() and (PACKAGE / target[0] / target[1]).is_dir()
            known = (PACKAGE / target[0] / target[1]).is_dir() or (PACKAGE / target[0] / f"{target[1]}.py").is_file()
            if known and (there < home or (there == home and folders)):
                wrong.append(f"{path.relative_to(ROOT)}: {parts[1]} -> {target[1]}")
    assert not wrong, "\n".join(wrong)


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def needs(path: Path, names: set[str]) -> set[str]:
    """The modules that a file needs; `from package import module` needs the module, not what the package gathers."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inner | (set() if inner <= names else {str(node.module)})
    return (found & names) - {module_of(path)}


def home_of(module: str, name: str) -> str:
    """The module that a name of a module is written in: what a package gathers is followed to where it comes from."""
    if f"{module}.{name}" in MODULES:
        return f"{module}.{name}"
    if module == "gattn_tg" and name in gattn_tg._HOME:
        return home_of(gattn_tg._HOME[name], name)
    if MODULES[module].stem == "__init__":
        for node in ast.parse(MODULES[module].read_text(encoding="utf-8")).body:
            names = {alias.asname or alias.name: alias.name for alias in getattr(node, "names", [])}
            if isinstance(node, ast.ImportFrom) and name in names and node.module in MODULES:
                return home_of(node.module, names[name])
    return module


def used_by(path: Path) -> set[str]:
    """The modules in which what a file imports is written, and those that it names to run in a process of their own."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {home_of(str(node.module), alias.name) for alias in node.names if node.module in MODULES}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return found & MODULES.keys()


def documented() -> set[str]:
    """The modules in which is written what the pages of the reference name, `::: gattn_tg.io.read_fasta`."""
    found = set()
    for page in (ROOT / "examples" / "guide" / "docs" / "reference").glob("*.md"):
        for name in re.findall(r"^::: (gattn_tg[.\w]*)$", page.read_text(encoding="utf-8"), re.MULTILINE):
            module = name
            while module not in MODULES:
                module = module.rpartition(".")[0]
            found.add(home_of(module, name.removeprefix(module).split(".")[1]) if module != name else name)
    return found


def verbs() -> set[str]:
    """The modules that run the verbs of the command line."""
    found = next(action.choices for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    return {home_of(f"gattn_tg.cli.{main.HOMES.get(verb, verb)}", "run") for verb in found}


def test_every_module_is_reached_from_a_door() -> None:
    """Doors are the names of the package, the verbs, and what the pages of the reference name. What only a package
    gathers, or only a test or a bench imports, is no part of the product."""
    front = {home_of("gattn_tg", name) for name in gattn_tg.__all__}
    todo, reached = front | verbs() | documented() | {"gattn_tg", "gattn_tg.__main__"}, set()
    while todo - reached:
        module = (todo - reached).pop()
        reached.add(module)
        if MODULES[module].stem != "__init__" or module == "gattn_tg":
            todo |= used_by(MODULES[module])
    left = {name for name, path in MODULES.items() if path.stem != "__init__"} - reached
    excused = {name for name in left if any(f"{name}.".startswith(f"{other}.") for other in NOT_REACHED)}
    assert not left - excused, "reached from no door:\n" + "\n".join(sorted(left - excused))
    stale = [other for other in NOT_REACHED if not any(f"{name}.".startswith(f"{other}.") for name in excused)]
    assert not stale, f"reached after all, so they need no excuse: {stale}"


def test_no_circle_of_imports() -> None:
    """Imports for type checkers count too. Modules that need nothing which is left are taken away, again and again;
    what stays stands in a circle or leads to one."""
    names = {module_of(path) for path in FILES}
    left = {module_of(path): needs(path, names) for path in FILES}
    while free := [name for name, needed in left.items() if not needed & left.keys()]:
        for name in free:
            del left[name]
    assert not left, "\n".join(f"{name} -> {', '.join(sorted(s & left.keys()))}" for name, s in left.items())


def test_no_implementation_imports_another() -> None:
    wrong = []
    for room, names in IMPLEMENTATIONS.items():
        for name in names:
            path = PACKAGE / room / f"{name}.py"
            others = {f"gattn_tg.{room.replace('/', '.')}.{other}" for other in names - {name}}
            wrong += [f"{path.relative_to(ROOT)}: {module}" for module, _ in imports(path) if module in others]
    assert not wrong, "\n".join(wrong)


def test_no_folder_is_crowded_and_no_inner_room_is_tiny() -> None:
    counts = Counter(p.parent for p in FILES if p.stem != "__init__")
    crowded = {str(k.relative_to(ROOT)): n for k, n in counts.items() if n > 24}
    tiny = {str(k.relative_to(ROOT)): n for k, n in counts.items() if n < 4 and k.parent.parent == PACKAGE}
    assert (crowded, tiny) == ({}, {})


def test_the_reference_is_for_tests_and_benches_only() -> None:
    wrong = [str(p.relative_to(ROOT)) for p in FILES for module, _ in imports(p)
             if module.startswith("gattn_tg.reference") and room(p.relative_to(PACKAGE).parts) != "reference"]
    assert not wrong, wrong


def test_compiler_internals_stay_in_kernels() -> None:
    inner = ("tinygrad.uop", "tinygrad.codegen", "tinygrad.renderer", "tinygrad.runtime", "tinygrad.engine")
    wrong = [f"{p.relative_to(ROOT)}: {module}" for p in FILES for module, _ in imports(p)
             if module.startswith(inner) and room(p.relative_to(PACKAGE).parts) not in ("kernels", "machine")]
    assert not wrong, "\n".join(wrong)


def test_no_drawers_without_a_noun() -> None:
    assert not [str(p) for p in FILES if p.stem in DRAWERS or DRAWERS & set(p.relative_to(PACKAGE).parts)]


def test_print_and_environment_have_their_rooms() -> None:
    wrong = []
    for path in FILES:
        home = path.relative_to(PACKAGE)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            prints = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
            if prints and home.parts[0] != "cli" and str(home) != "escaping.py":  # `tell`: a line on standard error
                wrong.append(f"{home}: print")
            reads = isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "putenv")
            if reads and home.parts[0] != "cli" and str(home) != "machine/toolchain.py":
                wrong.append(f"{home}: environment")
    assert not wrong, "\n".join(wrong)


def test_imports_inside_functions_are_optional_packages() -> None:
    """At most one optional third-party package per file, and nothing of ours; the cli may delay whole verbs."""
    wrong = []
    standard = sys.stdlib_module_names
    for path in FILES:
        home = path.relative_to(PACKAGE)
        if home.parts[0] == "cli":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        top = {id(n) for n in tree.body}
        top |= {id(n) for block in tree.body if isinstance(block, (ast.If, ast.Try)) for n in ast.walk(block)}
        inside = {module.split(".")[0] for module, node in imports_of(tree, path) if id(node) not in top}
        if len(inside - standard) > 1 or inside & {"gattn_tg", "tinygrad", "numpy"}:
            wrong.append(f"{home}: {sorted(inside)}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", NUMPY_ROOMS)
def test_numpy_rooms_work_without_tinygrad(name: str) -> None:
    modules = [".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
               for p in FILES if p.relative_to(PACKAGE).parts[0] == name]
    assert modules, f"room {name} is empty"
    code = ("import sys; sys.modules['tinygrad'] = None\n" + "\n".join(f"import {m}" for m in modules))
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True, timeout=60)


def test_import_opens_no_device_and_no_file_of_its_own() -> None:
    code = (
        "import sys\nopened = []\n"
        "sys.addaudithook(lambda e, a: opened.append(a[0]) if e == 'open' else None)\n"
        "import gattn_tg\n"
        "assert 'tinygrad' not in sys.modules and 'numpy' not in sys.modules, 'heavy import'\n"
        "odd = [f for f in opened if isinstance(f, str) and '.py' not in f and not f.endswith('.so')]\n"
        "assert not odd, odd\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_no_library_text_names_a_flag_of_the_command_line() -> None:
    """What is needed is said in words that a caller from Python understands too; flags are the cli's."""
    wrong = []
    for path in FILES:
        if path.relative_to(PACKAGE).parts[0] == "cli":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docs = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
        wrong += [
            f"{path.relative_to(ROOT)}:{node.lineno}: {node.value.strip()[:60]}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
            and " " in node.value and re.search(r"(?<![\w-])--[a-z]", node.value)
        ]
    assert not wrong, "\n".join(wrong)


def test_messages_say_what_was_expected_and_what_came() -> None:
    """One form, `where: expected ..., got ...; do ...`: not `X is required, but came Y`."""
    old = re.compile(r"\b(is|are) required\b|\bmust\b|\bbut (came|is|are|has|have)\b")
    wrong = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            refuses = isinstance(node, ast.Return) and isinstance(node.value, (ast.JoinedStr, ast.Constant))
            if isinstance(node, ast.Raise) or refuses:
                text = ast.unparse(node)
                wrong += [f"{path.relative_to(ROOT)}:{node.lineno}: {text[:100]}"] * bool(old.search(text))
    assert not wrong, "\n".join(wrong)


def test_kernels_and_operations_take_few_operands_by_place() -> None:
    """More than 8 go by name or in a dataclass; the two public calls of attention read like PyTorch's."""
    public = {"attention", "sequence_parallel_attention"}
    wrong = []
    for path in FILES:
        if path.relative_to(PACKAGE).parts[0] not in ("kernels", "ops", "nn"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name not in public:
                count = len([a for a in (*node.args.posonlyargs, *node.args.args) if a.arg not in ("self", "cls")])
                wrong += [f"{path.relative_to(ROOT)}: {node.name} takes {count}"] * (count > 8)
    assert not wrong, "\n".join(wrong)
