"""A captured model as one file of C, and its header: no allocator, no library beyond the memory functions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gattn_tg.export.layout import ALIGN, Layout, lay_out
from gattn_tg.export.motifs import ROOM
from gattn_tg.machine.captured import Captured, Kernel

EXPORTED = ("gattn_run", "gattn_motifs", "gattn_use_weights", "gattn_memory_bytes", "gattn_motif_bytes")
PER_LINE = 12  # numbers of the weights in a line of C
HEAD = """\
#include "{name}.h"
#ifdef GATTN_FREESTANDING  /* no C library: what compilers call by themselves */
void *memset(void *d, int c, size_t n) {{ char *p = d; while (n--) *p++ = (char)c; return d; }}
void *memcpy(void *d, const void *s, size_t n) {{ char *p = d; const char *q = s; while (n--) *p++ = *q++; return d; }}
#else
#include <string.h>
#endif
#define GATTN_VISIBLE __attribute__((visibility("default")))
#ifdef __clang__  /* kernels shift negative numbers to the left, as every compiler does it; a sanitizer would stop */
#pragma clang attribute push(__attribute__((no_sanitize("undefined"))), apply_to = function)
#endif
"""
HEADER = """\
/* {title}
 *
 * Written by gattn_tg {version}. Research use, not diagnosis.
 *
 * Bases are ids: A 0, C 1, G 2, T 3, anything else 4. A call answers {batch} rows of {width} bases at once; rows are
 * padded with 4. {answers}
 */
#ifndef GATTN_{guard}_H
#define GATTN_{guard}_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {{
#endif

#define GATTN_ROWS {batch}
#define GATTN_WIDTH {width}
#define GATTN_ANSWERS {answered}   /* float32 numbers of one row: {shape} */
#define GATTN_WEIGHTS_BYTES {weights}
#define GATTN_WEIGHTS_BESIDE {beside}   /* 1: they are handed over before the first call */

/* Bytes of memory that gattn_run works in. */
size_t gattn_memory_bytes(void);
/* {reads} */
void gattn_run(const uint8_t *bases, const uint8_t *motif_ids, const int32_t *lengths, float *answers, void *memory);

/* Bytes of memory that gattn_motifs needs for n bases. */
size_t gattn_motif_bytes(int32_t n);
/* The motif id of each of n bases. */
void gattn_motifs(const uint8_t *bases, int32_t n, uint8_t *motif_ids, void *memory);

/* {weights_note} */
void gattn_use_weights(const void *weights);

