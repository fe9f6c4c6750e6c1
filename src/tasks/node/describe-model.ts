import { join } from "node:path";
import { openCheckpoint } from "../../weights/node/checkpoint.ts";
import { type JsonObject, readJsonObject, readTokenizers } from "./model-folder.ts";
import { type ModelKind, ownTranslator, readModelKind } from "./model-kind.ts";
import { readTranslationModel } from "./translation-folder.ts";

export interface ModelDescription {
  readonly folder: string;
  /** The name that Hugging Face gives this model, such as "BertForMaskedLM". */
  readonly architecture: string;
  /** Numbers in the weights. */
  readonly parameters: number;
  readonly tensors: number;
  /** How the weights are stored. */
  readonly dtypes: readonly string[];
  /** Bytes of the weights. */
  readonly bytes: number;
  /** Pieces of the tokenizer of what the model reads; missing where the folder has no tokenizer. */
  readonly sourceVocabulary?: number;
  /** Pieces of the tokenizer of what it writes; the same where there is but one. */
  readonly targetVocabulary?: number;
  /** Whether one tokenizer serves both sides. */
  readonly sharedVocabulary: boolean;
  /** As in config.json. */
  readonly config: JsonObject;
  /** As in generation_config.json: how it generates where nothing else is asked for. */
  readonly generationConfig: JsonObject;
}

/**
 * What a model folder holds, from its files' headers; the weights are not read.
 * @throws QkvError "config" for a model that there is not, "file" for a file that is missing or damaged
 */
export async function describeModel(folder: string): Promise<ModelDescription> {
  const kind = await readModelKind(folder);
  const tensors = [...(await openCheckpoint(folder)).tensors.values()];
  const vocabularies = await readVocabularies(folder, kind);
  return {
    folder,
    architecture: kind.architecture,
    parameters: tensors.reduce((sum, { shape }) => sum + shape.reduce((left, right) => left * right, 1), 0),
    tensors: tensors.length,
    dtypes: [...new Set(tensors.map(({ dtype }) => dtype))],
    bytes: tensors.reduce((sum, tensor) => sum + tensor.byteLength, 0),
    ...vocabularies,
    config: kind.config,
    generationConfig: (await readJsonObject(join(folder, "generation_config.json"))) ?? {},
  };
}

type Vocabularies = Pick<ModelDescription, "sourceVocabulary" | "targetVocabulary" | "sharedVocabulary">;

async function readVocabularies(folder: string, { modelType }: ModelKind): Promise<Vocabularies> {
  if (modelType === ownTranslator) {
    const { sourceTokenizer, targetTokenizer } = await readTranslationModel(folder);
    return sizes(sourceTokenizer, targetTokenizer);
  }
  const tokenizers = await readTokenizers(folder, modelType);
  return tokenizers === undefined ? { sharedVocabulary: true } : sizes(tokenizers.source, tokenizers.target);
}

function sizes(source: { readonly vocabSize: number }, target: { readonly vocabSize: number }): Vocabularies {
  return {
    sourceVocabulary: source.vocabSize,
    targetVocabulary: target.vocabSize,
    sharedVocabulary: source === target,
  };
}
