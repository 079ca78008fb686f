"""A trained model as text and bytes that every target is made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tinygrad.helpers import Context

from gattn_tg.export.c import EXPORTED, Shape, c_source, header
from gattn_tg.export.forms import Form, form_of
from gattn_tg.export.layout import Layout
from gattn_tg.export.motifs import motif_source
from gattn_tg.machine import browser, zig
from gattn_tg.machine.captured import Captured, capture, plain_cpu
from gattn_tg.models.checkpoint import Checkpoint, load
from gattn_tg.version import __version__

BROWSER_BITS = 128  # vectors of WebAssembly, and of the least machine that C is compiled for
LARGE_BYTES = 16 << 20  # weights above it stand in a file beside the C


@dataclass(frozen=True)
class Program:
    """A captured model.

    Args:
        form: what it is.
        captured: its kernels and buffers.
        motifs: C of its motif ids.
        wgsl: the same model for GPUs of browsers, where that is wanted.
    """

    form: Form
    captured: Captured
    motifs: str
    wgsl: Captured | None = None

    @property
    def shape(self) -> Shape:
        """Sizes of inputs and answers."""
        form, out = self.form, self.captured.buffers[self.captured.output]
        per_row = out.n_bytes // 4 // form.rows
        last = len(form.about["labels"])
        axes = (per_row,) if per_row == last else (per_row // last, last)
        return Shape(form.rows, form.width, axes, form.reads_lengths)

    def c(self, name: str, *, embedded: bool | None = None) -> tuple[str, str, Layout]:
        """The text of `name.c` and of `name.h`, and where everything lies.

        Args:
            name: of the files.
            embedded: whether the weights stand in the C; None where they are small.
        """
        source, layout = c_source(self.captured, self.motifs, name, embedded=False)
        inside = len(layout.weights) <= LARGE_BYTES if embedded is None else embedded
        if inside:
            source, layout = c_source(self.captured, self.motifs, name, embedded=True)
        about = self.form.about
        title = f"{about['kind']} of {about['parameters']:,} parameters."
        return source, header(name, self.shape, layout, title=title, answers=self.form.answers, version=__version__,
                              embedded=inside), layout  # fmt: skip

    @cached_property
    def webassembly(self) -> bytes:
        """A WebAssembly module that is handed its weights; compiled once."""
        source, text, _ = self.c("model", embedded=False)
        return zig.webassembly(source, text, EXPORTED)

    @cached_property
    def relaxed(self) -> bytes:
        """The same for engines with relaxed vectors."""
        source, text, _ = self.c("model", embedded=False)
        return zig.webassembly(source, text, EXPORTED, relaxed=True)

    def whole_webassembly(self) -> bytes:
        """A WebAssembly module that holds its weights."""
        source, text, _ = self.c("model", embedded=True)
        return zig.webassembly(source, text, EXPORTED)

    def library(self, suffix: str) -> bytes:
        """A shared library, see `zig.library`."""
        source, text, _ = self.c("model")
        return zig.library(source, text, suffix)


def program_of(checkpoint: Checkpoint, bits: int | None = BROWSER_BITS, head: str | None = None) -> Program:
    """Capture a model whose weights are on the CPU.

    Args:
        checkpoint: the model.
        bits: of the vectors that its kernels are cut for; None takes those of this machine.
        head: of a model of tracks; None takes all of them.

    Raises:
        UnsupportedError, FormatError, ConfigError: as `form_of`.
    """
    form = form_of(checkpoint, head)
    with Context(DEV="CPU"), plain_cpu(bits):
        captured = capture(form.function, form.inputs)
    return Program(form, captured, motif_source(checkpoint.vocabulary, is_causal=bool(checkpoint.model.is_causal)))


def wgsl_of(folder: Path, head: str | None = None) -> Captured:
    """Capture a model for GPUs of browsers, in as many rows as `program_of` does.

    Args:
        folder: its checkpoint.
        head: of a model of tracks; None takes all of them.

    Raises:
        UnsupportedError: it computes a constant that a browser could not read, or as `form_of`.
        FormatError, ConfigError: as `form_of`.
    """
    with browser.kernels() as device:
        form = form_of(load(folder, device), head)
        return capture(form.function, form.inputs)


def about(program: Program) -> dict[str, Any]:
    """What a page, or a module of JavaScript, must know of a program."""
    shape = program.shape
    return {**program.form.about, "answers": list(shape.answers), "reads_lengths": shape.reads_lengths,
            "version": __version__}  # fmt: skip
