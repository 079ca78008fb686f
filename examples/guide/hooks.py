"""What the site takes from elsewhere while it is built: tutorials, and tables of configuration keys."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))  # the clone is documented, not an installed package

from gattn_tg.models.kinds import KINDS  # noqa: E402
from gattn_tg.training.config import TrainSettings  # noqa: E402
from gattn_tg.training.tasks.registry import task_class, tasks_of  # noqa: E402
from gattn_tg.training.template import model_keys  # noqa: E402
from gattn_tg.training.toml_keys import Key, keys_of, toml_value  # noqa: E402

TUTORIALS = ROOT / "examples" / "tutorials" / "pages"
MARK = re.compile(r"<!-- (\w+)(?:: (\w+))? -->")


def on_files(files: Files, config: Any) -> Files:
    """Adds the tutorials with their pictures."""
    for path in sorted(TUTORIALS.iterdir()):
        files.append(File.generated(config, f"tutorials/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Puts tables in the place of marks like `<!-- model: GenomicGPT -->`."""
    return MARK.sub(lambda mark: TABLES[mark[1]](mark[2]) if mark[1] in TABLES else mark[0], markdown)


def table(keys: list[Key]) -> str:
    """Keys as a table in Markdown."""
    lines = ["| key and default | meaning |", "|---|---|"]
    for key in keys:
        written = f"`{key.name}`<br>required" if key.default is None else f"`{key.name} = {key.default}`"
        cells = (f"{written}<br><small>{key.kind}</small>", key.comment)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def presets(kind: str) -> str:
    """The presets of a kind as a table."""
    sizes = KINDS[kind].config.presets
    names = list(dict.fromkeys(name for preset in sizes.values() for name in preset))
    lines = ["| preset | " + " | ".join(f"`{name}`" for name in names) + " |", "|---" * (len(names) + 1) + "|"]
    for preset, values in sizes.items():
        cells = (toml_value(values[name]) if name in values else "" for name in names)  # nothing for the default
        lines.append(f"| `{preset}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def metrics(kind: str, task: str) -> str:
    """What `monitor` can name, in order of preference."""
    return ", ".join(f"`{name}`" for name in task_class(kind, task).judged_by)


def kinds(_: str) -> str:
    """One section per kind of model, with a table of [data] for each of its tasks."""
    parts = []
    for kind in KINDS:
        derived = ", ".join(f"`{name}`" for name in task_class(kind).derived)
        follows = f" These fields follow from the data and may not be written: {derived}." if derived else ""
        tasks = tasks_of(kind) or [""]
        choice = f" `--task` chooses among {', '.join(tasks)}." if len(tasks) > 1 else ""
        parts += [f"## {kind}", f"`gattn init {kind} > my.toml` writes all of this with comments.{choice}"]
        for task in tasks:
            parts += [
                f"### [data], task {task}" if task else "### [data]",
                table(keys_of(task_class(kind, task).data_table)),
                f"`monitor` in [train] can be {metrics(kind, task)}.",
            ]
        parts += [
            "### [model]", f'`kind = "{kind}"`, and `preset` for the sizes.{follows}', presets(kind),
            table(model_keys(kind)),
        ]
    return "\n\n".join(parts)


TABLES = {"train": lambda _: table(keys_of(TrainSettings)), "kinds": kinds}
