// The same model on the GPU of a browser, through WebGPU. What it cannot do there it says in an error with a sentence.
import {Model} from "./model.js";
import {shared, unpack} from "./unpack.js";

const four = n => Math.max(4, n + 3 & ~3);  // WebGPU copies whole words

export class GpuModel extends Model {
  /** payload: as of `Model`, with `gpu`: {plan, constants}. */
  static async load(payload) {
    const held = await shared(payload), {weights} = held, more = await unpack(payload.gpu.constants);
    const all = new Uint8Array(weights.length + more.length);
    all.set(weights);
    all.set(more, weights.length);
    const model = await super.of(held), plan = JSON.parse(new TextDecoder().decode(await unpack(payload.gpu.plan)));
    await model.prepare(plan, all);
    return model;
  }

  /** Compiles kernels and fills buffers, once. */
  async prepare({sources, reads, buffers, launches, inputs, output}, constants) {
    const adapter = await navigator.gpu?.requestAdapter();
    if (!adapter) throw new Error("this browser offers no GPU");
    const most = Math.max(...launches.map(([, given]) => given.length)), largest = Math.max(...buffers.map(([n]) => four(n)));
    const {maxStorageBuffersPerShaderStage: bound, maxStorageBufferBindingSize: size} = adapter.limits;
    if (bound < most) throw new Error(`it binds ${bound} buffers, and the model needs ${most}`);
    if (size < largest) throw new Error(`it has buffers of ${size >> 20} MB, and the model needs ${largest >> 20}`);
    const device = await adapter.requestDevice({requiredLimits: {maxStorageBuffersPerShaderStage: Math.max(most, 8),
      maxStorageBufferBindingSize: Math.max(largest, 1 << 27), maxBufferSize: Math.max(largest, 1 << 28)}});
    device.lost.then(({message}) => { this.lost = message || "the GPU was taken away"; });
    device.pushErrorScope("validation");
    device.pushErrorScope("out-of-memory");
    const U = GPUBufferUsage, held = buffers.map(([bytes, at]) => {
      const buffer = device.createBuffer({size: four(bytes), usage: U.STORAGE | U.COPY_DST | U.COPY_SRC, mappedAtCreation: at >= 0});
      if (at >= 0) { new Uint8Array(buffer.getMappedRange()).set(constants.subarray(at, at + bytes)); buffer.unmap(); }
      return buffer;
    });
    const infinity = device.createBuffer({size: 16, usage: U.UNIFORM | U.COPY_DST});  // WGSL has no word for it
    device.queue.writeBuffer(infinity, 0, new Float32Array([Infinity]));
    const operands = sources.map((_, k) => launches.find(([kernel]) => kernel === k)[1].length);
    const layouts = sources.map((_, k) => device.createBindGroupLayout({entries: [
      {binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: {type: "uniform"}},
      ...Array.from({length: operands[k]}, (_, i) => ({binding: i + 1, visibility: GPUShaderStage.COMPUTE, buffer: {type: reads[k].includes(i) ? "read-only-storage" : "storage"}}))]}));
    const pipelines = await Promise.all(sources.map((code, k) => device.createComputePipelineAsync({
      layout: device.createPipelineLayout({bindGroupLayouts: [layouts[k]]}), compute: {module: device.createShaderModule({code})}})));
    const runs = launches.map(([k, given, groups]) => [pipelines[k], groups, device.createBindGroup({layout: layouts[k], entries: [
      {binding: 0, resource: {buffer: infinity}}, ...given.map((b, i) => ({binding: i + 1, resource: {buffer: held[b]}}))]})]);
    const read = device.createBuffer({size: four(buffers[output][0]), usage: U.MAP_READ | U.COPY_DST});
    for (let i = 0; i < 2; i++) { const error = await device.popErrorScope(); if (error) throw new Error(error.message); }
    this.gpu = {device, runs, read, output: held[output], inputs: inputs.map(([number, b]) => [number, held[b]])};
  }

  async run(bases, lengths, motifs) {
    const {flat, ids, all} = this.given(bases, lengths, motifs), given = [flat, ids, all], {device, runs, read, output, inputs} = this.gpu;
    if (this.lost) throw new Error(`the GPU stopped: ${this.lost}`);
    device.pushErrorScope("validation");
    for (const [number, buffer] of inputs) {
      const bytes = new Uint8Array(buffer.size);
      bytes.set(new Uint8Array(given[number].buffer));
      device.queue.writeBuffer(buffer, 0, bytes);
    }
    const encoder = device.createCommandEncoder(), pass = encoder.beginComputePass();
    for (const [pipeline, groups, operands] of runs) { pass.setPipeline(pipeline); pass.setBindGroup(0, operands); pass.dispatchWorkgroups(...groups); }
    pass.end();
    encoder.copyBufferToBuffer(output, 0, read, 0, read.size);
    device.queue.submit([encoder.finish()]);
    const error = await device.popErrorScope();
    if (error) throw new Error(`the GPU refused: ${error.message}`);
    await read.mapAsync(GPUMapMode.READ);
    const out = new Float32Array(read.getMappedRange().slice(0, 4 * lengths.length * this.perRow));
    read.unmap();
    return out;
  }
}
