import { afterAll, beforeAll, expect, test } from "vitest";
import { createModel } from "../../src/models/families.ts";
import { inputsFromJson, inputTensors } from "../../src/models/inputs.ts";
import { initialValues, listParameters, shapeOf } from "../../src/nn/parameters.ts";
import type { Device, DeviceArray } from "../../src/runtime/device.ts";
import { openCpu } from "../../src/runtime/node/engine.ts";
import { gradientOutputs, type Objective } from "../../src/training/learner.ts";
import { RandomStream, randomKey } from "../../src/util/random.ts";

const bartKeys = {
  vocab_size: 13,
  d_model: 8,
  encoder_layers: 1,
  encoder_attention_heads: 2,
  encoder_ffn_dim: 12,
  decoder_layers: 1,
  decoder_attention_heads: 4,
  decoder_ffn_dim: 10,
  max_position_embeddings: 16,
};
const t5Keys = { vocab_size: 13, d_model: 8, d_kv: 3, d_ff: 12, num_layers: 2, num_heads: 2 };
const distances = { relative_attention_num_buckets: 8, relative_attention_max_distance: 6 };

const configs: Record<string, object> = {
  BART: {
    model_type: "bart",
    architectures: ["BartForConditionalGeneration"],
    scale_embedding: true,
    ...bartKeys,
  },
  Marian: {
    model_type: "marian",
    architectures: ["MarianMTModel"],
    activation_function: "swish",
    pad_token_id: 12,
    eos_token_id: 0,
    decoder_start_token_id: 12,
    ...bartKeys,
  },
  "T5 1.0": { model_type: "t5", architectures: ["T5ForConditionalGeneration"], ...t5Keys, ...distances },
  "T5 1.1": {
    model_type: "t5",
    architectures: ["T5ForConditionalGeneration"],
    feed_forward_proj: "gated-gelu",
    tie_word_embeddings: false,
    ...t5Keys,
    ...distances,
  },
  "T5 with a classifier of tokens": {
    model_type: "t5",
    architectures: ["T5ForTokenClassification"],
    num_labels: 3,
    ...t5Keys,
    ...distances,
  },
};

let device: Device;
beforeAll(async () => {
  device = await openCpu({ threads: 1 });
});
afterAll(() => device.dispose());

test.each(
  Object.keys(configs),
)("%s: the gradient of every parameter is how the loss changes with it", async (name) => {
  const model = createModel(configs[name], {}, name);
  const inputs = inputsFromJson(model, {
    input_ids: [
      [3, 7, 5, 9, 2, 8, 4, 6, 1],
      [4, 4, 6, 1, 10, 0, 0, 0, 0],
    ],
    attention_mask: [
      [1, 1, 1, 1, 1, 1, 1, 1, 1],
      [1, 1, 1, 1, 1, 0, 0, 0, 0],
    ],
    labels:
      model.head === "token-classification"
        ? [
            [0, 2, 1, -100, 0, 1, 2, 2, 0],
            [1, 0, 2, 1, -100, -100, -100, -100, -100],
          ]
        : [
            [5, 8, 3, 11, 6, 9, 7, 1],
            [6, 6, 2, 1, -100, -100, -100, -100],
          ],
  });
  const objective: Objective<unknown, typeof inputs> = {
    parameters: model.parameters,
    loss: (parameters) => model.forward(parameters, inputTensors(model, Object.keys(inputs))).loss!.sum!,
    feeds: (batch) => batch,
    count: () => 1,
  };
  const parameters = new Map<string, DeviceArray>();
  for (const [address, spec] of listParameters(model.parameters)) {
    const array = device.allocate("float32", shapeOf(spec));
    const random = new RandomStream(randomKey(4, address));
    await array.write(initialValues(spec, address, 2).map((value) => value + 0.2 * random.normal()));
    parameters.set(address, array);
  }
  const program = await device.compile(gradientOutputs(objective));
  const run = () => program.run(inputs, parameters);
  const lossName = [...(await run()).keys()][0]!;
  const flows = new Map<string, Float32Array>();
  for (const [address, flow] of await run()) flows.set(address, Float32Array.from(await flow.read()));
  const loss = async () => (await (await run()).get(lossName)!.read())[0]!;
  for (const [address, array] of parameters) {
    const values = Float32Array.from(await array.read());
    const gradient = flows.get(address)!;
    const length = Math.hypot(...gradient);
    // Along the gradient the loss changes by its length; keys' biases have none.
    if (address.endsWith("key.bias")) expect(length).toBeLessThan(1e-4);
    if (length < 1e-3) continue;
    const step = 2e-3;
    const along = async (sign: number) => {
      await array.write(values.map((value, index) => value + (sign * step * gradient[index]!) / length));
      return await loss();
    };
    const change = ((await along(1)) - (await along(-1))) / (2 * step);
    await array.write(values);
    expect(Math.abs(change / length - 1), `${address}: ${change} against ${length}`).toBeLessThan(
      0.03 + 0.01 / length,
    );
  }
});
