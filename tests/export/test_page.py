"""Exported pages and modules of JavaScript answer as the model does; a page opened from a folder asks nobody."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Browser
from exported import LETTERS, TOLERANCE, VOCABULARY, classifier, saved
from firefox import Firefox
from foreign import FORMS
from tinygrad import Tensor

from gattn_tg.cli.main import main
from gattn_tg.errors import FormatError
from gattn_tg.explain.attribution.target import log_odds
from gattn_tg.export.forms import form_of
from gattn_tg.export.program import Program, program_of, wgsl_of
from gattn_tg.export.targets import files_of
from gattn_tg.front.trained import Trained
from gattn_tg.machine import zig
from gattn_tg.models import checkpoint
from gattn_tg.models.captured.forward import Forward
from gattn_tg.models.imported.classifier import ImportedClassifier
from gattn_tg.models.imported.config import ImportedClassifierConfig
from gattn_tg.models.imported.reading import imported
from gattn_tg.models.readouts.bases import NextBaseReadout, SiteReadout
from gattn_tg.models.readouts.readout import Readout
from gattn_tg.models.readouts.sequences import ClassReadout
from gattn_tg.models.readouts.tracks import TrackHead, TrackReadout
from gattn_tg.seq import N, decode, encode

pytest.importorskip("ziglang", reason="ziglang compiles what is exported")
NODE, CHROMIUM = shutil.which("node"), shutil.which("chromium")
FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def model(home: Path) -> Trained:
    return classifier(home / "ckpt")


@pytest.fixture(scope="module")
def program(model: Trained) -> Program:
    return program_of(model.checkpoint)


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiles as it is written, in a fifth of the time, where others hold what is made of it when it is improved."""
    monkeypatch.setattr(zig, "FLAGS", ("-O0", *zig.FLAGS[1:]))


def written(program: Program, path: Path, *, half: bool = False) -> Path:
    """The files of a name."""
    for name, content in files_of(program, path, half=half).items():
        path.with_name(name).write_bytes(content)
    return path


