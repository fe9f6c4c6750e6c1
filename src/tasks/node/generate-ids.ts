import type { GenerationControls } from "../../generation/decode.ts";
import type { DecodingOptions } from "../../generation/decoding-options.ts";
import type { Hypothesis } from "../../generation/search.ts";
import type { HostInput, InputSpecs, Model } from "../../models/family.ts";
import { inputsFromJson } from "../../models/inputs.ts";
import type { Device } from "../../runtime/device.ts";
import { QkvError } from "../../util/errors.ts";
import { decodingOfModel } from "../decoding-of-model.ts";
import { type AnyGenerator, generatorOf } from "../generator-of-model.ts";
import {
  type JsonObject,
  type ModelFolder,
  type ModelFolderOptions,
  openModelFolder,
} from "./model-folder.ts";

/** What `generateFromIds` gives, spelled as in files. */
export interface GeneratedIds {
  /**
   * The tokens after the prompt, up to and including the first end token; the num_return_sequences of one input side
   * by side, best first.
   */
  readonly generated: readonly (readonly number[])[];
  /** In the same order, where there were beams. */
  readonly sequences_scores?: readonly number[];
}

/**
 * Generates with a model folder from token ids.
 * @param inputs - `input_ids` and maybe `attention_mask` and, to an encoder-decoder, `decoder_input_ids`, as nested
 *   lists
 * @param options - under Hugging Face's names; they override the folder's generation_config.json
 * @throws QkvError for a folder, inputs or options that cannot be; no option is ignored
 */
export async function generateFromIds(
  device: Device,
  folder: string,
  inputs: unknown,
  options: unknown = {},
  { signal, prepacking }: Pick<GenerationControls, "signal"> & Pick<ModelFolderOptions, "prepacking"> = {},
): Promise<GeneratedIds> {
  const opened = await openModelFolder(folder, { prepacking });
  const generator = await generatorOf(device, opened);
  try {
    const { hypotheses, decoding } = await writeFromIds(opened, generator, inputs, options, { signal });
    const { numBeams = 1 } = decoding;
    return {
      generated: hypotheses.map(({ tokens }) => tokens),
      ...(numBeams > 1 && { sequences_scores: hypotheses.map(({ score }) => score) }),
    };
  } finally {
    await generator.dispose();
  }
}

/** What was written, and what it was written after. */
export interface WrittenIds {
  /** Those of one input side by side, best first. */
  readonly hypotheses: readonly Hypothesis[];
  /** All options that acted. */
  readonly decoding: Partial<DecodingOptions>;
  /** The ids of the inputs, and 1 for each that is looked at. */
  readonly ids: readonly (readonly number[])[];
  readonly masks: readonly (readonly number[])[];
  /** What the decoder of an encoder-decoder started from. */
  readonly targetPrompts: readonly (readonly number[])[] | undefined;
}

/** The same with a folder that is open. @param generator - of its model */
export async function writeFromIds(
  opened: ModelFolder,
  generator: AnyGenerator,
  inputs: unknown,
  options: unknown,
  controls: Pick<GenerationControls, "signal"> = {},
): Promise<WrittenIds> {
  const generation = opened.model.generation!;
  if (generation.kind === "causal" && (options as JsonObject).decoder_start_token_id != null) {
    throw new QkvError(
      "option",
      `options: decoder_start_token_id is for encoder-decoders; got it for ${opened.model.architecture}; leave it out`,
    );
  }
  const { decoding, padTokenId } = decodingOf(opened, options);
  const { ids, masks, decoderIds } = readInputs(opened.model, inputs, padTokenId, decoding.eosTokenId);
  const targetPrompts =
    generation.kind === "causal"
      ? undefined
      : startingWith(
          decoding.decoderStartTokenId ?? generation.bosTokenId,
          decoderIds ?? ids.map((): number[] => []),
        );
  const found = await generator.generate(ids, decoding, opened.parameters, {
    ...controls,
    ...textControls(opened, decoding),
    promptMasks: masks,
    sourceMasks: masks,
    targetPrompts,
  });
  return { hypotheses: found.flat(), decoding, ids, masks, targetPrompts };
}

/** All options of a call, and the padding that it tells of. */
function decodingOf(
  opened: ModelFolder,
  options: unknown,
): { decoding: Partial<DecodingOptions>; padTokenId: number | undefined } {
  const decoding = decodingOfModel(opened, options);
  const padding = (json: unknown) => (json as JsonObject).pad_token_id as number | undefined;
  const { config, generationConfig } = opened;
  return {
    decoding,
    padTokenId: padding(options) ?? padding(generationConfig) ?? padding(config) ?? undefined,
  };
}

/** Token ids, and which of them are to be looked at, row by row. */
function readInputs(
  { inputs, architecture }: Pick<Model, "inputs" | "architecture">,
  json: unknown,
  padTokenId: number | undefined,
  eosTokenId: DecodingOptions["eosTokenId"],
) {
  const { inputIds, attentionMask, decoderInputIds } = inputs;
  const { fill: _, ...targetIds } = decoderInputIds ?? { fill: undefined };
  const known = {
    inputIds,
    attentionMask,
    ...(decoderInputIds !== undefined && { decoderInputIds: targetIds }),
  } as InputSpecs;
  const complete = inputsFromJson({ inputs: known, architecture }, json);
  const ids = rowsOf(complete.inputIds!);
  // As to Hugging Face, padding says itself what it is, unless it may also be the end.
  const isPadding = [eosTokenId ?? []].flat().includes(padTokenId!) ? undefined : padTokenId;
  const masks = Object.hasOwn(json as object, "attention_mask")
    ? rowsOf(complete.attentionMask!)
    : ids.map((row) => row.map((id) => (id === isPadding ? 0 : 1)));
  return {
    ids,
    masks,
    decoderIds: complete.decoderInputIds === undefined ? undefined : rowsOf(complete.decoderInputIds),
  };
}

/** As to Hugging Face, the start token is put before decoder ids none of which begins with it. */
function startingWith(start: number, rows: number[][]): number[][] {
  return rows.some(([first]) => first === start) ? rows : rows.map((row) => [start, ...row]);
}

function rowsOf({ data, shape }: HostInput): number[][] {
  const [rows, width] = shape as [number, number];
  return Array.from({ length: rows }, (_, row) => [...data.subarray(row * width, (row + 1) * width)]);
}

/** Stop strings are found in text, so they need the folder's tokenizer. */
function textControls(
  { folder, tokenizers }: ModelFolder,
  { stopStrings = [] }: Partial<DecodingOptions>,
): Pick<GenerationControls, "decodeText"> {
  if (stopStrings.length === 0) return {};
  if (tokenizers === undefined) {
    throw new QkvError(
      "file",
      `${folder}: stop_strings need a tokenizer; got a folder without one; add tokenizer.json`,
    );
  }
  return { decodeText: (tokens) => tokenizers.target.decode(tokens) };
}
