"""Exported models answer as the model does: as a library, in node and in a browser opened from a folder."""

from __future__ import annotations

import ctypes
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Browser

import gattn_tg
from gattn_tg.cli.main import main
from gattn_tg.errors import ConfigError, GattnError, UnsupportedError
from gattn_tg.export.forms import form_of
from gattn_tg.export.motifs import ROOM, motif_source
from gattn_tg.front.trained import Trained
from gattn_tg.machine import toolchain, zig
from gattn_tg.models import checkpoint
from gattn_tg.models.forward import Forward
from gattn_tg.models.kinds import KINDS
from gattn_tg.models.readouts import (
    ClassReadout,
    MaskedReadout,
    NextBaseReadout,
    Readout,
    SiteReadout,
    TrackHead,
    TrackReadout,
)
from gattn_tg.motif import MotifVocabulary, annotate, causal_ids
from gattn_tg.motif.motif_class import MotifClass
from gattn_tg.motif.rules import AtRich, CpgIslands, Matrix
from gattn_tg.seq import decode, encode

pytest.importorskip("ziglang", reason="ziglang compiles what is exported")
NODE, CHROMIUM = shutil.which("node"), shutil.which("chromium")
LIBRARY = "model.dylib" if sys.platform == "darwin" else "model.so"
SIZES: dict[str, Any] = {"width": 16, "n_layers": 2, "n_heads": 2, "mlp_ratio": 1, "dropout": 0.0}
VOCABULARY = MotifVocabulary.default()
# unlike kernels: exported tiles are 128 bits wide, so sums of 16 to 64 float32 are added in another order
TOLERANCE = 2e-5


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of two layers, whose layer norms are two launches of one kernel on the same memory."""
    folder = tmp_path_factory.mktemp("export")
    kind = KINDS["SequenceClassifier"]
    model = kind.model(kind.config.from_dict({"n_classes": 3, "max_length": 40, **SIZES}), seed=1)
    checkpoint.save(model, folder / "ckpt", readout=ClassReadout(labels=("a", "b</script>", "c"), shortest=20),
                    vocabulary=VOCABULARY)  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def model(home: Path) -> Trained:
    return gattn_tg.load(home / "ckpt", "CPU")


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    bases, lengths = rng.integers(0, 5, (64, 40)).astype(np.uint8), rng.integers(20, 41, 64).astype(np.int32)
    for row, n in zip(bases, lengths, strict=True):
        row[n:] = 4
    return bases, np.ascontiguousarray(annotate(bases, VOCABULARY)), lengths


def pointer(x: np.ndarray) -> ctypes.c_void_p:
    return x.ctypes.data_as(ctypes.c_void_p)


def asked(path: Path, rows: tuple[np.ndarray, ...]) -> np.ndarray:
    """What a library says of rows, from memory at an odd address."""
    library = ctypes.CDLL(str(path))
    library.gattn_memory_bytes.restype = ctypes.c_size_t
    memory, out = np.zeros(library.gattn_memory_bytes() + 1, np.uint8)[1:], np.zeros((64, 3), np.float32)
    library.gattn_run(*map(pointer, (*rows, out, memory)))
    return out


def test_a_library_answers_as_the_model_does(home: Path, model: Trained, rows: tuple[np.ndarray, ...]) -> None:
    path = home / LIBRARY
    assert model.export(path) == [path, home / "model.h"]
    np.testing.assert_allclose(asked(path, rows), Forward(model.model, 64)(*rows), atol=TOLERANCE)
    text = (home / "model.h").read_text()
    assert "#define GATTN_ROWS 64" in text
    assert "a, b</script>, c" in text


def test_the_library_needs_no_other(home: Path) -> None:
    readelf = shutil.which("readelf")
    if readelf is None or sys.platform != "linux":
        pytest.skip("no readelf")
    said = subprocess.run([readelf, "-d", str(home / LIBRARY)], capture_output=True, text=True, check=True).stdout
    assert "NEEDED" not in said


def test_equal_models_give_equal_bytes_and_nothing_is_written_over(home: Path, model: Trained) -> None:
    first, second = home / "one.html", home / "two.html"
    model.export(first, half=True)
    model.export(second, half=True)
    assert first.read_bytes() == second.read_bytes()
    with pytest.raises(GattnError, match=r"one.html: expected a new file, got one that exists"):
        model.export(first)
    assert first.read_bytes() == second.read_bytes()


def test_the_command_line_tells_sizes_and_refuses_in_a_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ckpt = str(home / "ckpt")
    assert main(["export", ckpt, "-o", str(home / "page.html"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["bytes"] == {str(home / "page.html"): (home / "page.html").stat().st_size}
    assert main(["export", ckpt, "-o", str(home / "page.html")]) == 2
    assert main(["export", ckpt, "-o", str(home / "page.pdf")]) == 2
    assert main(["export", ckpt, "-o", str(home / "m.c"), "--half"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 3
    assert "expected a name that ends in .html, .js, .wasm, .c, .so, .dylib, got .pdf" in err
    assert not (home / "m.c").exists()


def test_what_cannot_be_exported_is_refused_with_the_reason(home: Path, tmp_path: Path) -> None:
    kind = KINDS["MaskedEncoder"]
    masked = checkpoint.Checkpoint(kind.model(kind.config.from_dict({"k": 3, **SIZES})), VOCABULARY,
                                   MaskedReadout(width=32))  # fmt: skip
    with pytest.raises(UnsupportedError, match="got a MaskedEncoder: it names hidden bases"):
        form_of(masked)
    with pytest.raises(UnsupportedError, match="measured states beside them"):
        form_of(checkpoint.Checkpoint(gattn_tg.load(home / "ckpt").model, MotifVocabulary.methylation(),
                                      ClassReadout(labels=("a", "b", "c"))))  # fmt: skip
    with pytest.raises(ConfigError, match=r"got no ending"):
        gattn_tg.load(home / "ckpt").export(tmp_path / "model")


def test_no_launch_is_lost_and_kernels_of_one_name_are_told_apart(home: Path, model: Trained) -> None:
    model.export(home / "text.c")
    text = (home / "text.c").read_text()
    assert len(re.findall(r"^  (?:for .*)?k\d+\(", text, re.MULTILINE)) >= 2 * 8
    assert not re.search(r"(?<!long )\blong\b(?! long)", text)  # 32 bits in WebAssembly


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


@pytest.mark.skipif(NODE is None, reason="node is not installed")
@pytest.mark.parametrize("half", [False, True])
def test_node_runs_the_module(home: Path, model: Trained, rows: tuple[np.ndarray, ...], half: bool) -> None:
    model.export(home / "module.js", half=half, overwrite=True)
    (home / "module.mjs").write_text((home / "module.js").read_text())
    (home / "ask.mjs").write_text(
        "import {load} from './module.mjs';\nconst {b, n} = JSON.parse(process.argv[2]), m = await load();\n"
        "console.log(JSON.stringify([...m.run(Uint8Array.from(b), n)]));"
    )
    assert NODE is not None
    given = json.dumps({"b": rows[0].ravel().tolist(), "n": rows[2].tolist()})
    done = subprocess.run([NODE, "ask.mjs", given], cwd=home, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found = np.array(json.loads(done.stdout)).reshape(64, 3)
    # float16 keeps 11 bits of each weight, and the answers are of size 1
    np.testing.assert_allclose(found, Forward(model.model, 64)(*rows), atol=2e-2 if half else TOLERANCE)
    assert "export declare function load" in (home / "module.d.ts").read_text()


@pytest.fixture(scope="module")
def browser(home: Path, model: Trained) -> Iterator[Browser]:
    """A browser with the page of the model, opened from its folder."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with closing(Browser(CHROMIUM, home / "profile")) as found:
        found.open(next(iter(model.export(home / "browser.html", overwrite=True))))
        yield found


