"""Products of paired bfloat16: every instruction of this CPU against float64, the others compiled for theirs."""

from __future__ import annotations

import os
import subprocess

import numpy as np
import pytest
from tinygrad import Tensor, dtypes
from tinygrad.helpers import Context

from gattn_tg.errors import ConfigError
from gattn_tg.kernels.dense.gemm import kernel
from gattn_tg.kernels.dense.gemm_plan import Gemm, paired
from gattn_tg.kernels.pairs import amx, arm, avx512, unit
from gattn_tg.kernels.pairs.tile import Tile
from gattn_tg.kernels.pairs.unit import Place, transpose
from gattn_tg.kernels.tiles.body import Body
from gattn_tg.machine import pairs, toolchain
from gattn_tg.machine.captured import plain_cpu
from gattn_tg.ops.launch import Output, launch
from gattn_tg.ops.linear import linear

HERE = pairs.available()
needs_pairs = pytest.mark.skipif(not HERE, reason="this CPU has no instructions for pairs of bfloat16")


def rounded(rng: np.random.Generator, *shape: int) -> tuple[Tensor, np.ndarray]:
    """Numbers as bfloat16, and in float64."""
    x = Tensor(rng.standard_normal(shape, dtype=np.float32), device="CPU").cast(dtypes.bfloat16).realize()
    return x, x.float().numpy().astype(np.float64)


def product(g: Gemm, a: Tensor, b: Tensor) -> np.ndarray:
    left = a if g.rows == "mk" else a.transpose()
    right = b if g.lanes == "kn" else b.transpose()
    outputs = [Output(g.out_shape, dtypes.float32), Output(g.scratch_shape, dtypes.float32)]
    return launch(kernel(g), outputs, [left, right])[0].numpy()


@needs_pairs
@pytest.mark.parametrize("name", HERE)
def test_products_of_every_layout_are_those_of_float64(name: str) -> None:
    """Edges, rows and sums that fill no register, sums in pieces; the same bits on any number of cores."""
    rng = np.random.default_rng(0)
    for m, n, k, rows, lanes, parts in (
        (67, 150, 40, "mk", "kn", 1),
        (5, 20, 34, "mk", "nk", 2),
        (33, 90, 4, "km", "kn", 3),
        (31, 33, 4096, "km", "nk", 4),
    ):
        (a, wide_a), (b, wide_b) = rounded(rng, m, k), rounded(rng, k, n)
        g = Gemm(m, n, k, rows, lanes, parts=parts, pairs=name)
        found, true = product(g, a, b), wide_a @ wide_b
        assert np.abs(found - true).max() <= 4e-6 * np.abs(true).max(), g.name
    one = Gemm(m, n, k, rows, lanes, parts=1, pairs=name)
    assert g.blocks > 1
    assert product(one, a, b).tobytes() == found.tobytes()


@needs_pairs
def test_a_layer_in_bfloat16_takes_the_instructions_and_float32_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """One layer, forward and all gradients, with the instructions and without: both within bfloat16 of each other."""
    seen = []
    made = Gemm.__init__

    def watched(self: Gemm, *given: object, **more: object) -> None:
        made(self, *given, **more)  # type: ignore[arg-type]
        seen.append(self.pairs)

    monkeypatch.setattr(Gemm, "__init__", watched)
    rng = np.random.default_rng(1)
    arrays = [rng.standard_normal(shape, dtype=np.float32) for shape in ((96, 64), (80, 64), (80,), (96, 80))]
    answers: dict[str, list[np.ndarray]] = {}
    narrow, wide = dtypes.bfloat16, dtypes.float32
    for case, dtype, name in (("with", narrow, HERE[0]), ("without", narrow, None), ("f32", wide, HERE[0])):
        seen.clear()
        x, w, bias, residual = (Tensor(a, device="CPU").cast(dtype).realize() for a in arrays)
        with pairs.assuming(name):
            y = linear(x, w, bias, "gelu", residual)
            found = [y, *y.gradient(x, w, bias, residual, gradient=Tensor.ones(*y.shape, dtype=dtype, device="CPU"))]
            answers[case] = [t.float().numpy() for t in found]
        assert set(seen) == ({HERE[0]} if case == "with" else {None}), case
    for ours, other in zip(answers["with"], answers["without"], strict=True):
        assert np.abs(ours - other).max() <= 2.0**-7 * np.abs(other).max()


def test_kernels_that_leave_this_machine_have_none_of_them() -> None:
    """Nor those that the compiler makes for another processor."""
    with plain_cpu(128):
        assert unit.chosen() is None
        assert paired(64, 64, "mk") is None
    for setting in ("CPU::x86_64,znver4", "CPU:LLVM"):
        with Context(DEV=setting):
            assert unit.chosen() is None


