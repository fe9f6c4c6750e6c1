import { equal, not, scalar } from "../graph/build.ts";
import { dim } from "../graph/dims.ts";
import type { Tensor } from "../graph/tensor.ts";
import { ignoredLabel } from "../nn/losses.ts";
import { QkvError } from "../util/errors.ts";
import { type HostInput, type HostInputs, type InputSpecs, layerAddresses } from "./family.ts";
import { filledLike } from "./inputs.ts";

/** What the inputs of an encoder-decoder depend on. */
export interface EncoderDecoderSizes {
  readonly vocabSize: number;
  /** The longest source and target, in tokens; Infinity where positions are relative. */
  readonly maxPositions: number;
  readonly padTokenId: number;
  readonly decoderStartTokenId: number;
  readonly layerCount: number;
  readonly decoderLayerCount: number;
}

/**
 * The inputs of an encoder-decoder. Where the decoder's are not given they are the labels, or where there are none
 * and `fromSource` allows it the source, moved by one place behind the start token.
 */
export function encoderDecoderInputs(
  sizes: EncoderDecoderSizes,
  options: { readonly withLabels: boolean; readonly fromSource: boolean },
): InputSpecs {
  const source = [dim("batch"), dim("sequence", "source")];
  const target = [dim("batch"), dim("sequence", "target")];
  const ids = {
    dtype: "int32",
    below: sizes.vocabSize,
    ...(Number.isFinite(sizes.maxPositions) && { longest: sizes.maxPositions }),
  } as const;
  const mask = { dtype: "int32", below: 2 } as const;
  const decoderInputIds = (given: HostInputs): HostInput => {
    const from = given.labels ?? (options.fromSource ? given.inputIds : undefined);
    if (from === undefined) {
      const wanted = options.withLabels
        ? "the decoder's input ids or labels are"
        : "the decoder's input ids are";
      throw new QkvError("data", `inputs: ${wanted} needed; got neither`);
    }
    return behindStart(from, sizes);
  };
  return {
    inputIds: { ...ids, dims: source, required: true },
    attentionMask: { ...mask, dims: source, fill: (given) => filledLike(given.inputIds!, () => 1) },
    decoderInputIds: { ...ids, dims: target, fill: decoderInputIds },
    decoderAttentionMask: {
      ...mask,
      dims: target,
      fill: (given) => filledLike(given.decoderInputIds!, () => 1),
    },
    ...(options.withLabels && { labels: { ...ids, dims: target, ignored: ignoredLabel } }),
  };
}

/** Ids moved by one place behind the start token; labels that do not count become padding. */
function behindStart(
  { data, shape }: HostInput,
  { decoderStartTokenId, padTokenId }: Pick<EncoderDecoderSizes, "decoderStartTokenId" | "padTokenId">,
): HostInput {
  const width = shape.at(-1)!;
  return filledLike({ data, shape }, (index) => {
    if (index % width === 0) return decoderStartTokenId;
    const before = data[index - 1]!;
    return before === ignoredLabel ? padTokenId : before;
  });
}

/** true where a mask of whole numbers is not 0. */
export const presentTokens = (mask: Tensor): Tensor => not(equal(mask, scalar(0, "int32")));

/**
 * The addresses of what an encoder-decoder gives layer by layer.
 * @param afterNorm - whether the last hidden states are those after a norm that follows the layers
 */
export function encoderDecoderLayerOutputs(
  { layerCount, decoderLayerCount }: Pick<EncoderDecoderSizes, "layerCount" | "decoderLayerCount">,
  afterNorm: boolean,
): Record<string, string[]> {
  const hidden = (side: string, layers: number) => [
    `${side}.embedded`,
    ...layerAddresses(`${side}.layers.{layer}.output`, afterNorm ? layers - 1 : layers),
    ...(afterNorm ? [`${side}.output`] : []),
  ];
  const weights = (side: string, attention: string, layers: number) =>
    layerAddresses(`${side}.layers.{layer}.${attention}.weights`, layers);
  return {
    encoder_hidden_states: hidden("encoder", layerCount),
    encoder_attentions: weights("encoder", "selfAttention", layerCount),
    decoder_hidden_states: hidden("decoder", decoderLayerCount),
    decoder_attentions: weights("decoder", "selfAttention", decoderLayerCount),
    cross_attentions: weights("decoder", "crossAttention", decoderLayerCount),
  };
}
