/**
 * How long a forward pass of BERT-base takes, beside the same network as an exported graph in onnxruntime-node. Run it
 * with
 *
 *   npm run bench -- forward-pass [--folder FOLDER] [--threads N] [--rounds N]
 *
 * The checkpoint has random weights and is written to FOLDER (default: a folder of its own in the system's temporary
 * one, kept for the next time; 440 MB). The peer is the graph that an export writes (see exported-bert.ts), run as
 * transformers.js runs it: by onnxruntime-node with all its optimizations. Both take turns; the outputs are compared.
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import * as onnxRuntime from "onnxruntime-node";
import type { EncoderConfig } from "../src/models/encoder-model.ts";
import { completeInputs, inputTensors } from "../src/models/inputs.ts";
import { listParameters, parameterTensors } from "../src/nn/parameters.ts";
import { openCpu } from "../src/runtime/node/engine.ts";
import { openModelFolder } from "../src/tasks/node/model-folder.ts";
import { exportedBert } from "./exported-bert.ts";
import { bertConfig, writeRandomCheckpoint } from "./random-checkpoint.ts";

const { values: flags } = parseArgs({
  options: {
    folder: { type: "string", default: join(tmpdir(), "qkv-bench-bert") },
    threads: { type: "string", default: "2" },
    rounds: { type: "string", default: "15" },
  },
});
const threads = Number(flags.threads);

async function openOurs() {
  const device = await openCpu({ threads });
  const { model, weights } = await openModelFolder(flags.folder, {
    withTokenizers: false,
    withoutPooler: true,
  });
  const outputs = model.forward(
    parameterTensors(model.parameters),
    inputTensors(model, Object.keys(model.inputs)),
  );
  const program = await device.compile(new Map([["hidden", outputs.lastHiddenState!]]), weights);
  return async (ids: Int32Array<ArrayBuffer>, shape: readonly number[]) => {
    const inputs = completeInputs(model, { inputIds: { data: ids, shape } });
    const results = await program.run(inputs, new Map());
    return (await results.get("hidden")!.read()) as Float32Array;
  };
}

async function openPeer() {
  const device = await openCpu({ threads });
  const { model, parameters } = await openModelFolder(flags.folder, {
    device,
    mapped: false,
    withTokenizers: false,
    withoutPooler: true,
  });
  const values = new Map<string, Float32Array>();
  for (const [address, array] of parameters) values.set(address, (await array.read()) as Float32Array);
  const specs = listParameters(model.parameters);
  const bytes = exportedBert(specs, (address) => values.get(address)!, model.config as EncoderConfig);
  const session = await onnxRuntime.InferenceSession.create(bytes, { intraOpNumThreads: threads });
  return async (ids: Int32Array, shape: readonly number[]) => {
    const wide = (data: ArrayLike<number>) =>
      new onnxRuntime.Tensor("int64", BigInt64Array.from(data as number[], BigInt), shape);
    const results = await session.run({
      input_ids: wide(ids),
      attention_mask: wide(new Int32Array(ids.length).fill(1)),
      token_type_ids: wide(new Int32Array(ids.length)),
    });
    return results.last_hidden_state!.data as Float32Array;
  };
}

const ordered = (numbers: readonly number[]) => numbers.toSorted((left, right) => left - right);
const median = (numbers: readonly number[]) => ordered(numbers)[Math.floor(numbers.length / 2)]!;

await writeRandomCheckpoint(flags.folder, bertConfig);
const runners = { qkv: await openOurs(), exported: await openPeer() };
console.log(`onnxruntime-node, ${threads} thread${threads === 1 ? "" : "s"}; ${flags.rounds} rounds in turn`);
for (const rows of [1, 8]) {
  const shape = [rows, 128];
  const ids = Int32Array.from({ length: rows * 128 }, (_, index) => (index * 7919 + 101) % 30000);
  const times = { qkv: [] as number[], exported: [] as number[] };
  const work = { qkv: [] as number[], exported: [] as number[] };
  const last: Record<keyof typeof runners, Float32Array> = {
    qkv: new Float32Array(0),
    exported: new Float32Array(0),
  };
  for (let round = -2; round < Number(flags.rounds); round++) {
    for (const name of ["qkv", "exported"] as const) {
      const before = process.cpuUsage();
      const start = performance.now();
      last[name] = await runners[name](ids, shape);
      const time = performance.now() - start;
      const { user, system } = process.cpuUsage(before);
      if (round < 0) continue;
      times[name].push(time);
      work[name].push((user + system) / 1000);
    }
  }
  const difference = last.qkv.reduce(
    (most, value, index) => Math.max(most, Math.abs(value - last.exported[index]!)),
    0,
  );
  const told = (["qkv", "exported"] as const).map(
    (name) =>
      `${name} ${median(times[name]).toFixed(1)} ms (fastest ${ordered(times[name])[0]!.toFixed(1)}, ` +
      `processor ${median(work[name]).toFixed(1)})`,
  );
  const ratio = median(times.exported) / median(times.qkv);
  console.log(
    `${rows} x 128: ${told.join(", ")}; ${ratio.toFixed(2)} times its speed; ` +
      `largest difference of an output ${difference.toExponential(1)}`,
  );
}
