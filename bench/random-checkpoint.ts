import { access } from "node:fs/promises";
import { join } from "node:path";
import { createModel } from "../src/models/families.ts";
import { initialValues, listParameters, shapeOf } from "../src/nn/parameters.ts";
import { openCpu } from "../src/runtime/node/engine.ts";
import { writeModelFolder } from "../src/tasks/node/model-folder.ts";

/** config.json of the smallest GPT-2: 124 million parameters. */
export const gpt2Config = {
  model_type: "gpt2",
  architectures: ["GPT2LMHeadModel"],
  vocab_size: 50257,
  n_embd: 768,
  n_head: 12,
  n_layer: 12,
  n_positions: 1024,
  activation_function: "gelu_new",
  layer_norm_epsilon: 1e-5,
  bos_token_id: 50256,
  eos_token_id: 50256,
};

/** config.json of BERT-base: 110 million parameters. */
export const bertConfig = {
  model_type: "bert",
  architectures: ["BertModel"],
  vocab_size: 30522,
  hidden_size: 768,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  intermediate_size: 3072,
  max_position_embeddings: 512,
  type_vocab_size: 2,
  hidden_act: "gelu",
  layer_norm_eps: 1e-12,
  pad_token_id: 0,
};

/** Writes a model folder with random weights, unless it is there. */
export async function writeRandomCheckpoint(folder: string, config: Record<string, unknown>): Promise<void> {
  const isThere = await access(join(folder, "model.safetensors")).then(
    () => true,
    () => false,
  );
  if (isThere) return;
  const model = createModel(config, {}, "config.json");
  const device = await openCpu();
  const parameters = new Map();
  for (const [address, spec] of listParameters(model.parameters)) {
    const array = device.allocate("float32", shapeOf(spec));
    await array.write(initialValues(spec, address, 1));
    parameters.set(address, array);
  }
  await writeModelFolder(folder, { model, config }, parameters);
  await device.dispose();
}
