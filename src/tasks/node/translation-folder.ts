import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { DecodingOptions } from "../../generation/decoding-options.ts";
import { transformerParameters } from "../../models/transformer.ts";
import { parseTransformerConfig, transformerConfigToJson } from "../../models/transformer-config.ts";
import { listParameters, shapeOf } from "../../nn/parameters.ts";
import type { CompileOptions, Device, DeviceArray } from "../../runtime/device.ts";
import { Tokenizer } from "../../tokenizers/tokenizer.ts";
import { QkvError } from "../../util/errors.ts";
import { float32ToFloat16 } from "../../util/half.ts";
import { writeFileAtomically } from "../../util/node/atomic-file.ts";
import { openCheckpoint } from "../../weights/node/checkpoint.ts";
import { readFloat32Tensors, writeSafetensors } from "../../weights/node/safetensors-file.ts";
import type { StoredTensor } from "../../weights/stored-tensor.ts";
import { type TranslationModel, Translator } from "../translator.ts";

/** The files of a translation model's folder, besides model.safetensors. */
const files = {
  config: "config.json",
  generation: "generation_config.json",
  jointTokenizer: "tokenizer.json",
  sourceTokenizer: "source_tokenizer.json",
  targetTokenizer: "target_tokenizer.json",
} as const;

const generationSchema = z.looseObject({
  num_beams: z.int().positive().optional(),
  length_penalty: z.number().optional(),
  max_length: z.int().positive().optional(),
  early_stopping: z.union([z.boolean(), z.literal("never")]).optional(),
});

async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new QkvError(
      "file",
      `${path}: cannot be read; name a model folder, which holds ${Object.values(files).slice(0, 3).join(", ")} and model.safetensors`,
      { cause },
    );
  });
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new QkvError(
      "file",
      `${path}: is not valid JSON (${(cause as Error).message}); the file is damaged`,
      { cause },
    );
  }
}

/** Reads everything of a model folder but the weights. */
export async function readTranslationModel(folder: string): Promise<TranslationModel> {
  const config = parseTransformerConfig(
    await readJson(join(folder, files.config)),
    join(folder, files.config),
  );
  const tokenizer = async (name: string) => Tokenizer.fromJson(await readJson(join(folder, name)));
  const joint = await readFile(join(folder, files.jointTokenizer)).then(
    () => true,
    () => false,
  );
  const sourceTokenizer = await tokenizer(joint ? files.jointTokenizer : files.sourceTokenizer);
  const targetTokenizer = joint ? sourceTokenizer : await tokenizer(files.targetTokenizer);
  for (const [side, own, size] of [
    ["source", sourceTokenizer, config.sourceVocabSize],
    ["target", targetTokenizer, config.targetVocabSize],
  ] as const) {
    if (own.vocabSize > size) {
      throw new QkvError(
        "weights",
        `${folder}: the ${side} tokenizer has ${own.vocabSize} pieces, the model only ${size}; they do not belong together`,
      );
    }
  }
  const text = await readFile(join(folder, files.generation), "utf8").catch(() => "{}");
  const parsed = generationSchema.safeParse(JSON.parse(text));
  if (!parsed.success)
    throw new QkvError("config", `${join(folder, files.generation)}: ${z.prettifyError(parsed.error)}`);
  const { num_beams, length_penalty, max_length, early_stopping } = parsed.data;
  const decoding: Partial<DecodingOptions> = {
    ...(num_beams !== undefined && { numBeams: num_beams }),
    ...(length_penalty !== undefined && { lengthPenalty: length_penalty }),
    ...(max_length !== undefined && { maxNewTokens: max_length }),
    ...(early_stopping !== undefined && { earlyStopping: early_stopping }),
  };
  return { config, sourceTokenizer, targetTokenizer, decoding };
}

/** The weights of a model folder, checked both ways against what its configuration asks for. */
export async function readTranslationWeights(
  folder: string,
  model: TranslationModel,
): Promise<CompileOptions> {
  const { path, tensors } = await openCheckpoint(folder);
  const wanted = listParameters(transformerParameters(model.config));
  const missing = [...wanted.keys()].filter((address) => !tensors.has(address));
  const leftOver = [...tensors.keys()].filter((name) => !wanted.has(name));
  const different = [...wanted].flatMap(([address, spec]) => {
    const shape = tensors.get(address)?.shape;
    const expected = shapeOf(spec);
    if (shape === undefined || shape.join() === expected.join()) return [];
    return [`${address} is [${shape.join(", ")}], must be [${expected.join(", ")}]`];
  });
  const problems = [
    ...(missing.length > 0 ? [`missing: ${list(missing)}`] : []),
    ...(leftOver.length > 0 ? [`left over: ${list(leftOver)}`] : []),
    ...(different.length > 0 ? [`different: ${list(different)}`] : []),
  ];
  if (problems.length > 0)
    throw new QkvError("weights", `${path}: does not fit config.json; ${problems.join("; ")}`);
  const values = await readFloat32Tensors(tensors);
  for (const [name, { data }] of values) {
    if (!data.every(Number.isFinite))
      throw new QkvError("weights", `${path}: ${name} holds a value that is not a finite number`);
  }
  return { fixedParameters: (address) => ({ data: values.get(address)!.data }) };
}

const list = (names: readonly string[]): string =>
  names.length > 6 ? `${names.slice(0, 6).join(", ")} and ${names.length - 6} more` : names.join(", ");

/** Opens a model folder for use. */
export async function openTranslator(folder: string, device: Device): Promise<Translator> {
  const model = await readTranslationModel(folder);
  return await Translator.create(device, model, await readTranslationWeights(folder, model));
}

/** Writes a model folder in Hugging Face's form; each file as a whole or not at all. */
export async function writeTranslationModel(
  folder: string,
  model: TranslationModel,
  parameters: ReadonlyMap<string, DeviceArray>,
  dtype: "float32" | "float16",
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const json = (name: string, value: unknown) =>
    writeFileAtomically(join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
  const { config, sourceTokenizer, targetTokenizer, decoding } = model;
  await json(files.config, { ...transformerConfigToJson(config), dtype });
  await json(files.generation, {
    bos_token_id: config.bosTokenId,
    eos_token_id: config.eosTokenId,
    pad_token_id: config.padTokenId,
    decoder_start_token_id: config.bosTokenId,
    ...(decoding.numBeams !== undefined && { num_beams: decoding.numBeams }),
    ...(decoding.lengthPenalty !== undefined && { length_penalty: decoding.lengthPenalty }),
    ...(decoding.maxNewTokens !== undefined && { max_length: decoding.maxNewTokens }),
  });
  if (sourceTokenizer === targetTokenizer) {
    await json(files.jointTokenizer, sourceTokenizer.toJson());
  } else {
    await json(files.sourceTokenizer, sourceTokenizer.toJson());
    await json(files.targetTokenizer, targetTokenizer.toJson());
  }
  const tensors = new Map<string, StoredTensor>();
  for (const [address, array] of parameters) {
    const values = (await array.read()) as Float32Array;
    if (dtype === "float32") tensors.set(address, { dtype: "F32", shape: array.shape, data: values });
    else tensors.set(address, { dtype: "F16", shape: array.shape, data: float32ToFloat16(values) });
  }
  await writeSafetensors(join(folder, "model.safetensors"), tensors);
}

/** A text that differs where the tokenizers differ. */
export function fingerprintOf(model: Pick<TranslationModel, "sourceTokenizer" | "targetTokenizer">): string {
  const text = JSON.stringify([model.sourceTokenizer.toJson(), model.targetTokenizer.toJson()]);
  return createHash("sha256").update(text).digest("hex");
}
