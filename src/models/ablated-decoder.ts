import { z } from "zod";
import { add, contract, equal, not, scalar } from "../graph/build.ts";
import { dim } from "../graph/dims.ts";
import { named, scope } from "../graph/scope.ts";
import type { Tensor } from "../graph/tensor.ts";
import {
  attentionParameters,
  causalMask,
  type MultiHeadAttention,
  multiHeadAttention,
  paddingMask,
} from "../nn/attention.ts";
import {
  activations,
  dropout,
  embedding,
  type LayerNorm,
  type Linear,
  layerNorm,
  layerNormParameters,
  linear,
  linearParameters,
} from "../nn/layers.ts";
import { classCrossEntropy, ignoredLabel } from "../nn/losses.ts";
import { normal, type ParameterSpec, parameterSpec } from "../nn/parameters.ts";
import { positionsOf } from "../nn/positions.ts";
import type { CheckpointNames } from "../weights/checkpoint-names.ts";
import { checkHeads, count, rate, readConfig, tokenId } from "./config-file.ts";
import { architectureOf, type Family, layerAddresses, type Model, type ModelConfig } from "./family.ts";
import { nextLabels } from "./gpt2-family.ts";
import { textInputs } from "./inputs.ts";
import { gpt2Tokenizer } from "./new-tokenizer.ts";

/**
 * A decoder-only Transformer of which each part can be taken away, to see what it is good for. It is for experiments:
 * nothing else reads its checkpoints.
 */
export interface AblatedDecoderConfig extends ModelConfig {
  /** The widths of the hidden layers of the feed-forward network; none: there is no feed-forward network. */
  readonly feedForwardDims: readonly number[];
  /** Whether a sub-layer's result is added to what it read, or takes its place. */
  readonly residual: boolean;
  /** Whether a position sees later ones while it is trained. In use none does: they are not there yet. */
  readonly trainingMask: "causal" | "none";
  readonly dropout: number;
  readonly eosTokenId: number;
}

const configSchema = z.object({
  vocab_size: count,
  n_embd: count,
  n_head: count,
  n_layer: z.int().nonnegative(),
  n_positions: count,
  ffn_hidden_sizes: z.array(count).optional(),
  residual: z.boolean().default(true),
  training_mask: z.enum(["causal", "none"]).default("causal"),
  dropout: rate.default(0),
  bos_token_id: tokenId,
  eos_token_id: tokenId,
});

function readAblatedConfig(json: unknown, where: string): AblatedDecoderConfig {
  const file = readConfig(configSchema, json, where);
  checkHeads(["n_embd", file.n_embd], ["n_head", file.n_head], where);
  return {
    vocabSize: file.vocab_size,
    modelDim: file.n_embd,
    headCount: file.n_head,
    layerCount: file.n_layer,
    maxPositions: file.n_positions,
    feedForwardDims: file.ffn_hidden_sizes ?? [4 * file.n_embd],
    residual: file.residual,
    trainingMask: file.training_mask,
    dropout: file.dropout,
    bosTokenId: file.bos_token_id,
    eosTokenId: file.eos_token_id,
  };
}

interface AblatedDecoder<Parameter> {
  /** [vocab, model]; also the projection to the vocabulary. */
  readonly embedding: Parameter;
  /** [position, model] */
  readonly positions: Parameter;
  readonly layers: readonly AblatedLayer<Parameter>[];
  readonly finalNorm: LayerNorm<Parameter>;
}

interface AblatedLayer<Parameter> {
  readonly attentionNorm: LayerNorm<Parameter>;
  readonly attention: MultiHeadAttention<Parameter>;
  readonly feedForwardNorm?: LayerNorm<Parameter>;
  /** From the model's width through each hidden one and back. */
  readonly feedForward?: readonly Linear<Parameter>[];
}

const deviation = 0.02;

function ablatedParameters(config: AblatedDecoderConfig): AblatedDecoder<ParameterSpec> {
  const model = dim("model", config.modelDim);
  const widths = [model, ...config.feedForwardDims.map((size, index) => dim(`hidden${index}`, size)), model];
  const layer = (): AblatedLayer<ParameterSpec> => ({
    attentionNorm: layerNormParameters(model),
    attention: attentionParameters(model),
    ...(config.feedForwardDims.length > 0 && {
      feedForwardNorm: layerNormParameters(model),
      feedForward: widths.slice(1).map((to, index) => linearParameters(widths[index]!, to)),
    }),
  });
  return {
    embedding: parameterSpec([dim("vocab", config.vocabSize), model], normal(deviation)),
    positions: parameterSpec([dim("position", config.maxPositions), model], normal(deviation)),
    layers: Array.from({ length: config.layerCount }, layer),
    finalNorm: layerNormParameters(model),
  };
}