def said(browser: Browser, sequence: str, mode: int = 0, **options: str) -> str:
    """What the page says in the end, asked about a sequence."""
    fill = "".join(f"document.getElementById('{key}').value = {json.dumps(value)};" for key, value in options.items())
    browser.run(f"document.getElementById('mode{mode}').click(); {fill}"
                f"document.getElementById('sequence').value = {json.dumps(sequence)};"
                "document.getElementById('go').click()")
    browser.until("document.getElementById('stop').disabled")
    return str(browser.run("document.getElementById('say').textContent"))


def cells(browser: Browser) -> list[list[str]]:
    """The rows of the first table."""
    found: list[list[str]] = browser.run(
        "[...document.querySelector('tbody').rows].map(row => [...row.cells].map(cell => cell.textContent))")
    return found


LETTERS = decode(np.random.default_rng(5).integers(0, 4, 33).astype(np.uint8))


def test_a_page_answers_from_a_folder_and_asks_nobody(browser: Browser, model: Trained) -> None:
    assert said(browser, f">one\r\n{LETTERS[:20]}\r\n{LETTERS[20:]}\r\n").startswith("Done in")
    (row,) = cells(browser)
    np.testing.assert_allclose([float(x) for x in row[1:]], model.predict([LETTERS]).probabilities[0], atol=TOLERANCE)
    long = LETTERS * 9
    assert said(browser, long).startswith("Done in")
    scanned = cells(browser)
    starts = [int(row[1]) for row in scanned]
    windows = [long[max(s - 20 + 25, 0) : s + 20 + 25] for s in starts if s + 45 <= len(long) and s >= 0]
    want = model.predict(windows).probabilities
    found = np.array([[float(x) for x in row[3:]] for row in scanned])[: len(windows)]
    np.testing.assert_allclose(found, want, atol=TOLERANCE)
    assert [url for url in browser.requests if not url.startswith(("blob:", "data:"))] == []
    assert browser.errors == []


