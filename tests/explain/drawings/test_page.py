"""Pages as a phone shows them: nothing is wider than the screen but drawings, which are moved by themselves."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest
from browser import Browser

from gattn_tg.explain.drawings.page import Tile, page, pair, section, table
from gattn_tg.explain.drawings.svg import element, svg

CHROMIUM = shutil.which("chromium")
NARROW = 390  # of common phones
ROWS = [["ei", *("0.123456",) * 9], ["splice_donor", *("0.1",) * 9]] * 2
WIDER = """[...document.querySelectorAll(".tile, .tile b, h1, section, p")]
  .filter(x => x.scrollWidth > x.clientWidth + 1).map(x => x.outerHTML.slice(0, 80))"""


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize("width", [NARROW, 1280])
def test_a_page_is_no_wider_than_the_screen(tmp_path: Path, width: int) -> None:
    drawing = svg(1040, 60, [element("rect", x=0, y=0, width=1040, height=20)], "a drawing")
    answers = section("Class by class", "Numbers of classes.", table(["class", *("precision",) * 9], ROWS))
    text = page(
        "gattn", "A_name_of_a_model_without_any_space_in_it", "What it says.",
        [Tile("mutagenesis", "method", is_key=True), Tile("track_of_a_long_name.bw", "explained"), Tile("1", "n")],
        [pair(answers, section("Calibration", "As often as said.", drawing)), answers,
         section("Wide", "Along a contig.", drawing, wide=True)], "The end.",
    )  # fmt: skip
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    assert CHROMIUM is not None
    with closing(Browser(CHROMIUM, tmp_path / "profile")) as browser:
        browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        browser.open(tmp_path / "page.html")
        assert browser.run("document.documentElement.scrollWidth") <= width
        assert browser.run(WIDER) == []
        lines = "[...document.querySelectorAll('td:first-child')].map(x => x.clientHeight)"
        assert max(browser.run(lines)) < 60, "names are not broken into pieces"
        hint = 'getComputedStyle(document.querySelector(".scroll"), "::before").content'
        assert ("sideways" in browser.run(hint)) == (width == NARROW)
