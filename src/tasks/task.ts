import type { z } from "zod";
import type { Head, Model } from "../models/family.ts";
import type { CompileOptions, Device, DeviceArray } from "../runtime/device.ts";
import type { Encoding } from "../tokenizers/encoding.ts";
import type { ModelTokenizers } from "../tokenizers/files/folder.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { didYouMean, QkvError } from "../util/errors.ts";
import { camelCase } from "../util/spelling.ts";
import type { WrittenToken } from "./written-tokens.ts";

/** An opened model with all that a task needs of it. */
export interface TaskModel {
  /** Where it comes from, for messages. */
  readonly folder: string;
  readonly model: Model;
  /** The contents of config.json. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The contents of generation_config.json. */
  readonly generationConfig: Readonly<Record<string, unknown>>;
  readonly weights: CompileOptions;
  readonly parameters: ReadonlyMap<string, DeviceArray>;
  readonly tokenizers: ModelTokenizers;
}

/** An input that was longer than the model can read, so that a part of it was left out. */
export interface Truncation {
  /** The number of the input in its list. */
  readonly index: number;
  /** How many tokens it has, and how many the model reads. */
  readonly tokens: number;
  readonly limit: number;
}

/** What a call of a task may have besides. */
export interface TaskControls {
  /** Stops between two batches; the call then fails with "interrupted". */
  readonly signal?: AbortSignal;
  readonly onTruncated?: (truncation: Truncation) => void;
  /**
   * Hears of each token that is written, as soon as it is there. Beams change their minds, so with them tokens come
   * when their text is finished. Tasks that write nothing say nothing.
   */
  readonly onToken?: ((token: WrittenToken) => void) | undefined;
}

/** A task with its model, ready to be run. */
export interface Task {
  /**
   * @param options - in either spelling, `topK` or `top_k`
   * @returns one result for each input, in their order
   */
  run(inputs: readonly unknown[], options: unknown, controls: TaskControls): Promise<unknown[]>;
  dispose(): Promise<void>;
}

/** A kind of task. */
export interface TaskDefinition {
  /** What the model must have. */
  readonly head: Head;
  /** @param name - the task's full name, such as `translation_en_to_de` */
  open(device: Device, opened: TaskModel, name: string): Promise<Task>;
}

/**
 * Options as a schema wants them, from either spelling of their names.
 * @param schema - an object with names in camelCase
 * @throws QkvError "option" for an unknown name, with the nearest one, or a wrong value
 */
export function readTaskOptions<Schema extends z.ZodObject>(
  where: string,
  schema: Schema,
  given: unknown,
): z.output<Schema> {
  const known = Object.keys(schema.shape);
  const options = camelCaseKeys(where, given);
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    throw new QkvError(
      "option",
      `${where}: unknown option "${name}"${didYouMean(name, known)}; there are ${known.join(", ")}`,
    );
  }
  const parsed = schema.safeParse(options);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  const got = JSON.stringify(options[String(path[0])]);
  throw new QkvError("option", `${where}: ${path.join(".")}: ${message}; got ${got}`);
}

/** The given options under camelCase names; those that are undefined are as good as absent. */
export function camelCaseKeys(where: string, given: unknown): Record<string, unknown> {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new QkvError("option", `${where}: options must be an object; got ${JSON.stringify(given)}`);
  }
  const options: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const name = camelCase(key);
    if (Object.hasOwn(options, name)) {
      throw new QkvError("option", `${where}: ${name} is given in two spellings; leave one out`);
    }
    options[name] = value;
  }
  return options;
}

/** @throws QkvError "data" where an input is no text */
export function checkText(where: string, input: unknown, index: number): string {
  if (typeof input === "string") return input;
  throw new QkvError("data", `${where}: input ${index + 1} must be a text; got ${typeof input}`);
}

/** The most tokens that a model reads at once; Infinity where nothing limits them. */
export function longestInput({ model, tokenizers }: Pick<TaskModel, "model" | "tokenizers">): number {
  const ofModel = model.inputs.inputIds?.longest ?? Number.POSITIVE_INFINITY;
  return Math.min(ofModel, tokenizers.source.settings.maxLength ?? Number.POSITIVE_INFINITY);
}

/** The tokens of a text, or of two, as many as the model reads; the end of a longer one is left out. */
export function encodeWithin(
  opened: Pick<TaskModel, "model" | "tokenizers">,
  text: string,
  index: number,
  { onTruncated }: TaskControls,
  pair?: string,
): Encoding {
  const limit = longestInput(opened);
  const { source } = opened.tokenizers;
  const second = pair === undefined ? {} : { pair };
  if (limit === Number.POSITIVE_INFINITY) return source.encode(text, second);
  const encoding = source.encode(text, { ...second, truncation: { maxLength: limit } });
  if (encoding.overflowing.length > 0) {
    onTruncated?.({ index, tokens: source.encodeIds(text, second).length, limit });
  }
  return encoding;
}

/** The text of ids, without special tokens. Models may have more ids than their tokenizers; such have no text. */
export function textOf(tokenizer: Tokenizer, ids: readonly number[], skipSpecialTokens = true): string {
  const known = ids.filter((id) => tokenizer.idToToken(id) !== undefined);
  return tokenizer.decode(known, { skipSpecialTokens });
}

/** @throws QkvError "interrupted" where it is asked for */
export function checkGoing(where: string, { signal }: TaskControls): void {
  if (signal?.aborted) {
    throw new QkvError("interrupted", `${where}: stopped on request`, { cause: signal.reason });
  }
}
