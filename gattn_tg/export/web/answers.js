// What the numbers of a model mean, as gattn_tg.models.readouts says it.
export const sigmoid = z => 0.5 * (1 + Math.tanh(0.5 * z));

export function softmax(z) {
  const top = Math.max(...z), x = Array.from(z, v => Math.exp(v - top)), sum = x.reduce((a, b) => a + b, 0);
  return x.map(v => v / sum);
}

/** Expected counts of a rate of a track: undoes the scale and the soft clip of training. */
export function counts(rate, scale, clip) {
  return (clip && rate > clip ? (rate + clip) ** 2 / (4 * clip) : rate) * scale;
}

/** The answer to one row, in the way of its task. */
export function meaning(about, z) {
  if (about.task === "classes") return softmax(z);
  if (about.task === "labels" || about.task === "bases") return Array.from(z, sigmoid);
  if (about.task === "values")
    return Array.from(z, (v, i) => about.loss === "poisson" ? about.mean[i] * Math.exp(v) : about.mean[i] + about.sd[i] * v);
  if (about.task === "tracks") { const k = about.labels.length; return Array.from(z, (v, i) => counts(v, about.scale[i % k], about.soft_clip[i % k])); }
  return Array.from(z);
}

/**
 * What is compared of a row, for every class, label or column: a value, or log odds, of the numbers themselves, which
 * lose nothing where a probability is near 0 or 1.
 */
export function strengths(about, z) {
  if (about.task !== "classes") return about.task === "values" ? meaning(about, z) : Array.from(z);
  return Array.from(z, (own, i) => {
    const others = z.filter((_, k) => k !== i), top = Math.max(...others);
    return own - top - Math.log(others.reduce((sum, x) => sum + Math.exp(x - top), 0));
  });
}

/** -log2 of the probability of each base, and the log2 probabilities: z are logits behind every base of a row. */
export function surprise(z, ids) {
  const bits = new Float64Array(ids.length);
  for (let i = 0; i < ids.length; i++) {
    const row = z.subarray(4 * i, 4 * i + 4), top = Math.max(...row);
    const total = Math.log(row.reduce((s, v) => s + Math.exp(v - top), 0)) + top;
    bits[i] = ids[i] < 4 ? (total - row[ids[i]]) / Math.LN2 : NaN;
  }
  return bits;
}
