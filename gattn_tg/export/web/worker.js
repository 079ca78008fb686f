// A worker: one model of its own, which answers one batch after the other.
import {GpuModel} from "./gpu.js";
import {Model} from "./model.js";

let model;
onmessage = async ({data}) => {
  try {
    if (data.payload) { model = await GpuModel.load(data.payload); return postMessage({ready: true}); }
    if (data.shared) { model = await Model.of(data.shared); return postMessage({ready: true}); }
    if (data.annotate) return postMessage({motifs: model.motifs(data.annotate)});
    return postMessage({answers: await model.run(data.bases, data.lengths, data.motifs)});
  } catch (error) {
    return postMessage({error: error instanceof RangeError ? "there is too little memory for this" : error.message});
  }
};