def test_equal_models_give_equal_bytes_whose_sizes_are_told(
    home: Path, program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    page = home / "page.html"
    assert main(["export", str(home / "ckpt"), "-o", str(page), "--half", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bytes"] == {str(page): page.stat().st_size}
    assert page.read_bytes() == files_of(program, page, half=True)["page.html"]


def test_engines_with_relaxed_vectors_get_a_module_that_multiplies_and_adds_at_once(program: Program) -> None:
    """Node 20 takes the other module, and Chromium takes this one; both are compared with the model below."""
    multiply_add = b"\xfd\x85\x02"  # f32x4.relaxed_madd
    assert program.relaxed.count(multiply_add) > 20
    assert multiply_add not in program.webassembly


@pytest.mark.skipif(NODE is None, reason="node is not installed")
@pytest.mark.parametrize("half", [False, True])
def test_node_runs_the_module(home: Path, model: Trained, program: Program, half: bool) -> None:
    written(program, home / "module.js", half=half).rename(home / "module.mjs")
    (home / "ask.mjs").write_text(
        "import {encode, load, meaning} from './module.mjs';\nconst m = await load();\n"
        "console.log(JSON.stringify(meaning(m.about, m.run(encode(process.argv[2]), [process.argv[2].length]))));"
    )
    assert NODE is not None
    done = subprocess.run([NODE, "ask.mjs", LETTERS], cwd=home, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    # float16 keeps 11 bits of each weight, and the answers are of size 1
    np.testing.assert_allclose(json.loads(done.stdout), model.predict([LETTERS], both_strands=False).probabilities[0],
                               atol=2e-2 if half else TOLERANCE)  # fmt: skip
    assert "export declare function load" in (home / "module.d.ts").read_text()


WHOLE = """
import {readFileSync} from "node:fs";
const bases = JSON.parse(process.argv[2]), {instance} = await WebAssembly.instantiate(readFileSync("model.wasm"));
const {gattn_memory_bytes, gattn_run, memory, __heap_base} = instance.exports, cells = 64 * 40;
const at = __heap_base.value, motifs = at + cells, lengths = motifs + cells, out = lengths + 4 * 64;
memory.grow(Math.ceil((gattn_memory_bytes() + 3 * cells) / 65536));
new Uint8Array(memory.buffer).set(bases, at);
new Int32Array(memory.buffer).fill(33, lengths >> 2, (lengths >> 2) + 64);
gattn_run(at, motifs, lengths, out, out + 4 * 64 * 3);
console.log(JSON.stringify([...new Float32Array(memory.buffer, out, 3)]));
"""


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_a_module_of_webassembly_alone_holds_its_weights_and_needs_nothing(
    home: Path, model: Trained, program: Program, quickly: None
) -> None:
    written(program, home / "model.wasm")
    (home / "whole.mjs").write_text(WHOLE)
    row = np.full((1, 40), N, np.uint8)
    row[0, :33] = np.where(encode(LETTERS) == 0, N, encode(LETTERS))
    assert NODE is not None
    done = subprocess.run([NODE, "whole.mjs", json.dumps(row[0].tolist())], cwd=home, capture_output=True, text=True,
                          timeout=60, check=True)  # fmt: skip
    want = Forward(model.model, 1)(row, np.zeros_like(row), np.array([33], np.int32))
    np.testing.assert_allclose(json.loads(done.stdout), want[0], atol=TOLERANCE)


@pytest.fixture(scope="module")
def opened(home: Path) -> Iterator[Browser]:
    """A browser without a page."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with closing(Browser(CHROMIUM, home / "profile", has_gpu=True)) as found:
        yield found


@pytest.fixture(scope="module")
def browser(opened: Browser, home: Path, program: Program) -> Browser:
    """A browser with the page of the model, opened from its folder."""
    opened.open(written(program, home / "browser.html"))
    return opened


def said(browser: Browser, sequence: str, mode: int | None = 0, **options: str) -> str:
    """What the page says in the end, asked about a sequence."""
    fill = "".join(f"document.getElementById('{key}').value = {json.dumps(value)};" for key, value in options.items())
    chosen = "" if mode is None else f"document.getElementById('mode{mode}').click();"
    browser.run(f"{chosen} {fill}"
                f"document.getElementById('sequence').value = {json.dumps(sequence)};"
                "document.getElementById('go').click()")
    browser.until("document.getElementById('stop').disabled")
    return str(browser.run("document.getElementById('say').textContent"))


def cells(browser: Browser) -> list[list[str]]:
    """The rows of the first table."""
    found: list[list[str]] = browser.run(
        "[...document.querySelector('tbody').rows].map(row => [...row.cells].map(cell => cell.textContent))")
    return found


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


def test_a_page_works_with_the_keyboard_and_takes_a_packed_file_that_is_dropped(browser: Browser) -> None:
    packed = base64.b64encode(gzip.compress(f">dropped\n{LETTERS}\n".encode())).decode()
    browser.run(f"""(() => {{
        const data = new DataTransfer();
        data.items.add(new File([Uint8Array.from(atob('{packed}'), c => c.charCodeAt(0))], 'one.fa.gz'));
        const drop = new DragEvent('drop', {{dataTransfer: data, cancelable: true}});
        document.getElementById('sequence').dispatchEvent(drop);
    }})()""")
    browser.until("document.getElementById('say').textContent === 'one.fa.gz'")
    browser.run("document.getElementById('mode0').focus()")
    reached = []
    for _ in range(4):
        browser.press("Tab", 9)
        reached.append(browser.run("document.activeElement.id"))
        assert browser.run("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert reached == ["sequence", "file", "example", "go"]
    browser.press("Enter", 13)
    browser.until("document.getElementById('stop').disabled && !!document.querySelector('tbody')")
    assert cells(browser)[0][0] == "dropped"
    assert browser.run("document.activeElement.id") == "go"


@pytest.mark.skipif(FIREFOX is None, reason="Firefox is not installed")
def test_firefox_answers_the_same_and_asks_nobody(home: Path, model: Trained, program: Program) -> None:
    assert FIREFOX is not None
    with closing(Firefox(FIREFOX, home / "firefox")) as browser:
        browser.open(written(program, home / "fox.html"), f"#ask={LETTERS}")
        browser.until("document.getElementById('say').textContent.startsWith('Done in')")
        found = browser.run("[...document.querySelector('tbody').rows[0].cells].map(cell => +cell.textContent)")[1:]
        asked = browser.run("performance.getEntriesByType('resource').map(entry => entry.name)")
    np.testing.assert_allclose(found, model.predict([LETTERS]).probabilities[0], atol=TOLERANCE)
    assert [url for url in asked if not url.startswith(("blob:", "data:"))] == []


def test_a_page_explains_as_python_does(browser: Browser, model: Trained) -> None:
    assert said(browser, LETTERS, mode=1, target="0").startswith("Done in")
    found = np.array([[float(x) for x in row[4:]] for row in cells(browser)])
    np.testing.assert_allclose(found, model.explain([LETTERS], target="a", attention=False).changes(0), atol=2e-4)


def numbers(rows: list[list[str]]) -> list[float]:
    """Log odds of both alleles and their difference, class by class."""
    return [float(x) for row in rows if row[0].startswith("log odds of") for x in row[1:]]


def effects(model: Trained, base: str, folder: Path) -> list[float]:
    """The same of another base at the tenth place, as Python has them: means over both strands."""
    (folder / "g.fa").write_text(f">s\n{LETTERS}\n")
    (found,) = model.variants(folder / "g.fa", [f"s:10:{LETTERS[9]}>{base}"])
    return list(found.scores)


def test_a_page_tells_what_a_variant_does(browser: Browser, model: Trained, tmp_path: Path) -> None:
    other = LETTERS[:9] + ("A" if LETTERS[9] != "A" else "C") + LETTERS[10:]
    assert said(browser, LETTERS, mode=2, variant=f"10:{LETTERS[9]}>{other[9]}").startswith("Done in")
    first = cells(browser)[0]
    np.testing.assert_allclose([float(x) for x in first[1:3]], model.predict([LETTERS, other]).probabilities[:, 0],
                               atol=TOLERANCE)  # fmt: skip
    assert numbers(cells(browser)) == pytest.approx(effects(model, other[9], tmp_path), abs=2e-4)
    placed = f">chr9:100-133\n{LETTERS}"
    assert said(browser, placed, mode=2, variant=f"chr9:110:{LETTERS[9]}>{other[9]}").startswith("Done in")
    assert cells(browser)[0] == first
    assert "Base 10 of the sequence, whose name counts from 0" in browser.run("document.body.textContent")
    wrong = "ACGT"["ACGT".index(LETTERS[9]) - 1]
    assert said(browser, LETTERS, mode=2, variant=f"10:{wrong}>T").startswith(f"At 10 the sequence has {LETTERS[9]}")


def test_log_odds_of_sure_answers_are_those_of_python(browser: Browser) -> None:
    """Far from the middle a probability is 1, and its log odds would be infinite."""
    z = np.array([[90, -60, 3], [0.5, 0.25, 0.125]], np.float32)
    found = browser.run(f"{z.tolist()}.map(z => strengths({{task: 'classes'}}, Float32Array.from(z)))")
    np.testing.assert_allclose(found, log_odds(Tensor(z)).numpy(), rtol=1e-5)


@pytest.mark.parametrize("name", ["bert", "nt1"])
def test_sequences_that_make_no_tokens_or_too_many_are_refused_as_in_python(
    name: str, browser: Browser, tmp_path: Path
) -> None:
    encoder = imported(FORMS[name].write(tmp_path)).model
    told = {**json.loads(encoder.config.to_json()), "n_classes": 2, "max_length": 60, "n_positions": 40}
    model = ImportedClassifier(ImportedClassifierConfig.from_dict(told | {"max_length": 36}))
    form = form_of(checkpoint.Checkpoint(model, VOCABULARY, ClassReadout(labels=("a", "b"))))
    rows = [LETTERS[:2], LETTERS, LETTERS[:30] + "NNN", "ANCGNT" * 6]
    told = browser.run(f"{json.dumps(rows)}.map(row => unreadable({json.dumps(form.about)}, encode(row)))")
    for row, why in zip(rows, told, strict=True):
        try:
            model.encoded(encode(row)[None], np.array([len(row)]))
        except FormatError:
            assert why
        else:
            assert why == ""
    assert {bool(why) for why in told} == {False, True}


@pytest.mark.parametrize(("text", "sentence"), [
    ("", "Paste a sequence"), (">one\nACGTJ", 'one: "J" is no letter for a base of DNA'),
    (">one\n>two\nACGT", "one: there are no bases behind this name"), ("A\0C", "This is no text"),
])  # fmt: skip
def test_bad_input_gets_a_sentence(browser: Browser, text: str, sentence: str) -> None:
    assert said(browser, text).startswith(sentence)


def test_too_much_gets_a_sentence_and_work_can_be_cancelled(browser: Browser) -> None:
    refused = browser.run("try { readFasta('A'.repeat(1.1 * MOST_BASES + 1)) } catch (error) { error.message }")
    assert "too much for a page" in refused
    browser.run("document.getElementById('mode0').click();"
                "document.getElementById('sequence').value = 'ACGTTGCA'.repeat(20000);"
                "document.getElementById('go').click(); document.getElementById('stop').click()")
    browser.until("document.getElementById('stop').disabled")
    assert browser.run("document.getElementById('say').textContent") == "Cancelled."
    assert said(browser, LETTERS).startswith("Done in")


ALONG = ">s\n" + decode(np.random.default_rng(6).integers(0, 4, 150).astype(np.uint8))
HEAD = TrackHead(head="human", tracks=("a", "b"), scale=(1.0, 2.0), soft_clip=0.5, window_bp=96)
MOUSE = TrackHead(head="mouse", tracks=("c",), scale=(3.0,), soft_clip=0.0, window_bp=96)
OTHERS: dict[str, tuple[dict[str, Any], Readout]] = {
    "PerBaseModel": ({}, SiteReadout(window_bp=64, site_bp=2)),
    "TrackModel": ({"heads": (("human", 2), ("mouse", 1)), "stem_width": 32, "bin_bp": 4, "crop_bp": 32,
                    "composition_bp": ()}, TrackReadout(heads=(HEAD, MOUSE))),
    "GenomicGPT": ({"context": 32}, NextBaseReadout(width=160)),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_pages_of_other_kinds_answer_as_python_does(
    name: str, opened: Browser, tmp_path: Path, quickly: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Program, "relaxed", b"")  # is no module, so the other one is taken; one compilation less
    sizes, readout = OTHERS[name]
    model = saved(tmp_path / "c", name, readout, **{"n_layers": 1, **sizes})
    program = replace(program_of(model.checkpoint), wgsl=wgsl_of(tmp_path / "c"))
    opened.open(written(program, tmp_path / "page.html"))
    assert said(opened, ALONG).startswith("Done in")
    found = np.array([[float(x) for x in row[3:]] for row in cells(opened)])
    opened.run("document.getElementById('gpu').click()")
    assert said(opened, ALONG).endswith("s on the GPU.")
    of_gpu = np.array([[float(x) for x in row[3:]] for row in cells(opened)])
    np.testing.assert_allclose(of_gpu, found, atol=TOLERANCE)
    letters = ALONG[3:]
    if name == "GenomicGPT":
        np.testing.assert_allclose(found[:, 0], model.predict([letters]).bits[0], atol=TOLERANCE)
        assert said(opened, ALONG[:60], mode=1, length="5", temperature="0").startswith("Done in")
        assert cells(opened)[0][1] == ALONG[3:60] + model.generate(ALONG[3:60], length=5, temperature=0).sequences[0]
    elif name == "PerBaseModel":
        np.testing.assert_allclose(found, model.predict([letters]).values[0], atol=TOLERANCE)
    else:
        want = np.concatenate([model.predict([letters], head=head).values[0] for head in ("human", "mouse")], 1)
        np.testing.assert_allclose(found, want, atol=TOLERANCE)
        opened.run("document.getElementById('tracks').options[2].selected = true")
        assert said(opened, ALONG, mode=None).startswith("Done in")
        assert [float(row[3]) for row in cells(opened)] == pytest.approx(want[:, 2], abs=TOLERANCE)
    assert opened.errors == []