/** @returns hidden states: [batch, sequence, model] */
function ablatedHidden(
  config: AblatedDecoderConfig,
  parameters: AblatedDecoder<Tensor>,
  ids: Tensor,
  present: Tensor,
  isTraining: boolean,
): Tensor {
  const rateNow = isTraining ? config.dropout : 0;
  const mask = isTraining && config.trainingMask === "none" ? paddingMask(present) : causalMask(present);

  /** x + Sublayer(LayerNorm(x)), or without the x. */
  function sublayer(name: string, norm: LayerNorm<Tensor>, x: Tensor, change: (x: Tensor) => Tensor): Tensor {
    const changed = dropout(`${name}Dropout`, change(layerNorm(norm, x, 1e-5)), rateNow);
    return named(`${name}Residual`, config.residual ? add(x, changed) : changed);
  }
  const tokens = embedding(parameters.embedding, ids, false);
  let x = named("embedded", add(tokens, positionsOf(parameters.positions, ids.dims[1]!)));
  parameters.layers.forEach((layer, index) => {
    x = scope(`layers.${index}`, () => {
      const options = { headCount: config.headCount, dropout: 0 };
      const attended = sublayer("attention", layer.attentionNorm, x, (value) =>
        multiHeadAttention("attention", layer.attention, value, value, mask, options),
      );
      const { feedForward, feedForwardNorm } = layer;
      if (feedForward === undefined || feedForwardNorm === undefined) return named("output", attended);
      const changed = sublayer("feedForward", feedForwardNorm, attended, (value) =>
        feedForward.reduce(
          (inner, part, depth) => linear(part, depth === 0 ? inner : activations.gelu(inner)),
          value,
        ),
      );
      return named("output", changed);
    });
  });
  return named("output", layerNorm(parameters.finalNorm, x, 1e-5));
}

/** Addresses are names here. */
function namesOf(config: AblatedDecoderConfig): CheckpointNames {
  const attention = ["query", "key", "value", "output"].map((part) => `layers.{layer}.attention.${part}`);
  const feedForward = [...config.feedForwardDims, 0].map((_, part) => `layers.{layer}.feedForward.${part}`);
  const norms = ["layers.{layer}.attentionNorm", "layers.{layer}.feedForwardNorm", "finalNorm"];
  const addresses = [
    "embedding",
    "positions",
    ...[...attention, ...feedForward].flatMap((part) => [`${part}.weight`, `${part}.bias`]),
    ...norms.flatMap((norm) => [`${norm}.gain`, `${norm}.bias`]),
  ];
  return { base: "", tensors: Object.fromEntries(addresses.map((address) => [address, address])) };
}

export const ablatedDecoder: Family = {
  modelType: "qkv-ablated-decoder",
  configKeys: Object.keys(configSchema.shape),
  newTokenizer: gpt2Tokenizer,
  architectures: { AblatedDecoder: "causal-lm" },
  createModel(json, head, _options, where): Model<AblatedDecoder<ParameterSpec>> {
    const config = readAblatedConfig(json, where);
    return {
      modelType: ablatedDecoder.modelType,
      architecture: architectureOf(ablatedDecoder, head),
      head,
      config,
      parameters: ablatedParameters(config),
      names: namesOf(config),
      inputs: {
        ...textInputs(config),
        labels: {
          dtype: "int32",
          dims: [dim("batch"), dim("sequence")],
          below: config.vocabSize,
          ignored: ignoredLabel,
          adapt: nextLabels,
        },
      },
      forward(parameters: AblatedDecoder<Tensor>, inputs, mode = "inference") {
        const present = not(equal(inputs.attentionMask!, scalar(0, "int32")));
        const hidden = ablatedHidden(config, parameters, inputs.inputIds!, present, mode === "training");
        const weight = parameters.embedding;
        const logits = named("logits", contract(hidden, weight, "model"));
        if (inputs.labels === undefined) return { logits };
        return { logits, loss: classCrossEntropy(hidden, { weight }, inputs.labels) };
      },
      layerOutputs: {
        hidden_states: ["embedded", ...layerAddresses("layers.{layer}.output", config.layerCount)],
        attentions: layerAddresses("layers.{layer}.attention.weights", config.layerCount),
      },
    };
  },
};
