"""The compiler of the CPU device: what is found, what is set, and what is said when nothing is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gattn_tg.errors import MissingExtraError, UnsupportedError
from gattn_tg.machine import toolchain

ROOT = Path(__file__).resolve().parents[2]
posix_only = pytest.mark.skipif(os.name != "posix", reason="the wrapper is a POSIX shell script")


def executable(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def no_zig(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "zig", lambda: None)


def test_clang_on_the_path_is_left_to_tinygrad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_zig(monkeypatch)
    executable(tmp_path / "clang")
    environ = {"PATH": str(tmp_path)}
    toolchain.configure(environ)
    assert environ == {"PATH": str(tmp_path)}
    assert toolchain.find(environ) == toolchain.Compiler(str(tmp_path / "clang"), "clang")


def test_cc_of_the_user_is_left_alone(tmp_path: Path) -> None:
    environ = {"PATH": str(tmp_path), "CC": "/opt/clang"}
    toolchain.configure(environ)
    assert environ["CC"] == "/opt/clang"
    assert toolchain.find(environ) == toolchain.Compiler("/opt/clang", "CC")


def test_newest_versioned_clang_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_zig(monkeypatch)
    for name in ("clang-9", "clang-14", "clang-19"):
        executable(tmp_path / name)
    environ = {"PATH": str(tmp_path), "CC": ""}
    toolchain.configure(environ)
    assert environ["CC"] == str(tmp_path / "clang-19")


@posix_only
@pytest.mark.parametrize(("system", "has_clang"), [("linux", False), ("linux", True), ("darwin", False)])
def test_zig_is_taken_where_it_is_on_linux_and_elsewhere_where_no_clang_is(
    system: str, has_clang: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(toolchain, "zig", lambda: "/somewhere/zig")
    if has_clang:
        executable(tmp_path / "clang")
    environ = {"PATH": str(tmp_path)}
    toolchain.configure(environ)
    assert environ["CC"] == str(toolchain.ZIGCC)
    assert environ["GATTN_ZIG"] == "/somewhere/zig"
    assert toolchain.find(environ) == toolchain.Compiler(str(toolchain.ZIGCC), "ziglang")


def test_nothing_found_sets_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_zig(monkeypatch)
    environ = {"PATH": str(tmp_path)}
    toolchain.configure(environ)
    assert environ == {"PATH": str(tmp_path)}
    assert toolchain.find(environ) is None


def test_require_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_zig(monkeypatch)
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtraError) as raised:
        toolchain.require()
    assert str(raised.value) == (
        "machine.toolchain: expected a C compiler (clang) to run on the CPU, but none was found; "
        'pip install "gattn_tg[cpu]"'
    )


@posix_only
@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("#!/bin/sh\necho unknown option >&2; exit 1\n", "refused a test program (unknown option)"),
        ("#!/bin/sh\ncat > /dev/null; exit 3\n", "refused a test program (exit 3)"),
        ("#!/bin/sh\ncat > /dev/null; echo text\n", "wrote no ELF object"),
    ],
)
def test_require_says_why_a_compiler_does_not_serve(
    script: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = executable(tmp_path / "cc", script)
    monkeypatch.setenv("CC", str(compiler))
    with pytest.raises(UnsupportedError) as raised:
        toolchain.require()
    assert str(raised.value) == (
        "machine.toolchain: expected a clang that compiles for bare ELF targets, "
        f'but {compiler} (CC) {why}; unset CC, install clang, or pip install "gattn_tg[cpu]"'
    )


def test_require_says_when_cc_is_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", str(tmp_path / "absent"))
    with pytest.raises(UnsupportedError, match="cannot be started"):
        toolchain.require()


def test_the_compiler_of_this_machine_serves() -> None:
    assert toolchain.version(toolchain.require())


def test_vector_width_is_read_from_cpuinfo(tmp_path: Path) -> None:
    cases = {"fpu avx avx2 avx512f": 512, "fpu avx avx2": 256, "fpu sse2": 128, "": 128}
    for number, (flags, bits) in enumerate(cases.items()):
        cpuinfo = tmp_path / f"cpuinfo{number}"
        cpuinfo.write_text(f"processor\t: 0\nflags\t\t: {flags}\n", encoding="utf-8")
        assert toolchain.vector_bits(str(cpuinfo)) == bits
    assert toolchain.vector_bits(str(tmp_path / "absent")) == 128


def test_vectors_of_another_machine_are_assumed_inside_only() -> None:
    """Whatever was asked before, and nothing of it stays."""
    own = toolchain.vector_bits()
    for bits in (128, 256, 512):
        with toolchain.assuming(bits):
            assert toolchain.vector_bits() == bits
        assert toolchain.vector_bits() == own


@posix_only
@pytest.mark.parametrize(("program", "code"), [(b"int f(void) { return 1 / 0; }", 0), (b"int f( {", 1)])
def test_ziglang_warns_of_nothing_and_keeps_nothing(program: bytes, code: int, tmp_path: Path) -> None:
    """By itself it keeps every source and object for good, beside the cache that is bounded."""
    pytest.importorskip("ziglang", reason="ziglang is not installed")
    for name in ("kept", "temporary", "here"):
        (tmp_path / name).mkdir()
    environ = {name: x for name, x in os.environ.items() if not name.startswith("ZIG_")}
    environ |= {"GATTN_ZIG": str(toolchain.zig()), "XDG_CACHE_HOME": str(tmp_path / "kept"),
                "TMPDIR": str(tmp_path / "temporary")}  # fmt: skip
    command = [str(toolchain.ZIGCC), *toolchain._ARGUMENTS, "-", "-o", "-"]
    done = subprocess.run(command, input=program, capture_output=True, env=environ, cwd=tmp_path / "here", check=False)
    assert (done.returncode, bool(done.stdout), bool(done.stderr)) == (code, code == 0, code == 1)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert not list((tmp_path / "temporary").iterdir())


@posix_only
def test_training_step_without_clang(tmp_path: Path) -> None:
    """A child process whose PATH holds no clang trains one step with ziglang's clang."""
    pytest.importorskip("ziglang", reason="ziglang is not installed")
    for tool in ("sh", "id", "mkdir"):
        found = next(p for folder in os.get_exec_path() if (p := Path(folder) / tool).exists())
        (tmp_path / tool).symlink_to(found)
    program = """
import os, sys
sys.path.insert(0, sys.argv[1])
import gattn_tg
assert os.environ["CC"].endswith("zigcc"), os.environ.get("CC")
from tinygrad import Tensor, nn
from tinygrad.helpers import Context
weight = Tensor.full((4, 3), 0.5).contiguous().realize()
optimiser = nn.optim.SGD([weight], lr=0.1)
with Context(TRAINING=1):
    loss = ((Tensor.ones(2, 3) @ weight.T).exp() - 1).square().mean()
    loss.backward()
    optimiser.step()
assert weight.numpy().max() < 0.5
"""
    environ = {k: v for k, v in os.environ.items() if k not in ("CC", "GATTN_ZIG")}
    environ |= {"PATH": str(tmp_path), "DEV": "CPU", "CACHELEVEL": "0", "PARALLEL": "0"}
    done = subprocess.run(
        [sys.executable, "-c", program, str(ROOT)], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
