import { createHash } from "node:crypto";
import { join } from "node:path";
import { createModel, familyOf } from "../../models/families.ts";
import type { Family, Head, Model, ModelOptions } from "../../models/family.ts";
import type { NewTokenizer } from "../../models/new-tokenizer.ts";
import { listParameters, shapeOf } from "../../nn/parameters.ts";
import type { DeviceArray } from "../../runtime/device.ts";
import {
  type ModelTokenizers,
  type TokenizerFileName,
  tokenizerFileNames,
  tokenizersFromFiles,
} from "../../tokenizers/files/folder.ts";
import { learnBytePairEncoding } from "../../tokenizers/learning/byte-pair-encoding.ts";
import { learnCharacters } from "../../tokenizers/learning/characters.ts";
import { learnUnigram } from "../../tokenizers/learning/unigram.ts";
import { learnWordPiece } from "../../tokenizers/learning/word-piece.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import type { ModelRecipe } from "../../training/model-recipe.ts";
import { didYouMean, QkvError } from "../../util/errors.ts";
import { writeFileAtomically } from "../../util/node/atomic-file.ts";
import { bindBase } from "../../weights/checkpoint-names.ts";
import { loadBoundValues } from "../../weights/node/bound-values.ts";
import { openCheckpoint } from "../../weights/node/checkpoint.ts";
import { type JsonObject, readIfThere, readJsonObject } from "./json-file.ts";
import { type ReadableArrays, writeModelFolder } from "./model-folder.ts";
import { linesOf } from "./training-data.ts";

/** A model before its training: what it is, and what it reads with. Its values come later. */
export interface ModelStart {
  readonly model: Model;
  /** The contents of config.json. */
  readonly config: JsonObject;
  readonly tokenizers: ModelTokenizers;
  /** The files that the tokenizers are read from, by name. */
  readonly tokenizerFiles: ReadonlyMap<TokenizerFileName, Uint8Array>;
  /** The contents of generation_config.json, for a model that writes. */
  readonly generationConfig: JsonObject | undefined;
}

export interface NewModelOptions {
  readonly recipe: ModelRecipe;
  readonly head: Head;
  /** What a new model is, where the recipe names no family. */
  readonly newModel: JsonObject;
  /** Those of a classifier, by id; asked for when all else is known to be right. */
  readonly labels: () => Promise<readonly string[] | undefined>;
  /** The folders that the recipe goes on from, found. */
  readonly from: string | undefined;
  readonly teacher: string | undefined;
  readonly tokenizerFrom: string | undefined;
  /** The training text, for a tokenizer that has to be learned. */
  readonly texts: () => AsyncIterable<string>;
  onProgress(done: number, total: number): void;
}

const where = "recipe: model";

/** The keys of config.json that a recipe names. */
function namedConfig({ model: { from: _from, initial_positions: _positions, ...named } }: ModelRecipe) {
  return named;
}

/** The same with those of a new model, where the recipe names no family. */
function ownConfig(recipe: ModelRecipe, newModel: JsonObject): JsonObject {
  const named = namedConfig(recipe);
  const isNew = recipe.model.from === undefined && named.model_type === undefined;
  return isNew ? { ...newModel, ...named } : named;
}

/** @throws QkvError "config" where a new model cannot be as a recipe wants it */
export function checkNewModel(recipe: ModelRecipe, head: Head, newModel: JsonObject): void {
  if (recipe.model.from !== undefined) return;
  const own = ownConfig(recipe, newModel);
  refuseUnknownKeys(recipe, familyOf(own, where));
  createModel({ ...anyVocabulary, ...own }, { head }, where);
}

