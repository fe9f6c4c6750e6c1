import { join, resolve } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { batchesFrom } from "../../data/batches.ts";
import { type Batch, collate } from "../../data/collate.ts";
import { readLines, surveyTextFile } from "../../data/node/line-reader.ts";
import {
  checkLineCounts,
  describeCorpusReport,
  openParallelCorpus,
  prepareParallelCorpus,
} from "../../data/node/parallel-corpus.ts";
import { readWordVectors } from "../../data/node/word-vectors.ts";
import type { ParallelCorpus } from "../../data/parallel-corpus.ts";
import { corpusBleu } from "../../metrics/bleu.ts";
import { parseTransformerConfig } from "../../models/transformer-config.ts";
import { parameterTensors } from "../../nn/parameters.ts";
import type { Device, DeviceArray } from "../../runtime/device.ts";
import { learnBytePairEncoding } from "../../tokenizers/learning/byte-pair-encoding.ts";
import { type NextBatch, type RunParts, runTraining } from "../../training/node/training-run.ts";
import type { RunEvent, RunOutcome } from "../../training/run-events.ts";
import { translationObjective } from "../../training/translation-objective.ts";
import type { TranslationRecipe } from "../../training/translation-recipe.ts";
import type { Brake } from "../../util/brake.ts";
import { QkvError } from "../../util/errors.ts";
import { type TranslationModel, Translator } from "../translator.ts";
import { fingerprintOf, readTranslationModel, writeTranslationModel } from "./translation-folder.ts";

export interface TrainTranslationOptions {
  readonly recipe: TranslationRecipe;
  /** The run's folder. */
  readonly directory: string;
  /** The folder that the recipe's data files are relative to. */
  readonly dataFolder: string;
  readonly resume: boolean;
  readonly device: Device;
  readonly signal: AbortSignal;
  readonly brake?: Brake;
  onEvent(event: RunEvent): void;
}

/** Tokens for which there are positions, beside an end mark or the mark that the decoder begins with, and padding. */
function longestPair({ model, training }: TranslationRecipe): number {
  const { pad_to_multiple_of: multiple } = training;
  return Math.floor(model.max_position_embeddings / multiple) * multiple - 1;
}

/** Trains a translator by a recipe. */
export async function trainTranslation(options: TrainTranslationOptions): Promise<RunOutcome> {
  const { recipe, directory, device, onEvent } = options;
  const path = (file: string) => resolve(options.dataFolder, file);
  if (!options.resume) checkParallelFiles(recipe, path);
  const model = await modelFor(options, path);
  const { config } = model;
  const rows = { lengthMultiple: recipe.training.pad_to_multiple_of, appendEos: true };
  const ids = { padId: config.padTokenId, bosId: config.bosTokenId, eosId: config.eosTokenId };

  const prepare = async (name: string, source: string, target: string): Promise<ParallelCorpus> => {
    const prepared = await prepareParallelCorpus({
      sourceFile: path(source),
      targetFile: path(target),
      folder: join(directory, "data", name),
      encodeSource: (line) => model.sourceTokenizer.encodeIds(line),
      encodeTarget: (line) => model.targetTokenizer.encodeIds(line),
      sourceVocabSize: config.sourceVocabSize,
      targetVocabSize: config.targetVocabSize,
      tokenizer: fingerprintOf(model),
      maxLength: Math.min(recipe.data.max_length, longestPair(recipe)),
      ...(recipe.data.max_length_ratio !== null && { maxLengthRatio: recipe.data.max_length_ratio }),
      onProgress: ({ lines, totalLines }) =>
        onEvent({ type: "preparing", what: `tokenizing ${name}`, done: lines, total: totalLines }),
      signal: options.signal,
    });
    onEvent({ type: "message", text: `${name}: ${describeCorpusReport(prepared)}` });
    return openParallelCorpus(prepared.folder);
  };
  const training = await prepare("train", recipe.data.train_source, recipe.data.train_target);
  const { validation_source: validationSource, validation_target: validationTarget } = recipe.data;
  const validation =
    validationSource === undefined || validationTarget === undefined
      ? undefined
      : await validator(options, model, {
          corpus: await prepare("validation", validationSource, validationTarget),
          sources: firstLines(path(validationSource), recipe.training.eval_bleu_sentences),
          references: firstLines(path(validationTarget), recipe.training.eval_bleu_sentences),
          collate: (corpus, pairs) => collate(corpus, pairs, { ...ids, ...rows }),
        });

  const parts: RunParts<ReturnType<typeof translationObjective>["parameters"], Batch> = {
    directory,
    recipe,
    device,
    objective: translationObjective(config, { labelSmoothing: recipe.training.label_smoothing_factor }),
    *batchesFrom(position): Generator<NextBatch<Batch>> {
      const batches = batchesFrom(
        training,
        { tokensPerBatch: recipe.training.max_tokens, seed: recipe.training.seed, ...rows },
        position,
      );
      for (const { position: at, next, pairs } of batches) {
        yield { batch: collate(training, pairs, { ...ids, ...rows }), position: at, next };
      }
    },
    initialize: (parameters) => initializeFromWordVectors(options, model, parameters, path),
    validate: async (parameters) => validation?.(parameters),
    writeModel: (folder, parameters) =>
      writeTranslationModel(folder, model, parameters, recipe.training.save_dtype),
    onEvent,
    signal: options.signal,
    ...(options.brake !== undefined && { brake: options.brake }),
  };
  return await runTraining(parts, options.resume);
}

