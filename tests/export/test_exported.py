"""Exported C answers as the model does, and what cannot be exported is refused with the reason."""

from __future__ import annotations

import ctypes
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from exported import CLASSES, LETTERS, SIZES, TOLERANCE, VOCABULARY, classifier

from gattn_tg.cli.main import main
from gattn_tg.errors import ConfigError, UnsupportedError
from gattn_tg.export import program as program_module
from gattn_tg.export.forms import form_of
from gattn_tg.export.motifs import ROOM, motif_source
from gattn_tg.export.program import Program, program_of
from gattn_tg.export.targets import files_of
from gattn_tg.front.trained import Trained
from gattn_tg.machine import toolchain, zig
from gattn_tg.models import checkpoint
from gattn_tg.models.captured.forward import Forward
from gattn_tg.models.kinds import KINDS
from gattn_tg.models.readouts.bases import MaskedReadout
from gattn_tg.models.readouts.tracks import TrackHead, TrackReadout
from gattn_tg.motif import MotifVocabulary, annotate, causal_ids
from gattn_tg.motif.motif_class import MotifClass
from gattn_tg.motif.rules import AtRich, CpgIslands, Matrix
from gattn_tg.seq import encode

pytest.importorskip("ziglang", reason="ziglang compiles what is exported")
LIBRARY = "model.dylib" if sys.platform == "darwin" else "model.so"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("export")


@pytest.fixture(scope="module")
def model(home: Path) -> Trained:
    return classifier(home / "ckpt")


@pytest.fixture(scope="module")
def program(home: Path, model: Trained) -> Program:
    """The model captured for this machine, with its library and its C in the folder."""
    found = program_of(model.checkpoint, None)
    for wanted in (LIBRARY, "model.c"):
        for name, content in files_of(found, home / wanted).items():
            (home / name).write_bytes(content)
    return found


def pointer(x: np.ndarray) -> ctypes.c_void_p:
    return x.ctypes.data_as(ctypes.c_void_p)


def test_a_library_answers_as_the_model_does_and_needs_no_other(home: Path, model: Trained, program: Program) -> None:
    rng = np.random.default_rng(0)
    bases, lengths = rng.integers(0, 5, (64, 40)).astype(np.uint8), rng.integers(20, 41, 64).astype(np.int32)
    for row, n in zip(bases, lengths, strict=True):
        row[n:] = 4
    rows = bases, np.ascontiguousarray(annotate(bases, VOCABULARY)), lengths
    library = ctypes.CDLL(str(home / LIBRARY))
    library.gattn_memory_bytes.restype = ctypes.c_size_t
    memory = np.zeros(library.gattn_memory_bytes() + 1, np.uint8)[1:]  # at an odd address
    found = np.zeros((64, 3), np.float32)
    library.gattn_run(*map(pointer, (*rows, found, memory)))
    want = Forward(model.model, 64)(*rows)
    np.testing.assert_allclose(found, want, atol=TOLERANCE)
    compiler = toolchain.find()
    if compiler is not None and compiler.origin == "ziglang":  # the same kernels, the same compiler, the same options
        np.testing.assert_array_equal(found, want)
    text = (home / "model.h").read_text()
    assert "#define GATTN_ROWS 64" in text
    assert "a, b</script>, c" in text
    if (readelf := shutil.which("readelf")) and sys.platform == "linux":
        said = subprocess.run([readelf, "-d", home / LIBRARY], capture_output=True, text=True, check=True).stdout
        assert "NEEDED" not in said


def test_no_launch_is_lost_and_long_has_64_bits(home: Path, program: Program) -> None:
    text = (home / "model.c").read_text()
    assert len(re.findall(r"^  (?:for .*)?k\d+\(", text, re.MULTILINE)) >= 2 * 8
    assert not re.search(r"(?<!long )\blong\b(?! long)", text)  # 32 bits in WebAssembly