#ifdef __cplusplus
}}
#endif
#endif
"""


@dataclass(frozen=True)
class Shape:
    """What goes into a model and comes out of it.

    Args:
        rows: sequences of a call.
        width: bases of each.
        answers: axes of the answers of one row.
        reads_lengths: whether the model is told how many bases of a row are valid.
    """

    rows: int
    width: int
    answers: tuple[int, ...]
    reads_lengths: bool

    @property
    def n_answers(self) -> int:
        """Numbers in the answer to one row."""
        found = 1
        for n in self.answers:
            found *= n
        return found


def c_source(captured: Captured, motifs: str, name: str, *, embedded: bool) -> tuple[str, Layout]:
    """The text, and where everything lies.

    Args:
        captured: a function of base ids, motif ids and, where the model reads them, lengths.
        motifs: what `motif_source` gives.
        name: of the header.
        embedded: whether the weights stand in the text; else they are handed over by `gattn_use_weights`.
    """
    layout = lay_out(captured)
    parts = [HEAD.format(name=name), motifs, *_weights(layout, embedded), *_kernels(captured.kernels),
             "static void launches(char *w, char *a) {", *_launches(captured, layout), "}\n"]  # fmt: skip
    return "\n".join([*parts, _entries(captured, layout)]), layout


def header(name: str, shape: Shape, layout: Layout, *, title: str, answers: str, version: str, embedded: bool) -> str:
    """The header that describes the functions.

    Args:
        name: of the file, without its ending.
        shape: of inputs and answers.
        layout: of the memory.
        title: what the model is, in a line.
        answers: what the numbers of the answers mean, in a sentence.
        version: of gattn_tg.
        embedded: whether the weights stand in the C file.
    """
    reads = "lengths: valid bases of each row" if shape.reads_lengths else "lengths: not read, may be NULL"
    note = ("The weights stand in the C file; others of the same layout may be handed over before the first call."
            if embedded else f"Needed before the first call: the content of {name}.weights, best mapped into memory, "
            f"at an address that is a multiple of {ALIGN}.")  # fmt: skip
    return HEADER.format(
        title=_comment(title), version=version, batch=shape.rows, width=shape.width, answers=_comment(answers),
        guard=re.sub(r"\W", "_", name).upper(), answered=shape.n_answers, shape=" x ".join(map(str, shape.answers)),
        weights=len(layout.weights), beside=int(not embedded), reads=f"Answers to all rows; {reads}.",
        weights_note=note,
    )  # fmt: skip


def _comment(text: str) -> str:
    """Text of strangers, as names of classes, that cannot end a comment."""
    return " ".join(text.replace("*/", "* /").replace("/*", "/ *").split())


def _weights(layout: Layout, embedded: bool) -> Iterator[str]:
    if embedded:
        data = layout.weights + bytes(-len(layout.weights) % 4)
        words = [f"0x{int.from_bytes(data[i : i + 4], 'little'):x}u" for i in range(0, len(data), 4)] or ["0"]
        lines = (",".join(words[i : i + PER_LINE]) for i in range(0, len(words), PER_LINE))
        yield f"static const __attribute__((aligned({ALIGN}))) uint32_t WEIGHTS[] = {{\n" + ",\n".join(lines) + "};"
    yield f"static const void *weights = {'WEIGHTS' if embedded else '0'};"


def _kernels(kernels: list[Kernel]) -> Iterator[str]:
    """Kernels under names of their own; what several declare is declared once.

    `long` has 64 bits where tinygrad writes it, and 32 in WebAssembly, so it is written `long long`.
    """
    declared: set[str] = set()
    for number, kernel in enumerate(kernels):
        lines = []
        for line in kernel.source.splitlines():
            if line.startswith(("typedef", "#")):
                if line in declared:
                    continue
                declared.add(line)
            lines.append(re.sub(r"\blong\b", "long long", line))
        text = re.sub(rf"\b{re.escape(kernel.name)}\(", f"k{number}(", "\n".join(lines))
        yield text.replace(f"void k{number}(", f"static void k{number}(", 1).replace(" restrict ", " __restrict ")


def _launches(captured: Captured, layout: Layout) -> Iterator[str]:
    """One line for each launch; a kernel in parts runs them one after the other."""
    for launch in captured.launches:
        kernel = captured.kernels[launch.kernel]
        given = [f"(void*)({'w' if i in layout.constants else 'a'}+{layout.constants.get(i, layout.arena.get(i))})"
                 for i in launch.buffers]  # fmt: skip
        found = re.search(rf"void {re.escape(kernel.name)}\((.*?)\) {{", kernel.source)
        has_part = found is not None and "const int" in found[1]
        call = f"k{launch.kernel}({', '.join([*given, *['part'] * has_part])})"
        yield f"  for (int part = 0; part < {launch.groups[0]}; part++) {call};" if has_part else f"  {call};"


def _entries(captured: Captured, layout: Layout) -> str:
    """The functions of the header: inputs are copied to where the kernels look for them, answers from there."""
    names = ("bases", "motif_ids", "lengths")
    copies = "\n".join(
        f"  memcpy(a + {layout.arena[i]}, {names[captured.buffers[i].number]}, {captured.buffers[i].n_bytes});"
        for i in captured.inputs
    )
    out = captured.buffers[captured.output]
    return f"""\
GATTN_VISIBLE size_t gattn_memory_bytes(void) {{ return {layout.arena_bytes + ALIGN}; }}
GATTN_VISIBLE size_t gattn_motif_bytes(int32_t n) {{ return {ROOM} * ((size_t)n + 1); }}
GATTN_VISIBLE void gattn_use_weights(const void *given) {{ weights = given; }}
GATTN_VISIBLE void gattn_run(const uint8_t *bases, const uint8_t *motif_ids, const int32_t *lengths, float *answers,
                             void *memory) {{
  char *a = (char *)memory + (-(uintptr_t)memory & {ALIGN - 1});
{copies}
  launches((char *)weights, a);
  memcpy(answers, a + {layout.arena[captured.output]}, {out.n_bytes});
}}
GATTN_VISIBLE void gattn_motifs(const uint8_t *bases, int32_t n, uint8_t *ids, void *memory) {{
  motif_ids(bases, n, ids, memory);
}}
#ifdef __clang__
#pragma clang attribute pop
#endif
"""