@needs_pairs
def test_words_are_transposed_with_edges() -> None:
    x = np.random.default_rng(2).standard_normal((31, 21), dtype=np.float32)

    def turned(out, source):  # type: ignore[no-untyped-def]
        body = Body("turned")
        transpose(body, Place(out, (0, 0), 32), Place(source, (0, 0), 21), 32, 21, 31)
        return body.finish()

    found = launch(turned, [Output((21, 32), dtypes.float32)], [Tensor(x, device="CPU")])[0].numpy()
    np.testing.assert_array_equal(found, x[[*range(31), 30]].T)


@pytest.mark.parametrize(
    ("text", "target", "cpu", "instruction", "rows"),
    [
        (arm.matrix, "aarch64", "-mcpu=neoverse-v1", "bfmmla", 8),
        (arm.dots, "aarch64", "-mcpu=neoverse-v1", "bfdot", 4),
        (amx.text, "x86_64", "-march=sapphirerapids", "tdpbf16ps", 32),
        (avx512.text, "x86_64", "-march=cooperlake", "vdpbf16ps", 6),
    ],
)
def test_text_of_every_maker_becomes_its_instruction(text, target: str, cpu: str, instruction: str, rows: int) -> None:  # type: ignore[no-untyped-def]
    compiler = toolchain.on_path(os.environ.get("PATH"))  # that of ziglang writes no assembly to where it is asked to
    if compiler is None:
        pytest.skip("no clang on the PATH")
    statement = text(Tile(rows, 64, 48, 64, 48, 64)).format("c0", "a0", "b0")
    source = f"float f(float* c0, float* a0, float* b0) {{ float v = {statement}; return v; }}"
    options = ["-S", "-x", "c", "-O2", "-ffreestanding", f"--target={target}-none-unknown-elf", cpu, "-", "-o", "-"]
    done = subprocess.run([compiler.path, *options], input=source.encode(), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[:500]
    # a tile stays in registers: 16 and more sums, each with its instruction, and four of AMX
    assert done.stdout.decode().count(instruction) >= (4 if instruction == "tdpbf16ps" else 16)


def cpuinfo(folder, flags: str) -> str:  # type: ignore[no-untyped-def]
    path = folder / flags.replace(" ", "_")
    path.write_text(f"flags\t\t: {flags}\n", encoding="utf-8")
    return str(path)


def test_what_a_cpu_has_is_read_from_its_flags(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(pairs, "_may_use_tiles", lambda: True)
    assert pairs.available(cpuinfo(tmp_path, "fma avx512f")) == ()
    assert pairs.available(cpuinfo(tmp_path, "avx512f avx512_bf16")) == ("avx512_bf16",)
    assert pairs.available(cpuinfo(tmp_path, "avx512f avx512_bf16 amx_tile amx_bf16")) == ("amx_bf16", "avx512_bf16")
    assert pairs.available(cpuinfo(tmp_path, "fp asimd bf16")) == ("arm_bfmmla", "arm_bfdot")
    monkeypatch.setattr(pairs, "_may_use_tiles", lambda: False)
    assert pairs.available(cpuinfo(tmp_path, "avx512_bf16 avx512f amx_tile amx_bf16")) == ("avx512_bf16",)


def test_what_is_slower_than_float32_is_not_chosen(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    for vendor, fast in (("GenuineIntel", False), ("AuthenticAMD", True)):
        path = tmp_path / vendor
        path.write_text(f"vendor_id\t: {vendor}\nflags\t\t: avx512f avx512_bf16\n", encoding="utf-8")
        assert pairs.are_fast("avx512_bf16", str(path)) is fast
        assert pairs.are_fast("amx_bf16", str(path))
    monkeypatch.setattr(pairs, "available", lambda: ("avx512_bf16",))
    monkeypatch.setattr(pairs, "are_fast", lambda name: False)
    monkeypatch.delenv(pairs.SETTING, raising=False)
    assert pairs.chosen() is None


def test_the_variable_turns_them_off_and_names_only_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "available", lambda: ("amx_bf16", "avx512_bf16"))
    monkeypatch.setattr(pairs, "are_fast", lambda name: True)
    monkeypatch.delenv(pairs.SETTING, raising=False)
    assert pairs.chosen() == "amx_bf16"
    monkeypatch.setenv(pairs.SETTING, "avx512_bf16")
    assert pairs.chosen() == "avx512_bf16"
    monkeypatch.setenv(pairs.SETTING, "none")
    assert pairs.chosen() is None
    monkeypatch.setenv(pairs.SETTING, "arm_bfdot")
    with pytest.raises(ConfigError, match="GATTN_PAIRS: expected one of amx_bf16, avx512_bf16, none on this CPU"):
        pairs.chosen()