/** The model that a recipe describes: that of a folder with changes, or a new one of a family. */
export async function createModelStart(options: NewModelOptions): Promise<ModelStart> {
  const { recipe, head, from } = options;
  // What is wrong with keys and sizes shall not be found after a vocabulary was learned.
  checkNewModel(recipe, head, options.newModel);
  const own = ownConfig(recipe, options.newModel);
  const base = from === undefined ? {} : await readConfigOf(from);
  const family = familyOf({ ...base, ...own }, where);
  if (from !== undefined) refuseUnknownKeys(recipe, family);
  const tokenizerFolder = options.tokenizerFrom ?? from;
  const known =
    from === undefined && options.teacher !== undefined ? await readConfigOf(options.teacher) : base;
  const labels = inOrderOf(known, await options.labels(), recipe);
  const ofLabels = labels === undefined ? {} : labelsConfig(labels, recipe);
  const tokenizerFiles =
    tokenizerFolder === undefined
      ? await learnTokenizer(options, family.newTokenizer)
      : await readTokenizerFiles(tokenizerFolder);
  const tokenizers = tokenizersFromFiles(tokenizerFiles, family.modelType);
  const vocabulary =
    from === undefined
      ? { vocab_size: tokenizers.target.vocabSize, ...idsOf(tokenizers.target, family.newTokenizer) }
      : {};
  const { architectures: _architectures, ...config }: JsonObject = {
    ...base,
    ...vocabulary,
    ...prefixConfig(recipe),
    ...own,
    ...ofLabels,
  };
  const model = createModel(config, { head, withoutPooler: true }, where);
  checkVocabulary(recipe, model, tokenizers);
  const ofFolder = from === undefined ? {} : ((await readJsonObject(join(from, generationFile))) ?? {});
  const generationConfig = model.generation && {
    ...ofFolder,
    ...generationIdsOf(config),
    ...recipe.generation,
  };
  return { model, config, tokenizers, tokenizerFiles, generationConfig };
}

/** What every family's config.json says of its vocabulary, before there is one. */
const anyVocabulary = {
  vocab_size: 1000,
  bos_token_id: 0,
  eos_token_id: 0,
  pad_token_id: 0,
  decoder_start_token_id: 0,
};

/** A config.json may say more than a family knows; a recipe that does has a slip of the pen in it. */
function refuseUnknownKeys(recipe: ModelRecipe, { modelType, configKeys }: Family): void {
  const known = ["model_type", ...configKeys];
  const unknown = Object.keys(namedConfig(recipe)).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  const near = didYouMean(unknown, known);
  throw new QkvError("config", `${where}: unknown key "${unknown}" of a ${modelType} model${near}`);
}

/** The same from the folder in which a run keeps how it began. */
export async function readModelStart(
  folder: string,
  head: Head,
  options: Pick<ModelOptions, "labelSmoothing"> = {},
): Promise<ModelStart> {
  const config = await readConfigOf(folder);
  const tokenizerFiles = await readTokenizerFiles(folder);
  const model = createModel(config, { ...options, head, withoutPooler: true }, join(folder, "config.json"));
  const tokenizers = tokenizersFromFiles(tokenizerFiles, model.modelType);
  const generationConfig = await readJsonObject(join(folder, generationFile));
  return { model, config, tokenizers, tokenizerFiles, generationConfig };
}

/**
 * Writes everything of a model's folder.
 * @param parameters - by address; none where there are no values yet
 */
export async function writeStartedModel(
  folder: string,
  start: ModelStart,
  parameters: ReadableArrays,
  dtype: "float32" | "float16",
): Promise<void> {
  await writeModelFolder(folder, start, parameters, dtype);
  for (const [name, bytes] of start.tokenizerFiles) await writeFileAtomically(join(folder, name), bytes);
  if (start.generationConfig === undefined) return;
  await writeFileAtomically(join(folder, generationFile), jsonBytes(start.generationConfig));
}

const generationFile = "generation_config.json";

const jsonBytes = (value: unknown): Uint8Array =>
  new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);

/** The tokens that generation needs, from config.json. */
function generationIdsOf(config: JsonObject): JsonObject {
  const keys = [
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "decoder_start_token_id",
    "forced_eos_token_id",
  ];
  return Object.fromEntries(keys.flatMap((key) => (config[key] == null ? [] : [[key, config[key]]])));
}

/** The files of a folder that tokenizers are read from. */
async function readTokenizerFiles(folder: string): Promise<Map<TokenizerFileName, Uint8Array>> {
  const files = new Map<TokenizerFileName, Uint8Array>();
  for (const name of tokenizerFileNames) {
    const bytes = await readIfThere(join(folder, name));
    if (bytes !== undefined) files.set(name, bytes);
  }
  if (files.size === 0) {
    throw new QkvError(
      "file",
      `${folder}: training needs a tokenizer; got a folder without one; name one with --set tokenizer.from=FOLDER`,
    );
  }
  return files;
}

async function readConfigOf(folder: string): Promise<JsonObject> {
  const path = join(folder, "config.json");
  const config = await readJsonObject(path);
  if (config !== undefined) return config;
  throw new QkvError("file", `${path}: there is no such file; model.from (--model) must name a model folder`);
}

/** What config.json says of labels. A regression has one number, which has no name of its own. */
function labelsConfig(labels: readonly string[], recipe: ModelRecipe): JsonObject {
  const problem =
    recipe.task === "text-classification" ? { problem_type: recipe.objective.problem_type } : {};
  return {
    id2label: Object.fromEntries(labels.map((label, id) => [id, label])),
    label2id: Object.fromEntries(labels.map((label, id) => [label, id])),
    ...problem,
  };
}

