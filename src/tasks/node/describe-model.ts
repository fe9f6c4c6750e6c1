import { transformerConfigToJson } from "../../models/transformer-config.ts";
import { openCheckpoint } from "../../weights/node/checkpoint.ts";
import { readTranslationModel } from "./translation-folder.ts";

export interface ModelDescription {
  readonly folder: string;
  /** Numbers in the weights. */
  readonly parameters: number;
  readonly tensors: number;
  /** How the weights are stored. */
  readonly dtypes: readonly string[];
  /** Bytes of the weights. */
  readonly bytes: number;
  readonly sourceVocabulary: number;
  readonly targetVocabulary: number;
  /** As in config.json. */
  readonly config: Readonly<Record<string, unknown>>;
  /** How it generates where nothing else is asked for. */
  readonly decoding: Readonly<Record<string, unknown>>;
}

/** What a model folder holds, from its files' headers; the weights are not read. */
export async function describeModel(folder: string): Promise<ModelDescription> {
  const { config, sourceTokenizer, targetTokenizer, decoding } = await readTranslationModel(folder);
  const tensors = [...(await openCheckpoint(folder)).tensors.values()];
  return {
    folder,
    parameters: tensors.reduce((sum, { shape }) => sum + shape.reduce((left, right) => left * right, 1), 0),
    tensors: tensors.length,
    dtypes: [...new Set(tensors.map(({ dtype }) => dtype))],
    bytes: tensors.reduce((sum, tensor) => sum + tensor.byteLength, 0),
    sourceVocabulary: sourceTokenizer.vocabSize,
    targetVocabulary: targetTokenizer.vocabSize,
    config: transformerConfigToJson(config),
    decoding: { ...decoding },
  };
}
