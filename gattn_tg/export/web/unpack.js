// From the payload of a file to what every instance of a model shares: compiled code and weights.

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Bytes of base64 text packed with gzip. */
export async function unpack(base64) {
  const stream = new Blob([bytesOf(base64)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** The weights of a payload as float32: the ranges [to, from, count, isHalf] that are marked are stored as float16. */
export async function weightsOf({weights, halves}) {
  const bytes = await unpack(weights);
  if (!halves) return bytes;
  const out = new Uint8Array(halves.size), numbers = new Float32Array(out.buffer, 0, halves.size >> 2);
  const stored = new Uint16Array(bytes.buffer, 0, bytes.length >> 1), wide = Float32Array.from({length: 65536}, (_, h) => half(h));
  for (const [to, from, count, isHalf] of halves.parts)
    if (isHalf) for (let i = 0, at = to >> 2, src = from >> 1; i < count; i++) numbers[at + i] = wide[stored[src + i]];
    else out.set(bytes.subarray(from, from + count), to);
  return out;
}

function half(h) {
  const e = h >> 10 & 31, m = h & 1023, s = h & 32768 ? -1 : 1;
  return e === 31 ? (m ? NaN : s * Infinity) : e ? s * 2 ** (e - 15) * (1 + m / 1024) : s * 2 ** -24 * m;
}

/** {module, weights, about} of a payload {wasm, relaxed, weights, halves, about}; `relaxed` for engines that know it. */
export async function shared(payload) {
  const compiled = unpack(payload.relaxed).then(async relaxed =>
    WebAssembly.compile(WebAssembly.validate(relaxed) ? relaxed : await unpack(payload.wasm)));
  const [module, weights] = await Promise.all([compiled, weightsOf(payload)]);
  return {module, weights, about: payload.about};
}
