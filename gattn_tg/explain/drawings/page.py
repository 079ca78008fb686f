"""One HTML file that shows a run: text, tables and drawings, nothing loaded from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #f7f5f0; color: #1c2530; line-height: 1.5; font-size: 15px;
  font-family: ui-sans-serif, system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 40px 28px 56px; }
header p.kicker { margin: 0; font-size: 12px; letter-spacing: .09em; text-transform: uppercase; color: #0f766e;
  font-weight: 700; }
h1 { font-size: 30px; line-height: 1.2; margin: 6px 0 8px; letter-spacing: -.015em; text-wrap: balance;
  overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 0 0 2px; letter-spacing: -.005em; }
header p.lead { margin: 0; max-width: 74ch; color: #4a5563; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: 12px; margin: 26px 0 14px; }
.tile { background: #fff; border: 1px solid #e6e3dc; border-radius: 12px; padding: 14px 16px 12px; }
.tile b { display: block; font-size: 26px; line-height: 1.15; font-weight: 680; font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere; }
.tile span { color: #66717e; font-size: 13px; }
.tile.key { background: #0f766e; border-color: #0f766e; color: #fff; }
.tile.key span { color: #cfe7e3; }
section { background: #fff; border: 1px solid #e6e3dc; border-radius: 12px; padding: 20px 24px 18px; margin-top: 14px; }
section > p { margin: 2px 0 14px; color: #4a5563; max-width: 92ch; font-size: 14px; }
.pair { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 14px; }
.scroll, .rows { overflow-x: auto; }
svg { display: block; width: 100%; height: auto; }
.pair svg { max-width: 520px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px; color: #4a5563;
  margin: 10px 0 0; padding: 0; list-style: none; }
.legend i { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 6px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; font-size: 14px; }
th { text-align: left; color: #66717e; font-weight: 600; font-size: 12.5px;
  border-bottom: 1px solid #d9d5cb; padding: 5px 10px 5px 0; }
td { border-bottom: 1px solid #efece5; padding: 6px 10px 6px 0; }
td.n, th.n { text-align: right; }
th button { all: unset; cursor: pointer; }
th button:focus-visible { outline: 2px solid #0f766e; outline-offset: 2px; }
th[aria-sort=ascending] button::after { content: " \\25B4"; }
th[aria-sort=descending] button::after { content: " \\25BE"; }
footer { color: #66717e; font-size: 13px; margin-top: 22px; max-width: 100ch; }
h2, td:not(.n) { overflow-wrap: anywhere; }
td:first-child { min-width: 12ch; }
@media print { body { background: #fff; } main { padding: 0; } section, .tile { break-inside: avoid; } }
@media (max-width: 860px) {
  .pair { grid-template-columns: minmax(0, 1fr); } main { padding: 24px 14px; } .scroll svg { min-width: 760px; }
  .tile b { font-size: 20px; }
  .scroll::before { content: "\\2194  wider than the screen: push it sideways"; position: sticky; left: 0;
    color: #66717e; font-size: 12.5px; } }
"""

LEAST_SORTED = 3  # rows of a table that can be sorted
SORTS = """
for (const table of document.querySelectorAll("table.sorts")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  heads.forEach((head, i) => head.firstChild.addEventListener("click", () => {
    const falls = head.getAttribute("aria-sort") === "descending" ? 1 : -1, isNumber = head.className === "n";
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", falls < 0 ? "descending" : "ascending");
    const of = row => row.cells[i].textContent.replace(/,/g, "");
    const order = (a, b) => {
      if (!isNumber) return falls * of(a).localeCompare(of(b), undefined, {numeric: true});
      const x = parseFloat(of(a)), y = parseFloat(of(b));
      return isNaN(x) || isNaN(y) ? isNaN(x) - isNaN(y) : falls * (x - y);
    };
    body.append(...[...body.rows].sort(order));
  }));
}
"""
"""A click on a head sorts the table by its column, the largest first, a second click the smallest; what is no number
stands last. Without scripts the table stands as it was written."""


@dataclass(frozen=True)
class Tile:
    """One large number and what it is."""

    value: str
    label: str
    is_key: bool = False


def section(title: str, about: str, content: str, wide: bool = False) -> str:
    """A titled card; wide drawings scroll sideways on a narrow screen."""
    body = f'<div class="scroll">{content}</div>' if wide else content
    return f"<section><h2>{escape(title)}</h2><p>{escape(about)}</p>{body}</section>"


def pair(left: str, right: str) -> str:
    """Two cards beside each other."""
    return f'<div class="pair">{left}{right}</div>'


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """Colour and word, several in a line."""
    items = "".join(f'<li><i style="background:{escape(c, quote=True)}"></i>{escape(w)}</li>' for c, w in entries)
    return f'<ul class="legend">{items}</ul>'


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column is text and whose other columns are numbers; a longer one is sorted by a click."""

    def cells(tag: str, row: Sequence[str], inside: str = "{}") -> str:
        return "".join(
            f"<{tag}{' class=n' if i else ''}>{inside.format(escape(c))}</{tag}>" for i, c in enumerate(row)
        )

    sorts = len(rows) >= LEAST_SORTED
    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    named = cells("th", head, '<button type="button">{}</button>' if sorts else "{}")
    kind = " class=sorts" if sorts else ""
    return f'<div class="rows"><table{kind}><thead><tr>{named}</tr></thead><tbody>{body}</tbody></table></div>'


def page(kicker: str, title: str, lead: str, tiles: Sequence[Tile], sections: Sequence[str], footer: str) -> str:
    """The whole document."""
    shown = "".join(
        f'<div class="tile{" key" if t.is_key else ""}"><b>{escape(t.value)}</b><span>{escape(t.label)}</span></div>'
        for t in tiles
    )
    content = "".join(sections)
    script = f"<script>{SORTS}</script>" if "<table class=sorts>" in content else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body><main><header>"
        f'<p class="kicker">{escape(kicker)}</p><h1>{escape(title)}</h1><p class="lead">{escape(lead)}</p></header>'
        f'<div class="tiles">{shown}</div>{content}<footer>{escape(footer)}</footer></main>{script}</body></html>\n'
    )
