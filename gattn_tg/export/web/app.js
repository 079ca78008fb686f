// The page: what is asked, a sequence in, answers out.
import {along, answer, explain, generate, likelihood, variant} from "./ask.js";
import {readFasta, readText} from "./dna.js";
import {logo, sites, tracks} from "./draw.js";
import {Pool} from "./pool.js";

const $ = id => document.getElementById(id), PAYLOAD = JSON.parse($("payload").textContent), ABOUT = PAYLOAD.about;
const MOST_ROWS = 200, MOST_SHOWN = 50, MOST_TRACKS = 12, SELECT_LINES = 6;
const CHOICE = ABOUT.margin !== undefined && ABOUT.labels.length > 1 ? ["tracks"] : [];
const VARIANT = ["One variant", variant, ["variant", ...CHOICE]];
const MODES = ABOUT.task === "next" ? [["How likely each base is", likelihood, []], ["New bases behind it", generate, ["length", "temperature", "seed"]], VARIANT]
  : ABOUT.margin !== undefined ? [["Along the sequence", along, CHOICE], VARIANT]
  : [[ABOUT.sites ? "Where the sites are" : "What it is", answer, []], ["Why: every change of a base", explain, ["target"]], VARIANT];
const OPTIONS = {variant: ["Variant", "text", "", "1234:A>C"], length: ["New bases", "number", 60, ""], temperature: ["Temperature", "number", 1, ""],
                 seed: ["Seed", "number", 0, ""], target: ["What to explain", "select", ABOUT.task === "values" ? 0 : "", ""],
                 tracks: ["Tracks (none chosen: all)", "several", "", ""]};

function make(name, attributes = {}, ...inside) {
  const out = Object.assign(document.createElement(name), attributes);
  out.append(...inside);
  return out;
}

let pool, question = MODES[0];
if (PAYLOAD.gpu) {
  const choice = make("input", {type: "checkbox", id: "gpu"});
  choice.addEventListener("change", () => { pool?.cancel(); pool = undefined; });
  $("options").after(make("p", {}, make("label", {}, choice, " Ask the GPU (WebGPU); where that is not possible, the processor answers")));
}
MODES.forEach((mode, i) => {
  const choice = make("input", {type: "radio", name: "mode", id: `mode${i}`, checked: !i});
  choice.addEventListener("change", () => choose(mode));
  $("modes").append(make("label", {}, choice, ` ${mode[0]}`));
});

function choose(mode) {
  question = mode;
  $("options").replaceChildren(...mode[2].map(key => {
    const [label, type, value, placeholder] = OPTIONS[key], isMany = type === "several";
    if (isMany || type === "select") {
      const choices = ABOUT.labels.map((text, i) => new Option(text, i));
      if (value === "" && !isMany) choices.unshift(new Option("the likeliest", ""));
      return make("label", {}, `${label} `, make("select", {id: key, multiple: isMany, size: isMany ? Math.min(SELECT_LINES, choices.length) : 1}, ...choices));
    }
    return make("label", {}, `${label} `, make("input", {type, id: key, value, placeholder, min: 0, step: "any"}));
  }));
}

choose(question);

function options() {
  const out = {};
  for (const key of question[2]) {
    const type = OPTIONS[key][1], value = $(key).value.trim(), isNumber = type === "number";
    if (isNumber && (value === "" || !(+value >= 0) || (key === "length" && (+value < 1 || +value % 1)))) throw new Error(`${OPTIONS[key][0]}: write a number${key === "length" ? " from 1 up" : " of 0 or more"}.`);
    out[key] = type === "several" ? Array.from($(key).selectedOptions, choice => +choice.value) : type === "select" ? (value === "" ? null : +value) : isNumber ? +value : value;
  }
  return out;
}

const download = (name, text) => {
  const url = URL.createObjectURL(new Blob([text], {type: "text/plain"})), link = make("a", {href: url, download: name});
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
};

const tsv = ({head, rows}) => [head, ...rows].map(row => row.join("\t")).join("\n") + "\n";
const bedgraph = (found, at) => found.tracks[at].values.reduce((text, v, i) => Number.isNaN(v) ? text : text + `${found.record}\t${i * found.step}\t${(i + 1) * found.step}\t${+v.toPrecision(6)}\n`, "");
const bed = found => found.strong.map(s => [found.table.rows[0][0], s.position - (s.kind === "donor" ? 0 : 2), s.position + (s.kind === "donor" ? 2 : 0), s.kind, Math.round(1000 * s.score), s.strand].join("\t") + "\n").join("");

/** Names of the motifs in a drawing, with their colours. */
function names(ids) {
  return make("ul", {className: "names"}, ...[...new Set(ids)].filter(id => id).sort((a, b) => a - b).map(id => {
    const [name, colour] = ABOUT.motifs[id], patch = make("i");
    patch.style.background = colour;
    return make("li", {}, patch, name);
  }));
}