/**
 * Labels in the order in which the model that a training goes on from, or its teacher, has them, where they are the
 * same: what scores them is taken over row by row.
 */
function inOrderOf(base: JsonObject, labels: readonly string[] | undefined, { objective }: ModelRecipe) {
  if (labels === undefined || ("labels" in objective && objective.labels !== undefined)) return labels;
  const { id2label } = base;
  if (typeof id2label !== "object" || id2label === null) return labels;
  const known = Object.values(id2label);
  const isSame = known.length === labels.length && labels.every((label) => known.includes(label));
  return isSame ? (known as string[]) : labels;
}

/** What is put in front of each source belongs to the model, whichever task it is used for; an earlier one does not. */
function prefixConfig(recipe: ModelRecipe): JsonObject {
  if (recipe.task !== "text2text-generation") return {};
  const { source_prefix: prefix } = recipe.objective;
  const tasks = ["text2text-generation", "summarization", "translation"];
  return {
    task_specific_params: prefix === "" ? null : Object.fromEntries(tasks.map((task) => [task, { prefix }])),
  };
}

function checkVocabulary(recipe: ModelRecipe, { config }: Model, { source }: ModelTokenizers): void {
  if (source.vocabSize <= config.vocabSize) return;
  throw new QkvError(
    "config",
    `recipe ${recipe.name}: the tokenizer has ${source.vocabSize} tokens, the model only ${config.vocabSize}; ` +
      "take a tokenizer and a model that belong together (tokenizer.from, model.from)",
  );
}

/** Learns a tokenizer of a family's kind from the training text. @returns its files */
async function learnTokenizer({ recipe, texts, onProgress }: NewModelOptions, style: NewTokenizer) {
  const {
    type = style.kind,
    vocab_size: vocabSize,
    lowercase,
    min_frequency: minFrequency,
  } = recipe.tokenizer;
  const { specialTokens, template } = style;
  const report = (done: number, goal = done) => onProgress(done, goal);
  const common = { vocabSize, specialTokens, lowercase, onProgress: report };
  const lines = () => linesOf(texts());
  const learn = {
    byteLevel: () =>
      learnBytePairEncoding(lines(), {
        ...common,
        minFrequency,
        ...((template === "eos" || template === "roberta") && { template }),
      }),
    wordPiece: () => learnWordPiece(lines(), { ...common, minFrequency }),
    unigram: () => learnUnigram(lines(), { ...common, template: template === "eos" ? "eos" : "none" }),
    characters: () =>
      learnCharacters(texts(), {
        lowercase,
        specialTokens: specialTokens.includes("<unk>") ? specialTokens : [...specialTokens, "<unk>"],
      }),
  };
  const tokenizer = await learn[type]();
  const padToken = style.ids.pad_token_id;
  const config = {
    tokenizer_class: "PreTrainedTokenizerFast",
    ...(padToken !== undefined && { pad_token: padToken }),
  };
  return new Map<TokenizerFileName, Uint8Array>([
    ["tokenizer.json", jsonBytes(tokenizer.toJson())],
    ["tokenizer_config.json", jsonBytes(config)],
  ]);
}

function idsOf(tokenizer: Tokenizer, { ids }: NewTokenizer): JsonObject {
  return Object.fromEntries(
    Object.entries(ids).flatMap(([key, token]) => {
      const id = tokenizer.tokenToId(token);
      return id === undefined ? [] : [[key, id]];
    }),
  );
}

/**
 * Fills parameters from the checkpoint that a training goes on from.
 * @returns addresses of parameters that it lacks, and names of tensors that have no use here
 */
export async function loadBase(
  folder: string,
  model: Model,
  parameters: ReadonlyMap<string, DeviceArray>,
): Promise<{ readonly absent: readonly string[]; readonly unused: readonly string[] }> {
  const { path, tensors } = await openCheckpoint(folder);
  const wanted = new Map(
    [...listParameters(model.parameters)].map(([address, spec]) => [address, shapeOf(spec)]),
  );
  const { bound, absent, unused } = bindBase(wanted, tensors, model.names, path);
  await loadBoundValues(bound, tensors, false, async (address, _, data) => {
    await parameters.get(address)!.write(data);
  });
  return { absent, unused };
}

/** A text that differs where the tokenizers differ. */
export function fingerprintOfTokenizers({ source, target }: ModelTokenizers): string {
  const text = JSON.stringify([source.toJson(), target.toJson()]);
  return createHash("sha256").update(text).digest("hex");
}
