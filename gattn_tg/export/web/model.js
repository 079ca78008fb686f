// A compiled model in WebAssembly: rows of bases in, numbers out. No dependencies, no requests.
import {unreadable} from "./dna.js";
import {shared} from "./unpack.js";

export class Model {
  /** From a payload, as `gattn export` writes it. */
  static async load(payload) { return this.of(await shared(payload)); }

  /** From what `shared` gives: instances in several workers need not unpack and compile it again. */
  static async of({module, weights, about}) {
    return new this((await WebAssembly.instantiate(module, {})).exports, weights, about);
  }

  constructor(exports, weights, about) {
    this.exports = exports;
    this.about = about;
    this.perRow = about.answers.reduce((a, b) => a * b, 1);
    this.top = exports.__heap_base.value;
    const at = this.take(weights.length);
    this.bytes().set(weights, at);
    exports.gattn_use_weights(at);
    const {rows, width} = about;
    this.at = {bases: this.take(rows * width), motifs: this.take(rows * width), lengths: this.take(4 * rows),
               answers: this.take(4 * rows * this.perRow), memory: this.take(exports.gattn_memory_bytes())};
  }

  bytes() { return new Uint8Array(this.exports.memory.buffer); }

  /** So many bytes of the module's memory. */
  take(size) {
    const at = this.top + 63 & ~63, memory = this.exports.memory;
    this.top = at + size;
    const missing = Math.ceil((this.top - memory.buffer.byteLength) / 65536);
    if (missing > 0) memory.grow(missing);
    return at;
  }

  /** The motif id of every base. */
  motifs(bases) {
    const n = bases.length, before = this.top;
    const [at, out] = [this.take(n), this.take(n)], memory = this.take(this.exports.gattn_motif_bytes(n));
    this.bytes().set(bases, at);
    this.exports.gattn_motifs(at, n, out, memory);
    this.top = before;
    return this.bytes().slice(out, out + n);
  }

  /**
   * Answers to at most `about.rows` sequences, each padded to `about.width` bases with 4: `perRow` numbers of each.
   * Motif ids that are not given are found in each sequence by itself.
   */
  run(bases, lengths, motifs) {
    const {flat, ids, all} = this.given(bases, lengths, motifs);
    this.bytes().set(flat, this.at.bases);
    this.bytes().set(ids, this.at.motifs);
    this.bytes().set(new Uint8Array(all.buffer), this.at.lengths);
    const {bases: b, motifs: m, lengths: n, answers: y, memory} = this.at;
    this.exports.gattn_run(b, m, n, y, memory);
    return new Float32Array(this.exports.memory.buffer.slice(y, y + 4 * lengths.length * this.perRow));
  }

  /** What goes into a call: all rows of bases, motif ids, and lengths; an error with a sentence where a row cannot be read. */
  given(bases, lengths, motifs) {
    const {rows, width, motifs: known} = this.about, count = lengths.length, flat = new Uint8Array(rows * width).fill(4);
    flat.set(bases.subarray(0, count * width));
    for (let r = 0; r < count; r++) {
      const why = unreadable(this.about, flat.subarray(r * width, r * width + lengths[r]));
      if (why) throw new Error(why);
    }
    const ids = new Uint8Array(rows * width), all = new Int32Array(rows).fill(width);
    all.set(lengths);
    if (motifs) ids.set(motifs);
    else if (known.length)
      for (let r = 0; r < count; r++) ids.set(this.motifs(flat.subarray(r * width, (r + 1) * width)), r * width);
    return {flat, ids, all};
  }
}
