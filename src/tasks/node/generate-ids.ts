import { CausalGenerator } from "../../generation/causal-language.ts";
import type { GenerationControls } from "../../generation/decode.ts";
import type { DecodingOptions } from "../../generation/decoding-options.ts";
import type { Hypothesis } from "../../generation/search.ts";
import { SequenceGenerator } from "../../generation/sequence-to-sequence.ts";
import type { HostInput, InputSpecs, Model } from "../../models/family.ts";
import { inputsFromJson } from "../../models/inputs.ts";
import type { Device } from "../../runtime/device.ts";
import { QkvError } from "../../util/errors.ts";
import { decodingOfModel } from "../decoding-of-model.ts";
import { type JsonObject, type ModelFolder, openModelFolder } from "./model-folder.ts";

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
  controls: Pick<GenerationControls, "signal"> = {},
): Promise<GeneratedIds> {
  const opened = await openModelFolder(folder);
  const { generation } = opened.model;
  if (generation === undefined) {
    throw new QkvError(
      "config",
      `${folder}: ${opened.model.architecture} does not generate text; name a folder with a model for causal language or conditional generation`,
    );
  }
  const { decoding, padTokenId } = decodingOf(opened, options);
  const { ids, masks, decoderIds } = readInputs(opened.model, inputs, padTokenId, decoding.eosTokenId);
  const targetPrompts =
    generation.kind === "causal"
      ? undefined
      : behindStart(decoderIds, decoding.decoderStartTokenId ?? generation.bosTokenId);
  const allControls = { ...controls, ...textControls(opened, decoding) };

  // The registry's models have forgotten what their parameters are called.
  type AnyModel = Parameters<typeof SequenceGenerator.create<object>>[1] &
    Parameters<typeof CausalGenerator.create<object>>[1];
  const model = generation as unknown as AnyModel;
  const generator =
    generation.kind === "causal"
      ? await CausalGenerator.create(device, model, opened.weights)
      : await SequenceGenerator.create(device, model, opened.weights);
  try {
    const found = await generator.generate(ids, decoding, new Map(), {
      ...allControls,
      promptMasks: masks,
      sourceMasks: masks,
      targetPrompts,
    });
    return resultOf(found.flat(), (decoding.numBeams ?? 1) > 1);
  } finally {
    await generator.dispose();
  }
}

function resultOf(hypotheses: readonly Hypothesis[], withScores: boolean): GeneratedIds {
  return {
    generated: hypotheses.map(({ tokens }) => tokens),
    ...(withScores && { sequences_scores: hypotheses.map(({ score }) => score) }),
  };
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
function behindStart(rows: number[][] | undefined, start: number): number[][] | undefined {
  return rows?.some(([first]) => first === start) ? rows : rows?.map((row) => [start, ...row]);
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
