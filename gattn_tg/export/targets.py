"""The files that a model becomes, by the ending of the name that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gattn_tg.errors import ConfigError, UnsupportedError
from gattn_tg.export.module import module
from gattn_tg.export.page import page
from gattn_tg.export.program import BROWSER_BITS, Program, program_of
from gattn_tg.machine import zig
from gattn_tg.models.checkpoint import Checkpoint

LIBRARIES, HALVES = (".so", ".dylib"), (".html", ".js")
BESIDE: dict[str, tuple[str, ...]] = {  # what is written beside the file of an ending
    ".html": (), ".js": (".d.ts",), ".wasm": (".h",), ".c": (".h", ".weights"), ".so": (".h", ".weights"),
    ".dylib": (".h", ".weights"),
}  # fmt: skip


def check_target(path: Path, *, half: bool = False, gpu: bool = False) -> None:
    """Refuse a name or an option before any work is done for it.

    Raises:
        ConfigError: no ending that a model can have, or halves, or a GPU, of a target that has none.
        UnsupportedError: the library of Linux on another system.
    """
    if path.suffix not in BESIDE:
        raise ConfigError(f"export: {path}: expected a name that ends in {', '.join(BESIDE)}, got "
                          f"{path.suffix or 'no ending'}; name one of them")
    if half and path.suffix not in HALVES:
        raise ConfigError(f"export: expected half weights for {' or '.join(HALVES)}, got {path.suffix}, which reads "
                          "them as they are; leave it out")
    if gpu and path.suffix != ".html":
        raise ConfigError(f"export: expected a GPU for .html, got {path.suffix}, which runs on processors only; leave "
                          "it out")
    if path.suffix == ".so" and zig.here() != ".so":
        raise UnsupportedError(f"export: {path}: expected {zig.here()}, the library of this system, got .so; export .c "
                               "and compile it there")


def captured_for(checkpoint: Checkpoint, path: Path, head: str | None = None) -> Program:
    """A model, or one head of it, captured for what is to be made of it: for the vectors of this machine, or of any.

    Raises:
        UnsupportedError, FormatError, ConfigError: as `form_of`.
    """
    return program_of(checkpoint, None if path.suffix == zig.here() else BROWSER_BITS, head)


def files_of(
    program: Program, path: Path, *, half: bool = False, extra: Mapping[str, Any] | None = None
) -> dict[str, bytes]:
    """The content of every file by its name, the one that was asked for first; equal models give equal bytes.

    Args:
        program: what `captured_for` gave.
        path: what `check_target` lets pass.
        half: store large weights as float16.
        extra: what a page must know of the model beside its form.

    Raises:
        UnsupportedError: the compiler refuses the kernels.
        MissingExtraError: ziglang is not installed.
    """
    check_target(path, half=half)
    ending, name = path.suffix, path.stem
    if ending == ".html":
        return {path.name: page(program, half=half, extra=dict(extra or {})).encode()}
    if ending == ".js":
        text, types = module(program, half=half)
        return {path.name: text.encode(), f"{name}.d.ts": types.encode()}
    if ending == ".wasm":
        return {path.name: program.whole_webassembly(), f"{name}.h": program.c(name, embedded=True)[1].encode()}
    source, header, layout = program.c(name)
    beside = {f"{name}.h": header.encode()}
    if "WEIGHTS[]" not in source:
        beside[f"{name}.weights"] = layout.weights
    return {path.name: program.library(ending) if ending in LIBRARIES else source.encode(), **beside}
