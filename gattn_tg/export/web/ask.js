// The questions of a page, each an async function (pool, record, options, tick) -> what is shown of it:
// {title, note, table: {head, rows}, tracks: [{name, values}], step, letters, file}.
import {meaning, strengths, surprise} from "./answers.js";
import {decode, encode, flip, LETTERS} from "./dna.js";

const STRIDE = 50, MOST_UNKNOWN = 0.1, MOST_EXPLAINED = 2000;
const shown = x => Number.isFinite(x) ? +x.toPrecision(6) : "";

/** A window that holds N beyond the ends of a sequence. */
export function cut(ids, start, width) {
  const out = new Uint8Array(width).fill(4), from = Math.max(start, 0);
  out.set(ids.subarray(from, Math.max(from, start + width)), from - start);
  return out;
}

const withPrior = (p, [trained, actual]) => { const w = actual * (1 - trained) / (trained * (1 - actual)); return p * w / (p * w + 1 - p); };

/** Every GT and AG with room around it, on both strands, as gattn_tg.score.splice has them. */
export function candidates(ids, width, kinds) {
  const found = [], n = ids.length, half = width >> 1;
  for (const strand of "+-") {
    const s = strand === "+" ? ids : flip(ids);
    for (const [kind, pair, ahead, column] of kinds) {
      const [a, b] = encode(pair);
      for (let i = 0; i + 1 < n; i++) {
        const j = i + ahead;
        if (s[i] === a && s[i + 1] === b && j >= half && j <= n - half)
          found.push({kind, strand, column, position: strand === "+" ? j : n - j, window: s.subarray(j - half, j + half)});
      }
    }
  }
  return found;
}

export async function answer(pool, {name, ids}, options, tick) {
  const {about} = pool, {width, labels} = about;
  if (about.sites && ids.length > width) return splice(pool, name, ids, tick);
  if (ids.length <= width) {
    const [p] = await pool.answers(1, () => ids, tick), short = about.shortest && ids.length < about.shortest;
    const best = about.task === "classes" ? `: ${labels[p.indexOf(Math.max(...p))]}` : "";
    return {title: name + best, note: `${ids.length} bases.` + (short ? ` The model learnt from sequences of at least ${about.shortest} bases, so little is known about this answer.` : ""),
            table: {head: ["name", ...labels], rows: [[name, ...p.map(shown)]]}, file: "answers.tsv"};
  }
  const bins = Math.ceil(ids.length / STRIDE), before = (width >> 1) - (STRIDE >> 1), known = [];
  for (let i = 0; i < bins; i++) {
    const w = cut(ids, i * STRIDE - before, width);
    if (w.reduce((s, x) => s + (x === 4), 0) <= MOST_UNKNOWN * width) known.push(i);
  }
  const p = await pool.answers(known.length, k => cut(ids, known[k] * STRIDE - before, width), tick);
  const tracks = labels.map((label, c) => { const v = new Float64Array(bins).fill(NaN); known.forEach((i, k) => v[i] = p[k][c]); return {name: label, values: v}; });
  return {title: name, note: `${ids.length.toLocaleString("en")} bases, more than the ${width} the model reads at once: a window every ${STRIDE} bases.`, tracks, step: STRIDE, record: name,
          table: {head: ["chrom", "start", "end", ...labels], rows: known.map((i, k) => [name, i * STRIDE, Math.min((i + 1) * STRIDE, ids.length), ...p[k].map(shown)])}, file: "answers.tsv"};
}

async function splice(pool, name, ids, tick) {
  const {about} = pool, found = candidates(ids, about.width, about.sites);
  const p = await pool.answers(found.length, i => found[i].window, tick), motifs = await pool.annotate(ids);
  const sites = found.map((s, i) => ({...s, raw: p[i][s.column], score: withPrior(p[i][s.column], about.prior)}));
  const strong = sites.filter(s => s.score > 0.5).sort((a, b) => a.position - b.position);
  return {title: `${name}: ${strong.length} of ${sites.length} GT and AG score above 0.5`, sites, strong, motifs, length: ids.length,
          note: "Scores are weighed for a genome, in which sites are rarer than in training. Positions count from 1.",
          table: {head: ["name", "position", "strand", "kind", "score", "p_class"], rows: strong.map(s => [name, s.position + 1, s.strand, s.kind, shown(s.score), shown(s.raw)])}, file: "sites.tsv"};
}