@pytest.mark.parametrize("largest", [0, program_module.LARGE_BYTES], ids=["beside", "inside"])
def test_the_examples_in_c_and_python_say_what_the_model_says(
    largest: int, home: Path, model: Trained, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With weights in the C, and in a file beside it that is mapped into memory; in the debug mode of zig, too.

    What C leaves undefined ends the process at once: zig would compile a runtime to tell of it, half a minute for it.
    """
    monkeypatch.setattr(program_module, "LARGE_BYTES", largest)
    files = files_of(program, home / "model.c")
    assert ("model.weights" in files) == (largest == 0)
    for name, content in files.items():
        (home / name).write_bytes(content)
    examples, compiler, library = Path(__file__).parents[2] / "examples" / "export", toolchain.zig(), home / LIBRARY
    assert compiler is not None
    for more in (["-shared", "-fPIC", "-o", library], [f"-I{home}", examples / "ask.c", "-o", home / "ask"]):
        debug = [compiler, "cc", "-O0", "-fsanitize-trap=undefined", "model.c"]
        subprocess.run([*debug, *more], cwd=home, check=True, capture_output=True)
    for command in ([home / "ask"], [sys.executable, examples / "ask.py", library]):
        told = subprocess.run([*command, LETTERS], capture_output=True, text=True, check=True, cwd=home).stdout
        z = np.array([float(x) for x in told.split()])
        p = np.exp(z) / np.exp(z).sum()
        np.testing.assert_allclose(p, model.predict([LETTERS], both_strands=False).probabilities[0], atol=TOLERANCE)


def test_a_library_for_macs_has_one_part_for_each_of_their_processors() -> None:
    found = zig.library('__attribute__((visibility("default"))) int gattn_one(void) { return 1; }', "", ".dylib")
    if sys.platform == "darwin":
        pytest.skip("a Mac makes a library of its own")
    mark, n = struct.unpack_from(">II", found)
    assert (mark, n) == (0xCAFEBABE, 2)
    for i, processor in enumerate((0x0100000C, 0x01000007)):  # arm64 and x86_64
        named, _, at, size, _ = struct.unpack_from(">IIIII", found, 8 + 20 * i)
        one = found[at : at + size]
        assert (named, *struct.unpack_from("<II", one)) == (processor, 0xFEEDFACF, processor)
        assert b"_gattn_one" in one
    assert at + size == len(found)


def test_the_command_line_refuses_in_a_line(home: Path, model: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    ckpt, there = str(home / "ckpt"), home / "there.html"
    there.write_text("kept")
    assert main(["export", ckpt, "-o", str(there)]) == 2
    assert main(["export", ckpt, "-o", str(home / "page.pdf")]) == 2
    assert main(["export", ckpt, "-o", str(home / "m.c"), "--half"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 3
    assert "there.html: expected a new file, got one that exists" in err
    assert "expected a name that ends in .html, .js, .wasm, .c, .so, .dylib, got .pdf" in err
    assert not (home / "m.c").exists()
    assert there.read_text() == "kept"
    with pytest.raises(ConfigError, match=r"got no ending"):
        model.export(home / "model")


def test_what_cannot_be_exported_is_refused_with_the_reason(model: Trained) -> None:
    kind = KINDS["MaskedEncoder"]
    masked = checkpoint.Checkpoint(kind.model(kind.config.from_dict({"k": 3, **SIZES})), VOCABULARY,
                                   MaskedReadout(width=32))  # fmt: skip
    with pytest.raises(UnsupportedError, match="got a MaskedEncoder: it names hidden bases"):
        form_of(masked)
    with pytest.raises(UnsupportedError, match="measured states beside them"):
        form_of(checkpoint.Checkpoint(model.model, MotifVocabulary.methylation(), CLASSES))


def test_heads_that_see_windows_of_other_sizes_are_named_one_by_one() -> None:
    kind = KINDS["TrackModel"]
    sizes = {"heads": (("human", 2), ("mouse", 1)), "bin_bp": 8, "crop_bp": 32, "composition_bp": (), **SIZES}
    heads = [TrackHead(head=name, tracks=tracks, scale=(1.0,) * len(tracks), soft_clip=0.0, window_bp=bp)
             for name, tracks, bp in (("human", ("a", "b"), 96), ("mouse", ("c",), 128))]  # fmt: skip
    model = checkpoint.Checkpoint(kind.model(kind.config.from_dict(sizes)), VOCABULARY,
                                  TrackReadout(heads=tuple(heads)))  # fmt: skip
    with pytest.raises(ConfigError, match="windows of one size, got human 96, mouse 128 bases; name one head"):
        form_of(model)
    assert (form_of(model, "mouse").width, form_of(model, "mouse").about["labels"]) == (128, ["c"])
    with pytest.raises(ConfigError, match="expected a head named human or mouse, got 'rat'"):
        form_of(model, "rat")


BLACK = "#000000"
MORE = MotifVocabulary((
    *VOCABULARY.classes[:1], *VOCABULARY.classes[3:13],
    MotifClass("m", Matrix(((10, 0, 0, 2), (0, 12, 0, 0), (0, 0, 12, 0), (3, 3, 3, 3), (0, 9, 0, 3)), 1e-2), 40, BLACK),
    MotifClass("island", CpgIslands("takai-jones"), 41, BLACK), MotifClass("at", AtRich(11, 0.7), 42, BLACK),
))  # fmt: skip


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("vocabulary", [VOCABULARY, MORE], ids=["default", "more"])
def test_every_base_has_the_motif_id_that_python_gives_it(
    vocabulary: MotifVocabulary, is_causal: bool, tmp_path: Path
) -> None:
    rng = np.random.default_rng(3)
    shares = ([0.25, 0.25, 0.25, 0.25, 0], [0.1, 0.38, 0.38, 0.13, 0.01], [0.45, 0.05, 0.05, 0.44, 0.01])
    some = [rng.choice(5, n, p=p).astype(np.uint8) for p in shares for n in (0, 1, 7, 4000)]
    some += [encode("CG" * 400), encode("TATAAAA" * 50), encode("ACGGAAGTGACGTCATTTTTTTCAGGTAAGT" * 30)]
    entry = ("__attribute__((visibility(\"default\"))) void ids(const byte *b, int n, byte *o, char *r) "
             "{ motif_ids(b, n, o, r); }")
    source = "#include <stddef.h>\n" + MEMORY + motif_source(vocabulary, is_causal=is_causal) + entry
    path = tmp_path / LIBRARY
    path.write_bytes(zig.library(source, "", path.suffix))
    find = ctypes.CDLL(str(path)).ids
    for ids in some:
        room, found = np.full(ROOM * (len(ids) + 1), 255, np.uint8), np.full(len(ids), 99, np.uint8)
        find(pointer(ids), ctypes.c_int(len(ids)), pointer(found), pointer(room))
        np.testing.assert_array_equal(found, (causal_ids if is_causal else annotate)(ids, vocabulary))


MEMORY = """
void *memset(void *d, int c, size_t n) { char *p = d; while (n--) *p++ = (char)c; return d; }
void *memcpy(void *d, const void *s, size_t n) { char *p = d; const char *q = s; while (n--) *p++ = *q++; return d; }
"""


