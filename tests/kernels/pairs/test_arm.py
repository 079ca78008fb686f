"""Tiles of Arm's instructions, run in an emulator where there is one: against sums in double, and rounding."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gattn_tg.kernels.pairs import arm
from gattn_tg.kernels.pairs.tile import Tile
from gattn_tg.machine import toolchain

EMULATOR = shutil.which("qemu-aarch64")
PROGRAM = """
static float wide(unsigned short h) { union { unsigned u; float f; } x = {(unsigned)h << 16}; return x.f; }
static unsigned short a[%(rows)d][2 * %(pairs)d];
static unsigned short b[%(pairs)d][%(lanes)d][2];
static float c[%(rows)d][%(lanes)d], given[64];
static unsigned short rounded[64];
static unsigned state = 1;
static unsigned short draw(void) {
  state = state * 1664525u + 1013904223u;
  return 0x3f00 + (state >> 25) + ((state >> 9) << 15);
}
__attribute__((noinline)) static float tile(float* p0, void* p1, void* p2) { return %(tile)s; }
__attribute__((noinline)) static float narrow(float* p0, void* p1) { return %(narrow)s; }
static int is_far(double x, double y, double most) { return !(x - y <= most && y - x <= most); }
static long mistakes(void) {
  long wrong = 0;
  for (int i = 0; i < %(rows)d; i++) for (int x = 0; x < 2 * %(pairs)d; x++) a[i][x] = draw();
  for (int x = 0; x < %(pairs)d; x++) for (int j = 0; j < 2 * %(lanes)d; j++) b[x][0][j] = draw();
  for (int i = 0; i < %(rows)d; i++) for (int j = 0; j < %(lanes)d; j++) c[i][j] = 1.5f;
  tile(&c[0][0], a, b);
  for (int i = 0; i < %(rows)d; i++) for (int j = 0; j < %(lanes)d; j++) {
    double sum = %(start)s;
    for (int x = 0; x < %(pairs)d; x++)
      sum += (double)wide(a[i][2 * x]) * wide(b[x][j][0]) + (double)wide(a[i][2 * x + 1]) * wide(b[x][j][1]);
    wrong += is_far(c[i][j], sum, 1e-4);
  }
  for (int i = 0; i < 64; i++) given[i] = 1 + i / 1024.0f;
  narrow((float*)rounded, given);
  for (int i = 0; i < 64; i++) wrong += is_far(wide(rounded[i]), given[i], 1 / 256.0);
  return wrong;
}
void _start(void) {
  register long code __asm__("x0") = mistakes() ? 1 : 42;
  register long exit __asm__("x8") = 93;
  __asm__ volatile("svc #0" :: "r"(code), "r"(exit));
  __builtin_unreachable();
}
"""
RIGHT = 42  # the exit code of a program that found no mistake


@pytest.mark.skipif(EMULATOR is None or toolchain.zig() is None, reason="needs qemu-aarch64 and ziglang")
@pytest.mark.parametrize(
    ("text", "tile"),
    [
        (arm.matrix, Tile(7, 32, 5, 32, 5, 32)),
        (arm.matrix, Tile(16, 16, 32, 16, 32, 16, clear=True)),
        (arm.dots, Tile(6, 32, 5, 32, 5, 32)),
    ],
)
def test_a_tile_of_arm_is_the_sum_in_double(text: Callable[[Tile], str], tile: Tile, tmp_path: Path) -> None:
    source = PROGRAM % {
        "rows": tile.rows, "pairs": tile.pairs, "lanes": tile.lanes, "start": "0.0" if tile.clear else "1.5",
        "tile": text(tile).format("p0", "p1", "p2"), "narrow": arm.narrow(2, 32, 32, 32).format("p0", "p1"),
    }  # fmt: skip
    (tmp_path / "tile.c").write_text(source, encoding="utf-8")
    program = tmp_path / "tile"
    options = ["-target", "aarch64-linux", "-mcpu=neoverse_v1", "-O2", "-nostdlib", "-static", "-ffreestanding"]
    command = [toolchain.zig() or "", "cc", *options, str(tmp_path / "tile.c"), "-o", str(program)]
    subprocess.run(command, check=True, capture_output=True, timeout=toolchain.COMPILE_SECONDS)
    assert subprocess.run([EMULATOR or "", "-cpu", "max", str(program)], timeout=60).returncode == RIGHT