/** Values along a sequence: windows side by side by their inner parts, motifs found in the whole sequence. */
export async function values(pool, ids, tick) {
  const {width, margin, bin, labels} = pool.about, inner = width - 2 * margin, k = labels.length;
  const starts = [];
  for (let s = -margin; s < ids.length - margin; s += inner) starts.push(s);
  const motifs = await pool.annotate(ids), padded = start => { const w = cut(motifs, start, width), out = w; for (let i = 0; i < width; i++) if (start + i < 0 || start + i >= ids.length) out[i] = 0; return out; };
  const z = await pool.raw(starts.length, i => cut(ids, starts[i], width), tick, i => padded(starts[i]));
  const rows = inner / bin, skip = pool.about.task === "bases" ? margin : 0, n = Math.ceil(ids.length / bin);
  const out = labels.map(() => new Float64Array(n));
  starts.forEach((_, w) => {
    const y = meaning(pool.about, z.subarray(w * pool.perRow + skip * k, w * pool.perRow + (skip + rows) * k));
    for (let r = 0; r < rows && w * rows + r < n; r++) for (let c = 0; c < k; c++) out[c][w * rows + r] = y[r * k + c];
  });
  return out;
}

const chosen = ({labels}, {tracks = []}) => tracks.length ? tracks : labels.map((_, c) => c);

export async function along(pool, {name, ids}, options, tick) {
  const {bin, unit} = pool.about, which = chosen(pool.about, options), every = await values(pool, ids, tick);
  const found = which.map(c => every[c]), labels = which.map(c => pool.about.labels[c]);
  const rows = Array.from(found[0], (_, i) => [name, i * bin, Math.min((i + 1) * bin, ids.length), ...found.map(v => shown(v[i]))]);
  return {title: name, note: `${ids.length.toLocaleString("en")} bases, ${unit} in bins of ${bin}.`, tracks: labels.map((label, c) => ({name: label, values: found[c]})), step: bin, record: name,
          table: {head: ["chrom", "start", "end", ...labels], rows}, file: "along.tsv"};
}

async function bits(pool, ids, tick) {
  const row = new Uint8Array(ids.length + 1); row[0] = 4; row.set(ids, 1);
  return surprise(await pool.raw(1, () => row, tick), ids);
}

const readable = (pool, ids) => {
  if (ids.length >= pool.about.width) throw new Error(`The model of this page reads ${pool.about.width - 1} bases at most, and there are ${ids.length}. Cut out the part you ask about.`);
};

export async function likelihood(pool, {name, ids}, options, tick) {
  readable(pool, ids);
  const found = await bits(pool, ids, tick), known = found.filter(x => !Number.isNaN(x)), mean = known.reduce((a, b) => a + b, 0) / known.length;
  return {title: `${name}: ${mean.toFixed(3)} bits per base`, note: "-log2 of the probability of each base, given those before it. 2 bits are a guess.", tracks: [{name: "bits", values: found}], step: 1, record: name,
          table: {head: ["name", "position", "base", "bits"], rows: Array.from(found, (x, i) => [name, i + 1, LETTERS[ids[i]], shown(x)])}, file: "bits.tsv"};
}

function draws(seed) {                         // mulberry32: equal seeds give equal sequences on every machine
  return () => { seed = seed + 0x6d2b79f5 | 0; let t = Math.imul(seed ^ seed >>> 15, 1 | seed); t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t; return ((t ^ t >>> 14) >>> 0) / 4294967296; };
}

export async function generate(pool, {name, ids}, {length, temperature, seed}, tick) {
  readable(pool, new Uint8Array(ids.length + length - 1));
  const row = new Uint8Array(ids.length + length + 1), draw = draws(seed), n = ids.length;
  row[0] = 4; row.set(ids, 1);
  for (let i = 0; i < length; i++) {
    const known = n + 1 + i, z = (await pool.raw(1, () => row.subarray(0, known))).subarray(4 * (known - 1), 4 * known);
    const top = Math.max(...z), p = Array.from(z, v => Math.exp((v - top) / (temperature || 1))), x = draw() * p.reduce((a, b) => a + b, 0);
    let base = z.indexOf(top), sum = 0;
    if (temperature) for (base = 0; base < 3 && (sum += p[base]) <= x; base++);
    row[known] = base;
    tick((i + 1) / length);
  }
  const text = decode(row.subarray(1));
  return {title: `${length} new bases`, note: `Behind ${n} bases of ${name}; seed ${seed}, temperature ${temperature}.`, letters: text,
          table: {head: ["name", "sequence"], rows: [[`generated_${seed}`, text]]}, file: "generated.tsv"};
}

