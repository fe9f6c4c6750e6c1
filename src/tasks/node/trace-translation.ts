import { equal, input, not, scalar } from "../../graph/build.ts";
import { dim } from "../../graph/dims.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { transformerGraph, transformerParameters } from "../../models/transformer.ts";
import { parameterTensors } from "../../nn/parameters.ts";
import type { Device } from "../../runtime/device.ts";
import { bytesOfCharacters } from "../../tokenizers/byte-level.ts";
import { type TracedValue, trace } from "../../tracing/trace.ts";
import { Translator } from "../translator.ts";
import { requireOwnTranslator } from "./model-kind.ts";
import { readTranslationModel, readTranslationWeights } from "./translation-folder.ts";

export interface TranslationTrace {
  /** The pieces that the encoder reads, the end of sequence included. */
  readonly sourceTokens: readonly string[];
  /** The pieces that the decoder reads: the start of sequence and the target so far. */
  readonly targetTokens: readonly string[];
  readonly target: string;
  /** Every value asked for, in the order in which it arises. */
  readonly values: readonly TracedValue[];
}

/**
 * Everything that happens inside a translator while it reads a text and writes its translation.
 * @param options.target - the translation to follow; default: the model's own
 * @param options.addresses - which values; * stands for anything; default: all
 */
export async function traceTranslation(
  device: Device,
  folder: string,
  text: string,
  options: { target?: string; addresses?: readonly string[] } = {},
): Promise<TranslationTrace> {
  await requireOwnTranslator(folder);
  const model = await readTranslationModel(folder);
  const weights = await readTranslationWeights(folder, model);
  const { config, sourceTokenizer, targetTokenizer } = model;
  const translator = await Translator.create(device, model, weights);
  const sourceIds = translator.sourceIds(text).ids;
  const target = options.target ?? (await translator.translate([text]))[0]!.text;
  await translator.dispose();
  const targetIds = [config.bosTokenId, ...targetTokenizer.encodeIds(target)].slice(0, config.maxPositions);

  const build = () => {
    const graph = transformerGraph(config, "inference");
    const parameters = parameterTensors(transformerParameters(config));
    const present = (ids: Tensor) => not(equal(ids, scalar(config.padTokenId, "int32")));
    const source = input("source", [dim("batch"), dim("sequence", "source")], "int32");
    const written = input("target", [dim("batch"), dim("sequence", "target")], "int32");
    const memory = graph.encode(parameters, source, present(source));
    graph.logits(parameters, graph.decode(parameters, written, present(written), memory, present(source)));
  };
  const feed = (ids: readonly number[]) => ({ data: Int32Array.from(ids), shape: [1, ids.length] });
  const inputs = { source: feed(sourceIds), target: feed(targetIds) };
  const values = await trace(device, build, inputs, { ...weights, addresses: options.addresses ?? ["*"] });
  return {
    sourceTokens: sourceIds.map((id) => readablePiece(sourceTokenizer.idToToken(id) ?? String(id))),
    targetTokens: targetIds.map((id) => readablePiece(targetTokenizer.idToToken(id) ?? String(id))),
    target,
    values,
  };
}

/** A piece as people read it: one that goes on a word begins with a dot, one that begins a word has no mark. */
function readablePiece(piece: string): string {
  if (/^<.*>$/.test(piece)) return piece;
  const bytes = [...piece].map((character) => bytesOfCharacters.get(character));
  const text = bytes.every((byte) => byte !== undefined)
    ? new TextDecoder().decode(Uint8Array.from(bytes))
    : piece;
  const begins = /^[ \u2581]/.test(text);
  return begins ? text.slice(1) || "␣" : `·${text}`;
}