/** Compares numbers of lines before anything that takes time. */
function checkParallelFiles({ data }: TranslationRecipe, path: (file: string) => string): void {
  for (const [source, target] of [
    [data.train_source, data.train_target],
    [data.validation_source, data.validation_target],
  ]) {
    if (source === undefined || target === undefined) continue;
    const files = { sourceFile: path(source), targetFile: path(target) };
    checkLineCounts(files, surveyTextFile(files.sourceFile).lines, surveyTextFile(files.targetFile).lines);
  }
}

/** The run's configuration and tokenizers: learned from the training files, or those of the run that goes on. */
async function modelFor(
  options: TrainTranslationOptions,
  path: (file: string) => string,
): Promise<TranslationModel> {
  const { recipe, directory, onEvent } = options;
  const start = join(directory, "start");
  if (options.resume) {
    const known = await readTranslationModel(start).catch(() => undefined);
    if (known !== undefined) return known;
  }
  const { tokenizer, data } = recipe;
  /** @param ids - what is known only when the vocabulary is */
  const configOf = (ids: {
    readonly vocab_size: number;
    readonly decoder_vocab_size: number;
    readonly pad_token_id: number;
    readonly bos_token_id: number;
    readonly eos_token_id: number;
  }) => parseTransformerConfig({ model_type: "transformer", ...recipe.model, ...ids }, "recipe: model");
  // Sizes that do not fit together are told before the text is read, not after.
  const size = tokenizer.vocab_size;
  configOf({ vocab_size: size, decoder_vocab_size: size, pad_token_id: 0, bos_token_id: 1, eos_token_id: 2 });
  const learn = async (what: string, files: readonly string[]) => {
    onEvent({
      type: "message",
      text: `Learning a vocabulary of ${tokenizer.vocab_size} pieces from ${what}.`,
    });
    return await learnBytePairEncoding(linesOf(files.map(path), options), {
      vocabSize: tokenizer.vocab_size,
      lowercase: tokenizer.lowercase,
      preTokenizer: tokenizer.pre_tokenizer,
      minFrequency: tokenizer.min_frequency,
      onProgress: (done, goal = done) => {
        onEvent({ type: "preparing", what: "learning pieces", done, total: goal });
        checkNotStopped(options);
      },
    });
  };
  const sourceTokenizer = tokenizer.joint
    ? await learn("both sides", [data.train_source, data.train_target])
    : await learn("the source", [data.train_source]);
  const targetTokenizer = tokenizer.joint ? sourceTokenizer : await learn("the target", [data.train_target]);
  const idOf = (token: string) => {
    const id = targetTokenizer.tokenToId(token);
    if (id === undefined) throw new QkvError("internal", `tokenizer: has no piece ${token}`);
    return id;
  };
  const config = configOf({
    vocab_size: sourceTokenizer.vocabSize,
    decoder_vocab_size: targetTokenizer.vocabSize,
    pad_token_id: idOf("<pad>"),
    bos_token_id: idOf("<s>"),
    eos_token_id: idOf("</s>"),
  });
  const { num_beams, length_penalty, max_length } = recipe.generation;
  const decoding = { numBeams: num_beams, lengthPenalty: length_penalty, maxNewTokens: max_length };
  const model = { config, sourceTokenizer, targetTokenizer, decoding };
  await writeTranslationModel(start, model, new Map(), "float32");
  // Read back, so that a run that goes on later has the very same.
  return await readTranslationModel(start);
}