def test_a_page_explains_as_python_does(browser: Browser, model: Trained) -> None:
    assert said(browser, LETTERS, mode=1, target="a").startswith("Done in")
    found = np.array([[float(x) for x in row[4:]] for row in cells(browser)])
    np.testing.assert_allclose(found, model.explain([LETTERS], target="a", attention=False).changes(0), atol=2e-4)


def test_a_page_tells_what_a_variant_does(browser: Browser, model: Trained) -> None:
    other = LETTERS[:9] + ("A" if LETTERS[9] != "A" else "C") + LETTERS[10:]
    assert said(browser, LETTERS, mode=2, variant=f"10:{LETTERS[9]}>{other[9]}").startswith("Done in")
    first = cells(browser)[0]
    np.testing.assert_allclose([float(x) for x in first[1:3]], model.predict([LETTERS, other]).probabilities[:, 0],
                               atol=TOLERANCE)  # fmt: skip
    placed = f">chr9:100-133\n{LETTERS}"
    assert said(browser, placed, mode=2, variant=f"chr9:110:{LETTERS[9]}>{other[9]}").startswith("Done in")
    assert cells(browser)[0] == first
    assert "Base 10 of the sequence, whose name counts from 0" in browser.run("document.body.textContent")
    wrong = "ACGT"["ACGT".index(LETTERS[9]) - 1]
    assert said(browser, LETTERS, mode=2, variant=f"10:{wrong}>T").startswith(f"At 10 the sequence has {LETTERS[9]}")


@pytest.mark.parametrize(("text", "sentence"), [
    ("", "Paste a sequence"), (">one\nACGTJ", 'one: "J" is no letter for a base of DNA'),
    (">one\n>two\nACGT", "one: there are no bases behind this name"), ("A\0C", "This is no text"),
])  # fmt: skip
def test_bad_input_gets_a_sentence(browser: Browser, text: str, sentence: str) -> None:
    assert said(browser, text).startswith(sentence)


