// Drawings as SVG: values along a sequence, splice sites over motifs, a logo with the changes below it.
import {LETTERS} from "./dna.js";

const COLOURS = ["#2e7d32", "#1565c0", "#e08e00", "#c62828"], WIDTH = 1000;

export function element(name, attributes = {}, ...inside) {
  const out = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) out.setAttribute(key, value);
  out.append(...inside);
  return out;
}

const picture = (height, label, ...inside) => element("svg", {viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": label}, ...inside);

/** One line of bars for each track; of many bins, the largest in a column is seen. */
export function tracks(found, length) {
  const high = 78, parts = found.map(({name, values}, t) => {
    const top = values.reduce((m, x) => x > m ? x : m, 0) || 1, columns = Math.min(WIDTH, values.length);
    let path = "";
    for (let c = 0; c < columns; c++) {
      let most = NaN;
      for (let i = Math.floor(c * values.length / columns), e = Math.floor((c + 1) * values.length / columns); i < e; i++) if (!(values[i] <= most)) most = values[i];
      if (most > 0) path += `M${(c + .5) * WIDTH / columns} 0V${(-48 * most / top).toFixed(1)}`;
    }
    const label = element("text", {x: 0, y: -54}); label.textContent = `${name}, up to ${top.toPrecision(3)}`;
    return element("g", {transform: `translate(0 ${(t + 1) * high})`}, element("path", {d: path, stroke: "#0f766e", "stroke-width": Math.max(1, .8 * WIDTH / columns)}), element("path", {d: `M0 0H${WIDTH}`, stroke: "#888"}), label);
  });
  const end = element("text", {x: WIDTH, y: found.length * high + 16, "text-anchor": "end"}); end.textContent = `${length.toLocaleString("en")} bases`;
  return picture(found.length * high + 22, "values along the sequence", ...parts, end);
}

/** Sites above 0.5 on both strands, and the motifs between them. */
export function sites({strong, motifs, length}, names) {
  const x = i => i / length * WIDTH, parts = [], texts = [["+ strand", 0, 14], ["- strand", 0, 236]];
  for (let p = 0; p < WIDTH; p++) {
    let id = 0;
    for (let i = Math.floor(p / WIDTH * length), e = Math.max(i + 1, Math.floor((p + 1) / WIDTH * length)); i < e && i < length; i++) id = Math.max(id, motifs[i]);
    if (id && names.length) parts.push(element("rect", {x: p, y: 112, width: 1, height: 16, fill: names[id][1]}));
  }
  parts.push(element("path", {d: `M0 108H${WIDTH}M0 132H${WIDTH}`, stroke: "#888"}));
  for (const s of strong) {
    const h = s.score * 90, bar = element("rect", {x: x(s.position) - 1.5, y: s.strand === "+" ? 108 - h : 132, width: 3, height: h, fill: s.kind === "donor" ? "#8b5cc0" : "#d6499a"});
    const title = element("title"); title.textContent = `${s.kind} ${s.position + 1} (${s.strand}) ${s.score.toFixed(3)}`;
    bar.append(title); parts.push(bar);
  }
  texts.push([`donors violet, acceptors pink; ${length.toLocaleString("en")} bases`, WIDTH, 236]);
  for (const [text, at, y] of texts) { const t = element("text", {x: at, y, "text-anchor": at ? "end" : "start"}); t.textContent = text; parts.push(t); }
  return picture(242, "splice sites and motifs", ...parts);
}

/** Letters as high as what each base gives, and the three changes of each base as colours. */
export function logo({ids, gives, grid}) {
  const n = ids.length, w = WIDTH / n, most = Math.max(1e-9, ...gives.map(Math.abs)), extreme = Math.max(1e-9, ...grid.map(r => Math.max(...Array.from(r, Math.abs)))), parts = [];
  gives.forEach((g, i) => {
    if (ids[i] > 3) return;
    const scale = Math.abs(g) / most * 70 / 10, letter = element("text", {transform: `translate(${(i + .5) * w} 80) scale(${w / 9} ${Math.max(scale, .01) * (g < 0 ? -1 : 1)})`, "text-anchor": "middle", class: "letter"});
    letter.textContent = LETTERS[ids[i]]; letter.style.fill = COLOURS[ids[i]]; letter.style.font = "bold 13.5px monospace";
    parts.push(letter);
  });
  grid.forEach((row, i) => row.forEach((v, b) => { if (b !== ids[i]) parts.push(element("rect", {x: i * w, y: 165 + 14 * b, width: w, height: 14, fill: v < 0 ? "#2166ac" : "#b2182b", opacity: Math.abs(v) / extreme})); }));
  parts.push(element("path", {d: `M0 80H${WIDTH}`, stroke: "#888"}));
  const key = element("text", {x: 0, y: 236}); key.textContent = `changes to A, C, G, T from above; blue takes, red adds, up to ${extreme.toFixed(2)}`;
  return picture(242, "what each base gives to the answer", ...parts, key);
}