/** Lets the embeddings of pieces that are whole words begin with given vectors, brought to the length of the others. */
async function initializeFromWordVectors(
  { recipe, onEvent }: TrainTranslationOptions,
  model: TranslationModel,
  parameters: ReadonlyMap<string, DeviceArray>,
  path: (file: string) => string,
): Promise<void> {
  const { source_word_vectors: ofSource, target_word_vectors: ofTarget } = recipe.training;
  for (const [side, file, tokenizer] of [
    ["encoder", ofSource, model.sourceTokenizer],
    ["decoder", ofTarget, model.targetTokenizer],
  ] as const) {
    if (file === null) continue;
    // With shared embeddings both sides' words go into the one table, which the encoder names.
    const table = parameters.get(`${side}.embedding`) ?? parameters.get("encoder.embedding")!;
    const wholeWord = (word: string) => {
      const ids = tokenizer.encodeIds(word);
      return ids.length === 1 ? ids[0] : undefined;
    };
    const width = model.config.modelDim;
    const { vectors } = readWordVectors(path(file), (word) => wholeWord(word) !== undefined, width);
    const values = Float32Array.from(await table.read());
    for (const [word, vector] of vectors) {
      const length = Math.hypot(...vector);
      if (length === 0) continue;
      values.set(
        vector.map((value) => value / length),
        wholeWord(word)! * width,
      );
    }
    await table.write(values);
    onEvent({
      type: "message",
      text: `${file}: ${vectors.size} of ${tokenizer.vocabSize} pieces begin with a word's vector.`,
    });
  }
}

/** The lines of some files, with a pause now and then in which others have their turn. */
async function* linesOf(
  files: readonly string[],
  options: TrainTranslationOptions,
): AsyncGenerator<string, void, undefined> {
  let lines = 0;
  for (const file of files) {
    for (const line of readLines(file)) {
      if (++lines % 10_000 === 0) {
        await nextTurn();
        checkNotStopped(options);
      }
      yield line;
    }
  }
}

function checkNotStopped({ signal }: TrainTranslationOptions): void {
  if (signal.aborted) throw new QkvError("interrupted", "the training was stopped before its first step");
}

function firstLines(file: string, count: number): string[] {
  const lines: string[] = [];
  if (count === 0) return lines;
  for (const line of readLines(file)) {
    lines.push(line);
    if (lines.length === count) break;
  }
  return lines;
}

interface ValidationData {
  readonly corpus: ParallelCorpus;
  readonly sources: readonly string[];
  readonly references: readonly string[];
  collate(corpus: ParallelCorpus, pairs: readonly number[]): Batch;
}

/** How many translations of a validation are shown. */
const sampleCount = 5;

/** Measures the loss of the validation corpus, and BLEU of its first sentences as greedy search translates them. */
async function validator(options: TrainTranslationOptions, model: TranslationModel, data: ValidationData) {
  const { device, recipe } = options;
  const objective = translationObjective(model.config, { labelSmoothing: 0, mode: "inference" });
  const program = await device.compile(
    new Map([["loss", objective.loss(parameterTensors(objective.parameters))]]),
  );
  const translator = data.sources.length > 0 ? await Translator.create(device, model, {}) : undefined;
  const lowercase = recipe.tokenizer.lowercase;
  return async (parameters: ReadonlyMap<string, DeviceArray>) => {
    let sum = 0;
    let tokens = 0;
    for (let start = 0; start < data.corpus.length; start += 64) {
      const pairs = Array.from(
        { length: Math.min(64, data.corpus.length - start) },
        (_, index) => start + index,
      );
      const batch = data.collate(data.corpus, pairs);
      const result = await program.run(objective.feeds(batch), parameters);
      sum += (await result.get("loss")!.read())[0]!;
      tokens += batch.tokenCount;
    }
    const loss = sum / tokens;
    const perplexity = Math.exp(loss);
    if (translator === undefined) return { loss, metrics: { perplexity } };
    const translations = await translator.translate(data.sources, { numBeams: 1 }, parameters);
    const hypotheses = translations.map(({ text }) => text);
    const { score } = corpusBleu(hypotheses, [data.references], { lowercase });
    const samples = spread(data.sources.length, sampleCount).map((index) => ({
      source: data.sources[index]!,
      target: data.references[index]!,
      got: hypotheses[index]!,
    }));
    return { loss, metrics: { perplexity, bleu: score }, samples };
  };
}

/** At most `count` of the numbers below `length`, as far from each other as may be. */
function spread(length: number, count: number): number[] {
  const few = Math.min(length, count);
  return Array.from({ length: few }, (_, index) => Math.floor((index * length) / few));
}