/** Every base changed to each of the other three: what each change does to the answer. */
export async function explain(pool, {name, ids}, {target}, tick) {
  const {about} = pool, {width, labels} = about;
  if (ids.length > Math.min(width, MOST_EXPLAINED)) throw new Error(`Only a sequence of at most ${Math.min(width, MOST_EXPLAINED)} bases is explained, and this one has ${ids.length}. Cut out the part you ask about.`);
  const changes = [null];
  for (let i = 0; i < ids.length; i++) for (let b = 0; b < 4; b++) if (b !== ids[i]) changes.push([i, b]);
  const p = await pool.answers(changes.length, k => { const w = ids.slice(); if (k) w[changes[k][0]] = changes[k][1]; return w; }, tick, strengths);
  const which = target ?? p[0].indexOf(Math.max(...p[0]));
  const own = p[0][which], grid = Array.from({length: ids.length}, () => new Float64Array(4));
  changes.forEach((c, k) => { if (k) grid[c[0]][c[1]] = p[k][which] - own; });
  const gives = grid.map((row, i) => ids[i] < 4 ? -row.reduce((a, b) => a + b, 0) / 4 : 0);
  const what = about.task === "values" ? labels[which] : `log odds of ${labels[which]}`;
  return {title: `${name}: ${what} ${own.toFixed(3)}`, note: "Letters are as high as what the base gives to the answer: the mean of what its changes would take. Below, what each change does. Where the model looks is told by motif_attention in Python.", ids, grid, gives,
          table: {head: ["name", "position", "base", "gives", "to_A", "to_C", "to_G", "to_T"], rows: grid.map((row, i) => [name, i + 1, LETTERS[ids[i]], shown(gives[i]), ...Array.from(row, shown)])}, file: "explained.tsv"};
}

/** Both alleles of a variant, 1-based in the sequence or in the place that the header names (chrom:start-end, from 0). */
export function alleles({name, ids}, text, width) {
  const told = text.trim().match(/^(?:(.+):)?([\d,]+):?([ACGTN]+)>([ACGTN]+)$/i);
  if (!told) throw new Error("Write the variant as chr16:1234:A>C, or as 1234:A>C: position, what the sequence has, what comes in its place.");
  const place = name.match(/^(.+):([\d,]+)-([\d,]+)$/), number = x => +x.replace(/,/g, "");
  if (told[1] && told[1] !== (place ? place[1] : name)) throw new Error(`The sequence is named ${place ? place[1] : name}, and the variant lies on ${told[1]}.`);
  const at = number(told[2]) - 1 - (place ? number(place[2]) : 0), ref = encode(told[3]), alt = encode(told[4]);
  if (at < 0 || at + ref.length > ids.length) throw new Error(`Position ${told[2]} lies outside the sequence ${name}.`);
  const there = decode(ids.subarray(at, at + ref.length));
  if (there !== decode(ref)) throw new Error(`At ${told[2]} the sequence has ${there}, and not ${told[3].toUpperCase()}.`);
  const other = new Uint8Array([...ids.subarray(0, at), ...alt, ...ids.subarray(at + ref.length)]);
  let same = 0;
  while (same < Math.min(ref.length, alt.length) && ref[same] === alt[same]) same++;
  const middle = at + same, from = s => s.length <= width ? 0 : Math.max(0, Math.min(middle - (width >> 1), s.length - width));
  const start = Math.min(from(ids), from(other));
  const counted = place ? ` Base ${at + 1} of the sequence, whose name counts from 0, as those of bedtools; samtools counts from 1.` : "";
  return [ids.slice(start, start + width), other.slice(start, start + width), counted];
}

export async function variant(pool, record, options, tick) {
  const text = options.variant;
  const {about} = pool, {labels} = about, room = about.task === "next" ? about.width - 1 : about.width, [ref, alt, counted] = alleles(record, text, room);
  const row = (what, a, b) => [what, shown(a), shown(b), shown(b - a)], head = ["answer", "reference", "alternative", "difference"], file = "variant.tsv", title = `${record.name} ${text.trim()}`;
  if (about.task === "next") {
    const [a, b] = [await bits(pool, ref, tick), await bits(pool, alt, tick)].map(x => -x.filter(v => !Number.isNaN(v)).reduce((s, v) => s + v, 0));
    return {title, note: "log2 of the probability of the window." + counted, table: {head, rows: [row("log2 likelihood", a, b)]}, file};
  }
  if (about.margin !== undefined) {
    const [a, b] = [await values(pool, ref, tick), await values(pool, alt, tick)], sum = v => v.reduce((s, x) => s + x, 0);
    return {title, note: `Sums of ${about.unit} over the window.${counted}`, table: {head, rows: chosen(about, options).map(c => row(labels[c], sum(a[c]), sum(b[c])))}, file};
  }
  const both = i => i ? alt : ref, [a, b] = await pool.answers(2, both, tick);
  const [x, y] = about.task === "values" ? [] : await pool.answers(2, both, tick, strengths);
  const rows = labels.flatMap((l, c) => [row(l, a[c], b[c]), ...(x ? [row(`log odds of ${l}`, x[c], y[c])] : [])]);
  return {title, note: `Both alleles in a window of ${ref.length} bases.${counted}`, table: {head, rows}, file};
}
