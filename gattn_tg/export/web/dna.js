// Letters to base ids and back, the other strand, and FASTA files of any kind, with a sentence for what is none.
export const LETTERS = "ACGTN";
export const MOST_BASES = 10_000_000;
const IDS = {A: 0, C: 1, G: 2, T: 3, U: 3};
const IUPAC = /[^ACGTUNRYSWKMBDHV]/i;

/** Base ids A C G T N = 0..4; other letters for nucleotides are N. */
export function encode(text) {
  const ids = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) ids[i] = IDS[text[i].toUpperCase()] ?? 4;
  return ids;
}

export const decode = ids => Array.from(ids, id => LETTERS[id]).join("");

/** The reverse complement. */
export function flip(ids) {
  const out = new Uint8Array(ids.length);
  for (let i = 0, n = ids.length; i < n; i++) out[n - 1 - i] = ids[i] < 4 ? 3 - ids[i] : 4;
  return out;
}

/** Why a model cannot read bases, as gattn_tg.models.imported says it of words; "" where it can. */
export function unreadable({only, tokens}, ids) {
  if (only && ids.length !== only) return `The model reads sequences of ${only} bases, all aligned to the same place, and this one has ${ids.length}.`;
  if (!tokens) return "";
  const {words, bp, frame, most} = tokens;
  if (words === "overlapping") return ids.length < bp ? `The model reads words of ${bp} bases, and this sequence has ${ids.length}.` : "";
  let n = frame, run = 0;
  for (let i = 0; i <= ids.length; i++) {
    if (ids[i] < 4) { run++; continue; }
    n += Math.floor(run / bp) + run % bp + (i < ids.length);
    run = 0;
  }
  return n > most ? `This sequence makes ${n} tokens, since every N is a token and ends a word, and the model has places for ${most}. Cut out the part you ask about.` : "";
}

/** Records {name, ids} of FASTA, or of letters alone; throws an Error with a sentence. */
export function readFasta(text) {
  if (!text.trim()) throw new Error("Paste a sequence, or choose a FASTA file: there is none yet.");
  if (text.includes("\0")) throw new Error("This is no text. Choose a FASTA file, plain or packed with gzip.");
  if (text.length > 1.1 * MOST_BASES)
    throw new Error(`This is more than ${MOST_BASES.toLocaleString("en")} letters, which is too much for a page. Cut out the part you ask about.`);
  const records = [];
  let name = "pasted", lines = [];
  const end = () => {
    const letters = lines.join("").replace(/[\s*]/g, ""), odd = letters.match(IUPAC);
    if (odd) throw new Error(`${name}: "${odd[0]}" is no letter for a base of DNA. Paste A, C, G, T and N.`);
    if (letters) records.push({name, ids: encode(letters)});
    else if (name !== "pasted" || records.length) throw new Error(`${name}: there are no bases behind this name.`);
    lines = [];
  };
  let began = false;
  for (const line of text.split(/\r\n|\r|\n/)) {
    if (line[0] === ">") {
      if (began || lines.some(x => x.trim())) end();
      began = true; lines = [];
      name = line.slice(1).trim().split(/\s+/)[0] || `sequence_${records.length + 1}`;
    } else lines.push(line);
  }
  end();
  return records;
}

/** The text of a file, unpacked where it is packed with gzip. */
export async function readText(file) {
  const head = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  const packed = head[0] === 31 && head[1] === 139;
  if (file.size > 1.1 * MOST_BASES)
    throw new Error(`${file.name} has ${Math.round(file.size / 1e6)} MB, which is too much for a page. Cut out the part you ask about.`);
  if (!packed) return file.text();
  const reader = file.stream().pipeThrough(new DecompressionStream("gzip")).getReader(), parts = [];
  for (let size = 0; ;) {
    const {done, value} = await reader.read().catch(() => { throw new Error(`${file.name}: it is packed with gzip, and damaged.`); });
    if (done) return new Blob(parts).text();
    parts.push(value);
    if ((size += value.length) > 1.1 * MOST_BASES) { reader.cancel(); throw new Error(`${file.name} is too large for a page. Cut out the part you ask about.`); }
  }
}