def test_too_much_gets_a_sentence_and_work_can_be_cancelled(browser: Browser) -> None:
    browser.run("document.getElementById('mode0').click();"
                "document.getElementById('sequence').value = 'ACGT'.repeat(2800000);"  # just above MOST_BASES
                "document.getElementById('go').click()")
    browser.until("document.getElementById('stop').disabled")
    assert "too much for a page" in browser.run("document.getElementById('say').textContent")
    browser.run("document.getElementById('sequence').value = 'ACGTTGCA'.repeat(200000);"
                "document.getElementById('go').click(); document.getElementById('stop').click()")
    browser.until("document.getElementById('stop').disabled")
    assert browser.run("document.getElementById('say').textContent") == "Cancelled."
    assert said(browser, LETTERS).startswith("Done in")


ALONG = ">s\n" + decode(np.random.default_rng(6).integers(0, 4, 150).astype(np.uint8))
HEAD = TrackHead(head="human", tracks=("a", "b"), scale=(1.0, 2.0), soft_clip=0.5, window_bp=96)
OTHERS: dict[str, tuple[dict[str, Any], Readout]] = {
    "PerBaseModel": (SIZES, SiteReadout(window_bp=64, site_bp=2)),
    "TrackModel": ({"heads": (("human", 2),), "stem_width": 32, "bin_bp": 8, "crop_bp": 32, "composition_bp": (),
                    **SIZES}, TrackReadout(heads=(HEAD,))),
    "GenomicGPT": ({"context": 32, **SIZES}, NextBaseReadout(width=160)),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_pages_of_other_kinds_answer_as_python_does(name: str, browser: Browser, tmp_path: Path) -> None:
    sizes, readout = OTHERS[name]
    kind = KINDS[name]
    checkpoint.save(kind.model(kind.config.from_dict({**sizes}), seed=2), tmp_path / "c", readout=readout,
                    vocabulary=VOCABULARY)  # fmt: skip
    model = gattn_tg.load(tmp_path / "c", "CPU")
    browser.open(model.export(tmp_path / "page.html")[0])
    assert said(browser, ALONG).startswith("Done in")
    found = np.array([[float(x) for x in row[3:]] for row in cells(browser)])
    letters = ALONG[3:]
    if name == "GenomicGPT":
        np.testing.assert_allclose(found[:, 0], model.predict([letters]).bits[0], atol=TOLERANCE)
        assert said(browser, ALONG[:60], mode=1, length="5", temperature="0").startswith("Done in")
        assert cells(browser)[0][1] == ALONG[3:60] + model.generate(ALONG[3:60], length=5, temperature=0).sequences[0]
    else:
        np.testing.assert_allclose(found, model.predict([letters]).values[0], atol=TOLERANCE)
    assert browser.errors == []


def test_the_examples_in_c_and_python_say_what_the_model_says(home: Path, model: Trained) -> None:
    examples, compiler = Path(__file__).parents[2] / "examples" / "export", toolchain.zig()
    assert compiler is not None
    model.export(home / LIBRARY, overwrite=True)
    told = [subprocess.run([sys.executable, examples / "ask.py", home / LIBRARY, LETTERS], capture_output=True,
                           text=True, check=True).stdout]  # fmt: skip
    model.export(home / "model.c", overwrite=True)
    subprocess.run([compiler, "cc", "-O1", f"-I{home}", home / "model.c", examples / "ask.c", "-o", home / "ask"],
                   check=True, capture_output=True)  # fmt: skip
    told.append(subprocess.run([home / "ask", LETTERS], capture_output=True, text=True, check=True).stdout)
    for text in told:
        z = np.array([float(x) for x in text.split()])
        p = np.exp(z) / np.exp(z).sum()
        np.testing.assert_allclose(p, model.predict([LETTERS]).probabilities[0], atol=TOLERANCE)
