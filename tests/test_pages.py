"""The pages say what is true: tree, links, verbs, tables, tutorials, and a site that builds without warnings."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gattn_tg.cli.arguments.parser import parser
from gattn_tg.models.kinds import KINDS

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "gattn_tg" / "README.md", ROOT / "bench" / "README.md",
         ROOT / "examples" / "data" / "README.md", ROOT / ".github" / "CONTRIBUTING.md",
         *sorted((ROOT / "examples" / "guide" / "docs").rglob("*.md"))]  # fmt: skip
TUTORIALS = ROOT / "examples" / "tutorials"
CALLS = re.compile(r"<!-- calls -->\n```text\n(.*?)```\n<!-- end -->", re.DOTALL)
TREE = re.compile(r"<!-- tree -->\n```text\n(.*?)```\n<!-- end -->", re.DOTALL)


def loaded(path: Path) -> object:
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def test_the_house_lists_every_module_and_no_other() -> None:
    listed = TREE.search((ROOT / "gattn_tg" / "README.md").read_text(encoding="utf-8"))
    assert listed is not None
    there = "\n".join(loaded(ROOT / ".ci" / "house.py").lines(ROOT / "gattn_tg"))  # type: ignore[attr-defined]

    def names(text: str) -> list[tuple[int, str]]:
        return [(len(line) - len(line.lstrip()), line.split()[0]) for line in text.splitlines()]

    assert names(listed[1]) == names(there), "run `python .ci/house.py`"
    assert not [line for line in there.splitlines() if len(line.split()) < 2], "every module says what it is"


def test_the_calls_from_the_command_line_to_the_kernel_are_those_of_the_code() -> None:
    listed = CALLS.search((ROOT / "gattn_tg" / "README.md").read_text(encoding="utf-8"))
    assert listed is not None
    steps = [line.split()[0].rsplit(".", 1) for line in listed[1].splitlines()]
    sources = [(ROOT / "gattn_tg" / f"{module}.py").read_text(encoding="utf-8") for module, _ in steps]
    assert [name for source, (_, name) in zip(sources, steps, strict=True)
            if not re.search(rf"^(?:def|class) {name}\b", source, re.MULTILINE)] == []  # fmt: skip
    for source, (module, _), (after, _) in zip(sources, steps, steps[1:], strict=False):
        room, _, file = after.rpartition("/")
        dotted = "gattn_tg." + room.replace("/", ".")
        assert re.search(rf"^from {dotted}(?:\.{file} import| import .*\b{file}\b)", source, re.MULTILINE), (
            f"{module} imports {after}")  # fmt: skip


def _is_there(name: str) -> bool:
    """Whether a dotted name within gattn_tg is a module, or a name that one of its modules has."""
    parts = name.split(".")
    for n in range(len(parts), 0, -1):
        place = ROOT / "gattn_tg" / Path(*parts[:n])
        file = place.with_suffix(".py") if place.with_suffix(".py").exists() else place / "__init__.py"
        if file.exists():
            return n == len(parts) or re.search(rf"\b{parts[n]}\b", file.read_text(encoding="utf-8")) is not None
    return False


def test_modules_that_comments_name_are_there() -> None:
    rooms = [path.name for path in (ROOT / "gattn_tg").iterdir() if path.is_dir() and path.name != "__pycache__"]
    dotted = re.compile(rf"`(?:gattn_tg\.)?((?:{'|'.join(rooms)}|train|export)(?:\.\w+)+)`")
    slashed = re.compile(rf"(?<![\w/])(?:gattn_tg/)?((?:{'|'.join(rooms)})(?:/\w+)+\.py)\b")
    missing = []
    for path in sorted(path for folder in ("gattn_tg", "tests", "bench") for path in (ROOT / folder).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        places = (ROOT / "gattn_tg", ROOT / "tests", ROOT / "bench")
        own = [room for room in rooms if re.search(rf"\b{room}: |\b{room} = ", text)]  # a variable of that name
        missing += [f"{path.relative_to(ROOT)}: {name}" for name in dotted.findall(text)
                    if name.split(".")[0] not in own and not _is_there(name)]
        missing += [f"{path.relative_to(ROOT)}: {name}" for name in slashed.findall(text)
                    if not any((place / name).exists() for place in places)]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_a_page_links_or_names_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "<<<<<<<" not in text
    links = [link for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists() and not _is_made(page, link)] == []
    places = (ROOT, ROOT / "gattn_tg", ROOT / "gattn_tg" / "kernels", page.parent)
    named = re.findall(r"`([\w.]+/[\w./]*\w\.(?:py|toml|md|sh|sbatch))`", text)
    made = ("runs/", "NAME", "my.toml")
    missing = [name for name in named if not any((place / name).exists() for place in places)]
    assert [name for name in missing if not any(word in name for word in (*made, "/NAME", "gattn-demo"))] == []


def _is_made(page: Path, link: str) -> bool:
    """Pages of tutorials are put into the site while it is built."""
    return link.removeprefix("../").startswith("tutorials/") and (TUTORIALS / "pages" / Path(link).name).exists()


def test_every_verb_that_a_page_names_is_a_verb() -> None:
    verbs = set(parser()._subparsers._group_actions[0].choices)  # type: ignore[union-attr]
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        named = set(re.findall(r"(?:^|`|bin/)gattn ([a-z]+)", text, re.MULTILINE))
        assert named <= verbs, f"{page}: {sorted(named - verbs)}"
    front = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not {verb for verb in verbs - {"help"} if f"gattn {verb}" not in front}, "README.md names every verb"
    assert not {kind for kind in KINDS if kind not in front}, "README.md names every kind of model"


def test_tables_of_numbers_are_those_of_the_results() -> None:
    command = [sys.executable, "bench/report.py", "--check"]
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, "run `PYTHONPATH=. python bench/report.py`" + done.stderr


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 170


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    pytest.importorskip("mkdocstrings", reason="the extra docs is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT / "examples" / "guide", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site" / "configuration.html").read_text(encoding="utf-8")
    assert "learning_rate = 0.001" in page
    made = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "site").rglob("*.html"))
    assert not re.findall(r'(?:src|rel="stylesheet" href)="https?://', made), "nothing is loaded from elsewhere"