function show(found, length) {
  const {head, rows} = found.table, card = make("section", {}, make("h2", {textContent: found.title}), make("p", {textContent: found.note}));
  const drawing = found.sites ? sites(found, ABOUT.motifs) : found.tracks ? tracks(found.tracks.slice(0, MOST_TRACKS), length) : found.grid ? logo(found) : null;
  if (drawing) card.append(make("div", {className: "scroll", tabIndex: 0}, drawing));
  if (found.motifs && ABOUT.motifs.length) card.append(names(found.motifs));
  if (found.letters) card.append(make("textarea", {readOnly: true, rows: 4, value: found.letters}));
  const buttons = make("p", {className: "row"}), save = (label, name, text) => { const b = make("button", {type: "button", textContent: label}); b.onclick = () => download(name, text()); buttons.append(b); };
  save("Save the table (TSV)", found.file, () => tsv(found.table));
  if (found.strong?.length) save("Save the sites (BED)", "sites.bed", () => bed(found));
  found.tracks?.slice(0, MOST_TRACKS).forEach((t, i) => save(`Save ${t.name} (bedGraph)`, `${t.name.replace(/[^\w.-]+/g, "_")}.bedgraph`, () => bedgraph(found, i)));
  const body = make("tbody", {}, ...rows.slice(0, MOST_ROWS).map(row => make("tr", {}, ...row.map(cell => make("td", {textContent: cell})))));
  card.append(buttons, make("div", {className: "scroll", tabIndex: 0}, make("table", {}, make("thead", {}, make("tr", {}, ...head.map(h => make("th", {textContent: h})))), body)));
  if (found.tracks?.length > MOST_TRACKS) card.append(make("p", {textContent: `The first ${MOST_TRACKS} of ${found.tracks.length} are drawn; the table has all.`}));
  if (rows.length > MOST_ROWS) card.append(make("p", {textContent: `The first ${MOST_ROWS} of ${rows.length.toLocaleString("en")} rows; the file has all.`}));
  return card;
}

/** Asks about every record; what the page shows is drawn by `go`. */
async function ask(text, wanted, tick = () => {}) {
  const records = readFasta(text), [, run] = question, out = [];
  pool ??= new Pool(PAYLOAD, $("worker").textContent, $("gpu")?.checked);
  await pool.ready;
  for (const [i, record] of records.entries()) out.push({record, found: await run(pool, record, wanted, f => tick((i + f) / records.length))});
  return out;
}

async function go() {
  const began = performance.now(), before = document.activeElement;
  $("go").disabled = true; $("stop").disabled = false; $("bar").hidden = false; $("bar").value = 0; $("say").textContent = "…";
  $("out").replaceChildren();
  try {
    const found = await ask($("sequence").value, options(), f => { $("bar").value = f; $("say").textContent = `${Math.round(100 * f)} %`; });
    $("out").append(...found.slice(0, MOST_SHOWN).map(x => show(x.found, x.record.ids.length)));
    if (found.length > 1 && found[0].found.table.head.join() === found[found.length - 1].found.table.head.join()) {
      const all = {head: found[0].found.table.head, rows: found.flatMap(x => x.found.table.rows)}, save = make("button", {type: "button", textContent: `Save all ${found.length} records (TSV)`});
      save.onclick = () => download(found[0].found.file, tsv(all));
      $("out").prepend(make("section", {}, make("p", {className: "row"}, save)));
    }
    $("say").textContent = `Done in ${((performance.now() - began) / 1000).toFixed(1)} s${pool.note ? ` ${pool.note}` : ""}.` + (found.length > MOST_SHOWN ? ` The first ${MOST_SHOWN} of ${found.length} records are shown; the file has all.` : "");
  } catch (error) {
    $("say").textContent = error.message;
    if (pool?.cancelled || !(await pool?.ready.then(() => true, () => false))) pool = undefined;
  }
  $("go").disabled = false; $("stop").disabled = true; $("bar").hidden = true;
  if (document.activeElement === document.body) before.focus();  // which a button loses that is disabled
}

function example() {
  const letters = "ACGT"; let state = 7, text = "";
  const length = ABOUT.task === "next" ? Math.min(200, ABOUT.width - 1) : ABOUT.margin !== undefined ? ABOUT.width : ABOUT.sites ? 2000 : Math.min(ABOUT.width, 200);
  for (let i = 0; i < length; i++) { state = state * 1103515245 + 12345 & 0x7fffffff; text += letters[state >> 16 & 3]; }
  $("sequence").value = `>random_letters\n${text.replace(/.{60}/g, "$&\n").trim()}\n`;
}

async function take(file) {
  try { $("sequence").value = await readText(file); $("say").textContent = file.name; } catch (error) { $("say").textContent = error.message; }
}

$("go").addEventListener("click", go);
const stop = () => { if (!$("stop").disabled) pool?.cancel(); };
$("stop").addEventListener("click", stop);
addEventListener("keydown", event => { if (event.key === "Escape") stop(); });
$("example").addEventListener("click", example);
$("file").addEventListener("change", () => $("file").files[0] && take($("file").files[0]));
$("sequence").addEventListener("dragover", event => { event.preventDefault(); $("sequence").classList.add("over"); });
$("sequence").addEventListener("dragleave", () => $("sequence").classList.remove("over"));
$("sequence").addEventListener("drop", event => { event.preventDefault(); $("sequence").classList.remove("over"); if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]); });
if (location.hash.startsWith("#ask=")) {       // opened with a question in its address: it answers by itself
  $("sequence").value = decodeURIComponent(location.hash.slice(5));
  go();
} else if (location.hash === "#example") { example(); go(); }
