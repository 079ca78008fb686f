// Workers, one for each core, that share batches of windows out among themselves.
import {meaning} from "./answers.js";
import {flip} from "./dna.js";
import {shared} from "./unpack.js";

export const CANCELLED = "Cancelled.";
const MOST_WORKERS = 8;

export class Pool {
  /** gpu: let one worker ask the GPU; where there is none that can, `note` says why, and the processor answers. */
  constructor(payload, source, gpu = false) {
    this.about = payload.about;
    this.perRow = this.about.answers.reduce((a, b) => a * b, 1);
    this.workers = [];
    const url = URL.createObjectURL(new Blob([source], {type: "text/javascript"}));
    this.ready = this.begin(payload, url, gpu).finally(() => URL.revokeObjectURL(url));
  }

  async begin(payload, url, gpu) {
    if (gpu) {
      const worker = new Worker(url);
      this.workers = [worker];
      try { await this.ask(worker, {payload}); this.note = "on the GPU"; return; } catch (error) {
        if (this.cancelled) throw error;
        worker.terminate();
        this.note = `on the processor, as WebGPU cannot do it here: ${error.message}`;
      }
    }
    const n = Math.max(1, Math.min(MOST_WORKERS, navigator.hardwareConcurrency || 1));
    this.workers = Array.from({length: n}, () => new Worker(url));
    const held = await shared(payload);
    await Promise.all(this.workers.map(w => this.ask(w, {shared: held})));
  }

  /** Ends all work at once; whoever waits is told. */
  cancel() {
    this.cancelled = true;
    for (const w of this.workers) { w.terminate(); w.fail?.(new Error(CANCELLED)); }
  }

  ask(worker, message) {
    return new Promise((resolve, reject) => {
      if (this.cancelled) { reject(new Error(CANCELLED)); return; }
      worker.fail = reject;
      worker.onmessage = ({data}) => data.error ? reject(new Error(data.error)) : resolve(data);
      worker.onerror = event => { event.preventDefault(); reject(new Error(event.message || "the worker stopped")); };
      worker.postMessage(message);
    });
  }

  async annotate(bases) { await this.ready; return (await this.ask(this.workers[0], {annotate: bases})).motifs; }

  /** Raw answers to n windows: window(i) gives base ids, motifs(i) their motif ids where those are known. */
  async raw(n, window, tick = () => {}, motifs = null) {
    await this.ready;
    const {rows, width} = this.about, out = new Float32Array(n * this.perRow);
    let next = 0, done = 0;
    await Promise.all(this.workers.map(async worker => {
      while (next < n) {
        const from = next, to = next = Math.min(n, from + rows), bases = new Uint8Array(rows * width).fill(4);
        const lengths = new Int32Array(to - from), known = motifs && new Uint8Array(rows * width);
        for (let i = from; i < to; i++) {
          const ids = window(i);
          bases.set(ids, (i - from) * width);
          lengths[i - from] = ids.length;
          known?.set(motifs(i), (i - from) * width);
        }
        const {answers} = await this.ask(worker, {bases, lengths, motifs: known});
        out.set(answers, from * this.perRow);
        tick((done += to - from) / n);
      }
    }));
    return out;
  }

  /** What the model says of n windows, one array each, as `read` takes it: of both strands their mean, where training turned strands. */
  async answers(n, window, tick = () => {}, read = meaning, two = this.about.both_strands) {
    const times = two ? 2 : 1;
    const z = await this.raw(n * times, i => two && i % 2 ? flip(window(i >> 1)) : window(two ? i >> 1 : i), tick);
    const rows = Array.from({length: n * times}, (_, i) => read(this.about, z.subarray(i * this.perRow, (i + 1) * this.perRow)));
    return two ? Array.from({length: n}, (_, i) => rows[2 * i].map((x, k) => (x + rows[2 * i + 1][k]) / 2)) : rows;
  }
}
